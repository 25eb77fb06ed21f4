"""A flow waits for the stages that run side by side, whatever it is told meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WAITS = """
import signal, sys, time
from concurrent.futures import ThreadPoolExecutor
from flows.pipeline import both_ended

signal.signal(signal.SIGINT, signal.default_int_handler)  # one that is started in the background ignores it

def fails():
    raise ValueError("its own")

with ThreadPoolExecutor(2) as pool:
    threads = [pool.submit(fails), pool.submit(time.sleep, float(sys.argv[1]))]
    print("waiting", flush=True)
    try:
        both_ended(*threads, longest=float(sys.argv[2]))
    except KeyboardInterrupt:
        print("stopped", [one.done() for one in threads], flush=True)
    else:
        print("through", [one.done() for one in threads], flush=True)
"""


def waiting(seconds: float, longest: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WAITS, str(seconds), str(longest)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    return process


def test_one_that_fails_is_no_reason_to_leave_the_other() -> None:
    assert waiting(0.5, 60).communicate(timeout=60)[0] == "through [True, True]\n"


def test_told_to_stop_twice_it_stops_when_both_are_through() -> None:
    process = waiting(4, 60)
    for _ in range(2):
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)

    said, warned = process.communicate(timeout=60)
    assert said == "stopped [True, True]\n"
    assert warned.count("stopping as soon as") == 2


def test_one_that_hangs_ends_the_process() -> None:
    process = waiting(60, 0.5)
    _, warned = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "evaluate or export hangs, after 0.5 s: giving up" in warned
