"""Memory of diff and apply does not grow with the model: a few blocks a thread."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
PEAK = """
import re, sys
from pathlib import Path
from openautoglm.release.delta import apply, diff
work = Path(sys.argv[1])
if sys.argv[2] == "diff":
    diff(work / "base", work / "new", work / "delta", threads=2)
else:
    apply(work / "base", work / "delta", work / "out", threads=2)
# VmHWM, not ru_maxrss: that one keeps what the pytest process held when it started this one
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def generate(path: Path, megabytes: int, moved: int) -> None:
    """One large bf16 table and several matrices, written a part at a time."""
    table, matrices, side = megabytes // 2 << 19, max(megabytes // 64, 1), 4096
    sizes = {"table": table * 2, **{f"layer.{number}": side * side * 2 for number in range(matrices)}}
    header: dict[str, object] = {}
    position = 0
    for name, size in sizes.items():
        shape = [table // side, side] if name == "table" else [side, side]
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header).encode()
    part = (np.random.default_rng(0).normal(size=4 << 20) * 0.05).astype("<f4")
    step = np.random.default_rng(moved).normal(size=4 << 20).astype("<f4") * 2e-5 * moved
    data = ((part + step).view("<u4") >> 16).astype("<u2").tobytes()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for start in range(0, position, len(data)):
            file.write(data[: min(len(data), position - start)])


@pytest.mark.parametrize("megabytes", [192, pytest.param(2048, marks=pytest.mark.slow)])
def test_peak_memory(megabytes: int, tmp_path: Path) -> None:
    generate(tmp_path / "base", megabytes, 0)
    generate(tmp_path / "new", megabytes, 1)
    for step in ("diff", "apply"):
        command = [sys.executable, "-c", PEAK, str(tmp_path), step]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert int(done.stdout) < 300, f"{step}: {done.stdout} MiB"
    left, right = (tmp_path / "out").open("rb"), (tmp_path / "new").open("rb")
    with left, right:
        while (one := left.read(1 << 24)) == (other := right.read(1 << 24)) and one:
            pass
        assert one == other == b""
