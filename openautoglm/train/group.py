"""The processes that train together: one, or several under torch elastic."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """``rank`` of ``world_size``; rank 0 leads: it alone writes."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def sum(self, values: list[float], device: torch.device) -> list[float]:
        """Element-wise over all ranks, in fp64; every rank gets the result."""
        if self.world_size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=device)
        dist.all_reduce(total)
        return [float(value) for value in total.tolist()]

    def add(self, value: Tensor) -> None:
        """In place, over all ranks."""
        if self.world_size > 1:
            dist.all_reduce(value)

    def gather(self, value: Tensor) -> Tensor:
        """[...] on each rank → [world_size, ...] on all of them."""
        if self.world_size == 1:
            return value.unsqueeze(0)
        parts = [torch.empty_like(value) for _ in range(self.world_size)]
        dist.all_gather(parts, value)
        return torch.stack(parts)

    def wait(self) -> None:
        if self.world_size > 1:
            dist.barrier()
