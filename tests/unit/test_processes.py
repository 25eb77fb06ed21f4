"""Which process is which, whatever the clock says, and that none outlives who started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from openautoglm import processes
from openautoglm.processes import is_process, started

SLEEP = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"]
# a parent that dies before its child can ask to end with it: the child would be an orphan for ever
LATE = """
import os, sys, time
from openautoglm.processes import end_with_parent
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        time.sleep(0.01)
    end_with_parent(parent)
    open(sys.argv[1], "w").write("it lives on")
"""


def test_it_is_the_same_until_it_ends() -> None:
    child = subprocess.Popen(SLEEP)
    at = started(child.pid)
    assert is_process(child.pid, at)
    assert is_process(child.pid, float(f"{at:.2f}")), "as a label of Prefect's has it"
    assert not is_process(child.pid, started(os.getpid()))
    child.kill()
    time.sleep(0.2)
    assert not is_process(child.pid, at), "a zombie"
    child.wait()
    assert not is_process(child.pid, at)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_clock_that_is_set_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    at, clock = started(os.getpid()), psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: clock(self) + 3600)
    assert is_process(os.getpid(), at)


def test_another_boot_is_another_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = []
    for boot in ("one", "two"):
        proc = tmp_path / boot
        (proc / "7").mkdir(parents=True)
        (proc / "7/stat").write_text(f"7 (a ) b) S {' '.join(str(n) for n in range(4, 53))}\n")
        (proc / "sys/kernel/random").mkdir(parents=True)
        (proc / "sys/kernel/random/boot_id").write_text(f"{boot}\n")
        monkeypatch.setattr(processes, "PROC", proc)
        found.append(started(7))
    assert found[0] != found[1]
    monkeypatch.setattr(processes, "PROC", tmp_path / "none")
    assert is_process(os.getpid(), psutil.Process().create_time())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this")
def test_a_child_whose_parent_died_before_it_could_ask_ends(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LATE, str(tmp_path / "said")], check=True)
    time.sleep(1.0)
    assert not (tmp_path / "said").exists()
