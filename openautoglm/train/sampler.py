"""Which documents make up which batch: a pure function of lengths, seed and epoch, so a position in it is one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
BATCHES_PER_POOL = (
    50  # documents are sorted by length inside pools of so many batches: little padding, still mixed
)


@dataclass(frozen=True)
class BucketSampler:
    """Length-bucketed batches over ``lengths`` [D]; ``batch_size`` counts the documents of all ranks together."""

    lengths: Ints
    batch_size: int
    seed: int

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def epoch(self, epoch: int) -> list[Ints]:
        """The batches of one epoch, every document once; the last one in a pool may be smaller."""
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.lengths)).astype(np.int64)
        pool = self.batch_size * BATCHES_PER_POOL
        batches = []
        for first in range(0, len(order), pool):
            rows = order[first : first + pool]
            rows = rows[np.argsort(self.lengths[rows], kind="stable")]
            batches += [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]
        return [batches[i] for i in random.permutation(len(batches))]


def in_length_order(lengths: Ints, batch_size: int) -> list[Ints]:
    """Batches for evaluation: every document once, shortest first."""
    order = np.argsort(lengths, kind="stable").astype(np.int64)
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def shard(rows: Ints, rank: int, world_size: int) -> Ints:
    """This rank's part of a batch; the parts of all ranks are the batch. May be empty for a small last batch."""
    return rows[rank::world_size]
