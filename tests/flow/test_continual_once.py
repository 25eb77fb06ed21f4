"""Exactly once: whatever happens to events and processes, the chain of releases is that of an undisturbed run."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest
from chain import CONTINUAL, continual, give, ids, is_sound, kill, states
from project import ToyProject

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
BATCHES = [f"batch{number}" for number in range(9)]  # after the one that a toy begins with


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, api_url: str) -> list[str]:
    toy = ToyProject.create(tmp_path_factory.mktemp("undisturbed") / "toy", api_url)
    for batch in BATCHES:
        give(toy, batch)
    continual(toy)
    is_sound(toy)
    return ids(toy)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ten_batches_two_runs_at_once_one_killed(
    seed: int, undisturbed: list[str], tmp_path: Path, api_url: str
) -> None:
    """An event is a run of the flow: here doubled, dropped or late, by two processes of which one is killed."""
    dice = random.Random(seed)
    toy = ToyProject.create(tmp_path / "toy", api_url)
    runs: list[subprocess.Popen[str]] = []
    for batch in BATCHES:
        give(toy, batch)
        if dice.random() < 0.7:  # else its event is lost
            runs += [_start(toy) for _ in range(2 - len(_alive(runs)))]  # twice, where not both are at work
        time.sleep(dice.uniform(0, 4))
        if len(_alive(runs)) == 2 and dice.random() < 0.4:
            kill(dice.choice(_alive(runs)))
    if not _alive(runs):
        runs += [_start(toy), _start(toy)]
    time.sleep(dice.uniform(0, 15))
    kill(dice.choice(_alive(runs) or runs))
    for run in runs:
        run.wait(timeout=600)
    continual(toy)  # the sweep

    assert states(toy) == ["published"] * (1 + len(BATCHES))
    assert ids(toy) == undisturbed
    is_sound(toy)


def _start(toy: ToyProject) -> subprocess.Popen[str]:
    with (toy.root / "runs.log").open("a") as log:
        return subprocess.Popen(CONTINUAL, cwd=toy.root, env=toy.env(), stdout=log, stderr=log, text=True)


def _alive(runs: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    return [run for run in runs if run.poll() is None]
