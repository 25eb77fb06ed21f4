"""What torch keeps for the whole process: its generator, its tracer, and whether it exports at the moment.

Stages run side by side (docs/adr/0010-nothing-waits-that-need-not.md). Of two traces at once each took the other's
names and branches: 47 of 51 graph paths had other bits, 22 of 23 ONNX graphs other bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

TORCH = threading.RLock()  # held by whoever traces, or draws numbers that are kept


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers from ``seed`` in this block; what others draw goes on as if it had not been."""
    with TORCH, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
