"""Gradients of the toy model's batches: python gradient_of_rank.py FOLDER PARENT, with RANK, WORLD_SIZE and MASTER_* set."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "unit/train"))
from toy_training import toy_documents, toy_job, toy_params

from openautoglm.train import loop
from openautoglm.train.group import Group
from openautoglm.train.job import Hold, Job

SIZES = (8, 5, 1)  # documents of a batch: one that divides, one that does not, fewer than ranks


def gradients(folder: Path, parent: Path, group: Group) -> dict[str, Tensor]:
    """{"<job> <size> <parameter>": gradient} and the mean losses, dropout off."""
    old = tuple(d.doc_id for d in toy_documents() if d.label != "apple")
    from_parent = toy_job(folder / "held", parent_dir=parent)
    jobs = {
        "plain": toy_job(folder / "plain"),
        "ewc": replace(from_parent, layers="lora:2", hold=Hold("ewc", 10.0, old)),
        "lwf": replace(from_parent, hold=Hold("lwf", 1.0, old)),
    }
    return {f"{name} {key}": t for name, job in jobs.items() for key, t in _gradients(job, group).items()}


def _gradients(job: Job, group: Group) -> dict[str, Tensor]:
    run = loop.Run.begin(loop.prepare(job), toy_params(), group)
    model = run.model.eval()
    for name, parameter in model.named_parameters():
        if name == "fusion.gate" or ".lora_B." in name:
            torch.nn.init.constant_(parameter, 0.5)
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
    result = gradients(Path(sys.argv[1], f"rank-{rank}"), Path(sys.argv[2]), Group(rank, world, rank))
    if rank == 0:
        save_file(result, Path(sys.argv[1], "gradients.safetensors"))
    dist.destroy_process_group()
