"""How many processors there are to use."""

from __future__ import annotations

import os


def processors() -> int:
    """Those that this process may use, which in a container or under taskset are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
