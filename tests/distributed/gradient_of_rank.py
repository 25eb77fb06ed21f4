"""One rank of test_gradients: python gradient_of_rank.py FOLDER DOCUMENTS, with RANK and WORLD_SIZE set."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch.nn.parallel import DistributedDataParallel

sys.path.insert(0, str(Path(__file__).parents[1] / "unit/train"))
from toy_training import toy_job

from openautoglm.train import loop
from openautoglm.train.group import Group

folder, documents = Path(sys.argv[1]), int(sys.argv[2])
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
prepared = loop.prepare(toy_job(folder / f"job-{world}-{rank}"))
model = prepared.model.eval()  # dropout off
torch.nn.init.constant_(model.fusion.gate, 0.5)
forward: loop.Forward = model
if world > 1:
    dist.init_process_group("gloo")
    forward = DistributedDataParallel(model)
group = Group(rank, world, rank)
rows = np.arange(documents, dtype=np.int64)
loss, weight = loop._loss(forward, prepared.train, rows, group, torch.device("cpu"))
(loss * weight).backward()
[mean] = group.sum([float(loss.detach()) * weight / world], loss.device)
if rank == 0:
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    save_file({**gradients, "mean loss": torch.tensor([mean])}, folder / f"{world}.safetensors")
if world > 1:
    dist.destroy_process_group()
