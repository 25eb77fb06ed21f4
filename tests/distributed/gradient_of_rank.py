"""Gradients of the toy model's batches: python gradient_of_rank.py FOLDER, with RANK, WORLD_SIZE and MASTER_* set."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "unit/train"))
from toy_training import toy_job, toy_params

from openautoglm.train import loop
from openautoglm.train.group import Group

SIZES = (8, 5, 1)  # documents of a batch: one that divides, one that does not, fewer than ranks


def gradients(folder: Path, group: Group) -> dict[str, Tensor]:
    """{"<size> <parameter>": gradient} and the mean losses, dropout off."""
    run = loop.Run.begin(loop.prepare(toy_job(folder)), toy_params(), group)
    model = run.model.eval()
    torch.nn.init.constant_(model.fusion.gate, 0.5)
    if group.world_size > 1:
        run.forward = torch.nn.parallel.DistributedDataParallel(model)
    found = {}
    for size in SIZES:
        model.zero_grad()
        rows = np.arange(size, dtype=np.int64)
        loss, weight = run.loss(rows)
        (loss * weight).backward()
        [mean] = group.sum([float(loss.detach()) * weight / group.world_size], loss.device)
        found |= {f"{size} {n}": p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        found[f"{size} mean loss"] = torch.tensor([mean])
    return found


if __name__ == "__main__":
    from safetensors.torch import save_file

    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group("gloo")
    result = gradients(Path(sys.argv[1], f"rank-{rank}"), Group(rank, world, rank))
    if rank == 0:
        save_file(result, Path(sys.argv[1], "gradients.safetensors"))
    dist.destroy_process_group()
