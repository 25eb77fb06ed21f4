"""Everything that a run needs, imported once: the process that the runner forks its runs from.

Nothing here starts a thread or computes in parallel: a fork takes along only the thread that calls it, and OpenMP
works in the child as long as the parent never used it.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys

from flows.heavy import ALL, load

FLOWS = ("continual", "pipeline", "retrain", "rollback")
LIGHT = "AUTOGLM_RUNNER_LIGHT"  # set: only what the flows themselves import, for a machine with little memory

for _name in FLOWS:
    importlib.import_module(f"flows.{_name}")
if not os.environ.get(LIGHT):
    load(ALL)
if "torch" in sys.modules:
    assert not sys.modules["torch"].cuda.is_initialized(), (
        "a fork cannot use a GPU that its parent has touched"
    )
gc.collect()
gc.freeze()  # the children share these pages: a collection there would copy them
