"""Two gloo processes and one: the same gradient up to float noise, also for a batch that does not divide."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

HERE = Path(__file__).parent


@pytest.mark.parametrize("documents", [8, 5, 1])
def test_gradient_of_the_whole_batch(tmp_path: Path, documents: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [sys.executable, str(HERE / "gradient_of_rank.py"), str(tmp_path), str(documents)],
            env=env | {"RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank)},
        )
        for world in (1, 2)
        for rank in range(world)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    one, two = (load_file(tmp_path / f"{world}.safetensors") for world in (1, 2))
    assert one.keys() == two.keys()
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, atol=2e-6, rtol=1e-4, msg=name)
