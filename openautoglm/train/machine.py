"""What this machine computes on: device, precision, threads. Chosen here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from openautoglm.processors import processors

BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # the last one is Arm's name


def choose_device(local_rank: int = 0) -> torch.device:
    return torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")


def choose_precision(asked: str, device: torch.device) -> str:
    """``auto`` → bf16 where the hardware multiplies it (2.5-3 times as fast on such a CPU), else fp32.

    An x86 processor says so in /proc/cpuinfo with avx512_bf16 or amx_bf16; without them bf16 is emulated and slower.
    """
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if _cpu_flags() & BF16_FLAGS else "fp32"


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Arithmetic in bf16, weights and optimizer state in fp32; nothing to scale, bf16 has fp32's range."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def attention(device: torch.device) -> str:
    """Transformers' name of the attention to train with. Measured on a CPU in bf16: the backward of torch's fused one
    takes 2.5 times as long as plain matrix products for short texts, and 1.3 times at 128 tokens.
    """
    return "eager" if device.type == "cpu" else "sdpa"


def use_all_cores(ranks: int = 1) -> int:
    """Give torch every core this process may use, shared among ``ranks``; OMP_NUM_THREADS wins where it is set."""
    threads = int(os.environ.get("OMP_NUM_THREADS") or max(processors() // ranks, 1))
    torch.set_num_threads(threads)
    return threads


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread, inside: sums in one order, and no waiting for a thread that a busy machine keeps back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {
        flag
        for line in lines
        if line.startswith(("flags", "Features"))
        for flag in line.split(":")[1].split()
    }
