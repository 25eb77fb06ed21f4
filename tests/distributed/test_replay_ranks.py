"""Replay with two ranks and with one: the same buffer, and the same weights up to rounding."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from toy_training import parent_of_toys, toy_documents, toy_job, toy_replay

from openautoglm.model.checkpoint import WEIGHTS
from openautoglm.train import run, state
from openautoglm.train.job import Job
from openautoglm.train.replay import learn

ROOT = Path(__file__).parents[2]
DOCUMENTS = [replace(d, batch="new" if d.label == "apple" else "old") for d in toy_documents(train=49)]


def two_ranks(job: Job) -> None:
    """What the launcher does, with ranks that drop nothing out."""
    job.save(job.state / "job.json")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    env = os.environ | {
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "WORLD_SIZE": "2",
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.distributed.fit_of_rank", str(job.state / "job.json")],
            cwd=ROOT,
            env=env | {"RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in "01"
    ]
    assert [rank.wait(timeout=90) for rank in ranks] == [0, 0]


def learnt(
    folder: Path, parent: Path, choice: str, world_size: int
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(facts, fp32 weights) of a replay in batches of 8, 8 and 7 documents: the last one does not divide."""
    job = toy_job(folder, DOCUMENTS, parent_dir=parent, epochs=4, world_size=world_size)
    facts = learn(job, toy_replay(replay_choice=choice), {"old"}, folder / "out", folder / "out.jsonl")
    [final] = folder.glob("runs/*/final")
    return facts, state.master(final.parent)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return parent_of_toys(tmp_path_factory.mktemp("parent"))


@pytest.mark.parametrize("choice", ["reservoir", pytest.param("herding", marks=pytest.mark.slow)])
def test_two_ranks_replay_what_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: Path, choice: str
) -> None:
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda _, values: values)
    monkeypatch.setattr(run, "launch", two_ranks)
    before = load_file(parent / WEIGHTS)
    (facts, alone), (also, together) = (
        learnt(tmp_path / str(number), parent, choice, number) for number in (1, 2)
    )

    assert facts["replayed"] == also["replayed"]
    assert (len(facts["replayed"]), facts["documents"], facts["steps"]) == (6, 23, 6)
    assert also["steps"] == 6
    moved = (alone["fusion.query.weight"] - before["fusion.query.weight"].float()).abs().max()
    assert moved > 5e-3, "the comparison is of weights that were trained"
    for name, weights in alone.items():  # AdamW enlarges rounding where a gradient is next to nothing
        torch.testing.assert_close(together[name], weights, atol=1e-4, rtol=0, msg=name)
