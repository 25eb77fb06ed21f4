"""Processes of this machine: which is which, though their numbers are used again, and that none outlives its parent."""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import sys
from pathlib import Path

import psutil

PROC = Path("/proc")


def started(pid: int) -> float:
    """A number that process ``pid`` keeps for life and no other one of that pid has: of its start, to be stored with the pid.

    psutil's start time is the machine's boot time by the clock plus ticks, and moves whenever the clock is set. So where
    there is /proc it is made of the ticks (proc(5), field 22 of stat) and of the boot's id.

    Raises:
        psutil.NoSuchProcess: there is none.
    """
    try:
        ticks = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except (OSError, IndexError):
        return float(psutil.Process(pid).create_time())
    digest = hashlib.sha256(f"{boot} {ticks}".encode()).hexdigest()
    return float(int(digest[:12], 16))  # 48 bits: exact as a float, in JSON, SQL and text


def is_process(pid: int, at: float) -> bool:
    """Whether ``pid`` is still the process of which :func:`started` said ``at``, and no zombie."""
    try:
        same = abs(started(pid) - at) < 0.05
        return bool(same and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def end_with_parent(parent: int | None = None, by: signal.Signals = signal.SIGTERM) -> None:
    """Have this process sent ``by`` when the one that started it is gone, however it went; only Linux has this.

    Args:
        parent: its pid, for a `preexec_fn`: it may be gone before we ask, and then we end at once.
    """
    if sys.platform != "linux":
        return
    parent, pr_set_pdeathsig = parent or os.getppid(), 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, by, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(128 + by)
