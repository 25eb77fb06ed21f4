"""Two gloo processes and one: the same gradient up to float noise, also for a batch that does not divide, with adapters
and with what holds a run near its parent."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from gradient_of_rank import gradients
from safetensors.torch import load_file
from toy_training import parent_of_toys

from openautoglm.train.group import Group

SCRIPT = Path(__file__).parent / "gradient_of_rank.py"


def test_gradient_of_the_whole_batch(tmp_path: Path) -> None:
    parent = parent_of_toys(tmp_path / "parent")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    env = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    ranks = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(tmp_path), str(parent)],
            env=env | {"RANK": rank, "WORLD_SIZE": "2"},
        )
        for rank in "01"
    ]
    alone = gradients(tmp_path / "alone", parent, Group())
    assert [rank.wait(timeout=90) for rank in ranks] == [0, 0]
    together = load_file(tmp_path / "gradients.safetensors")
    assert together.keys() == alone.keys()
    for name, gradient in alone.items():
        torch.testing.assert_close(together[name], gradient, atol=2e-6, rtol=1e-4, msg=name)
