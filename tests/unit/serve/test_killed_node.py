"""kill -9 of a node that follows, at random and chosen moments of a pull: the next start finds it whole and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openautoglm.release import ReleaseStore
from openautoglm.release.node import current, sound
from tests.unit.release.test_crash import MORTAL
from tests.unit.serve.toys import ROOT, Load, nudged, publish, serving, wait_for

FOLLOW = (
    MORTAL
    + """
from openautoglm import cli
cli.main(["pull", "--follow", "--json", "--every", "0.05", "--store", sys.argv[2], "--to", sys.argv[3]])
"""
)


def following(step: int, store: ReleaseStore, node: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FOLLOW, str(step), store.url, str(node)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("part", ["some", pytest.param("all", marks=pytest.mark.slow)])
def test_pull_follow_killed_at_a_step(
    part: str, store: ReleaseStore, versions: list[Path], tmp_path: Path
) -> None:
    first = publish(store, tmp_path, versions[0])
    for number, step in enumerate(range(0, 36, 2) if part == "all" else (2, 9)):
        node = tmp_path / f"node{number}"
        process = following(step, store, node)
        wait_for(lambda process=process, node=node: process.poll() is not None or current(node) == first.id)  # type: ignore[misc]
        process.kill()  # one that got through is killed at rest
        process.wait()
        name = current(node)
        assert name is None or sound(node, name), f"step {step} left {name}"
    second = publish(store, tmp_path, versions[1])
    process = following(10**6, store, node)
    wait_for(lambda: current(node) == second.id)
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert '"accepted": true' in out
    assert {path.name for path in (node / "versions").iterdir()} <= {first.id, second.id}
    assert store.verify() == []


@pytest.mark.parametrize("rounds", [2, pytest.param(25, marks=pytest.mark.slow)])
def test_a_server_killed_at_a_random_moment(
    rounds: int, store: ReleaseStore, versions: list[Path], tmp_path: Path
) -> None:
    import random

    moments = random.Random(rounds)
    publish(store, tmp_path, versions[0])
    for turn in range(1, rounds + 1):
        with serving(store.url, tmp_path / "node", "--follow", "--every", "0.02") as server:
            load = Load(server.port)
            with load.on():
                wait_for(lambda load=load: len(load.answers) > 3)  # type: ignore[misc]
                release = publish(store, tmp_path, nudged(versions[0], tmp_path / f"v{turn}", turn))
                time.sleep(moments.random() * 0.5)
                os.kill(server.process.pid, signal.SIGKILL)
                server.process.wait()
        name = current(tmp_path / "node")
        assert name
        assert sound(tmp_path / "node", name)
        assert store.verify() == []
    with serving(store.url, tmp_path / "node", "--follow", "--every", "0.02") as server:
        wait_for(lambda: server.client().predict()[1]["release"] == release.id)
