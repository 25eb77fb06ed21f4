"""One rank of a training without dropout, which draws from each rank's own generator:
python -m tests.distributed.fit_of_rank JOB.json, with RANK, LOCAL_RANK, WORLD_SIZE and MASTER_* set."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from openautoglm.train.distributed import work

if __name__ == "__main__":
    torch.nn.Dropout.forward = lambda _, values: values  # type: ignore[method-assign]
    work(Path(sys.argv[1]))
