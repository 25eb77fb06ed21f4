"""The process that the runner forks its runs from: whatever a stage computes works in its children."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import multiprocessing, os

def compute():
    import numpy, torch
    torch.set_num_threads(2)
    x = torch.randn(400, 400, requires_grad=True)
    y = torch.zeros(50, 400).index_add(0, torch.arange(400) % 50, x @ x)
    (y.softmax(1) ** 2).sum().backward()
    assert torch.isfinite(x.grad).all()
    numpy.linalg.svd(numpy.random.rand(200, 200))
    import pyarrow.compute
    assert pyarrow.compute.sum(pyarrow.chunked_array([range(10**5)] * 4)).as_py() > 0
    os.write(1, b"computed")

multiprocessing.set_forkserver_preload(["flows.warm", "warm_child"])
if __name__ == "__main__":
    import warm_child
    for _ in range(2):
        process = multiprocessing.get_context("forkserver").Process(target=warm_child.compute)
        process.start()
        process.join(90)
        assert process.exitcode == 0, process.exitcode
"""


@pytest.mark.slow
def test_parallel_regions_work_in_a_forked_child(tmp_path: Path) -> None:
    (tmp_path / "warm_child.py").write_text(CHILD)
    done = subprocess.run(
        [sys.executable, "-m", "warm_child"], cwd=ROOT, timeout=240, capture_output=True, text=True,
        env={"PATH": "/usr/bin", "PYTHONPATH": f"{ROOT}:{tmp_path}", "OMP_NUM_THREADS": "2", "PREFECT_API_URL": "http://127.0.0.1:9/api"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("computed") == 2
