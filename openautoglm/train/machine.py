"""What this machine computes on: device, precision, threads. Chosen here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from openautoglm.processors import processors

# in /proc/cpuinfo; `bf16` is Arm's name
BF16_FLAGS = {"amx_bf16", "bf16"}
BF16_FLAGS_OF_AMD = {"avx512_bf16"}


def choose_device(local_rank: int = 0) -> torch.device:
    return torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")


def choose_precision(asked: str, device: torch.device) -> str:
    """``auto`` → bf16 where the hardware multiplies it faster than fp32, else fp32.

    Measured, MiniLM's layers on one thread: an AMD Zen 5 with avx512_bf16 450 GFLOP/s against 96 in fp32; an Intel Xeon
    that has avx512_bf16 but no AMX 101 against 156, and a training step takes 1.44 times as long as in fp32. Without any of them bf16 is emulated.
    """
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    flags, vendor = _cpu()
    fast = BF16_FLAGS | (BF16_FLAGS_OF_AMD if vendor == "AuthenticAMD" else set())
    return "bf16" if flags & fast else "fp32"


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
def sums_in_order() -> Iterator[None]:
    """Gradients of what was indexed are summed in one order, inside: two threads race for it else, and a busy CPU trains
    other bits than an idle one. Measured on two cores: 0.99 to 1.01 of the speed without.
    """
    if choose_device().type != "cpu":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    settings: Any = torch.utils.deterministic
    fill = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    settings.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        settings.fill_uninitialized_memory = fill


def use_one_core() -> None:
    """Torch on one thread an operation from here on, also in what BLAS shares among all threads of the process: sums in
    one order, whoever computes beside us. For a stage, and for each thread of a pool.
    """
    torch.set_num_threads(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread, inside: sums in one order, and no waiting for a thread that a busy machine keeps back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _cpu() -> tuple[set[str], str]:
    """(what the processor can do, who made it); empty where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set(), ""
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return set(f"{said.get('flags', '')} {said.get('Features', '')}".split()), said.get("vendor_id", "")
