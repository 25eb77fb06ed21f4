"""kill -9 at every step of a publisher and a node, and two publishers at once: whole or not there, always."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openautoglm.release import ReleaseStore, pull
from openautoglm.release.candidate import contents
from openautoglm.release.node import current
from tests.unit.release.samples import candidate, onnx, publish_next

ROOT = Path(__file__).parents[3]
# a child that kills itself just before its n-th step towards the disk becomes visible
MORTAL = """
import os, signal, sys
def mortal(function):
    def call(*arguments, **options):
        mortal.left -= 1
        if mortal.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
mortal.left = int(sys.argv[1])
os.replace, os.link, os.fsync = mortal(os.replace), mortal(os.link), mortal(os.fsync)
"""
PUBLISH = (
    MORTAL
    + "from openautoglm.release import *\nReleaseStore(sys.argv[2]).publish(__import__('pathlib').Path(sys.argv[3]))"
)
PULL = (
    MORTAL + "from openautoglm.release import *\npull(sys.argv[2], __import__('pathlib').Path(sys.argv[3]))"
)
RACE = """
import sys, time
from pathlib import Path
from openautoglm.errors import Conflict
from openautoglm.release import ReleaseStore
store = ReleaseStore(sys.argv[1])
time.sleep(max(0, float(sys.argv[3]) - time.time()))
try:
    store.publish(Path(sys.argv[2]))
except Conflict as error:
    print(error)
    sys.exit(3)
"""


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def killed(script: str, step: int, *arguments: object) -> bool:
    """Run until the ``step``-th visible step; False once the child got through alive."""
    process = child(script, step, *arguments)
    out, _ = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), out
    return process.returncode != 0


@pytest.mark.parametrize("part", ["some", pytest.param("all", marks=pytest.mark.slow)])
def test_a_killed_publisher(part: str, tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "store")
    first = publish_next(store, tmp_path, 0)
    mine = candidate(store, tmp_path, 1)
    for step in range(60) if part == "all" else (0, 3, 4, 6, 9, 60):
        alive = not killed(PUBLISH, step, store.url, mine)
        assert store.verify() == []
        head = store.head()
        assert head is not None
        pulled = pull(store.url, tmp_path / "node")
        assert pulled.release == head
        if alive:
            break
    assert alive
    assert (store.head().version, store.head().parent, store.versions()) == (2, first.id, [1, 2])  # type: ignore[union-attr]
    assert [entry["kind"] for entry in store.log()] == ["publish", "publish"]


@pytest.mark.parametrize("part", ["some", pytest.param("all", marks=pytest.mark.slow)])
def test_a_killed_node(part: str, tmp_path: Path) -> None:
    store, node = ReleaseStore(tmp_path / "store"), tmp_path / "node"
    first = publish_next(store, tmp_path, 0)
    pull(store.url, node)
    second = publish_next(store, tmp_path, 1)
    for step in range(60) if part == "all" else (0, 2, 5, 8, 60):
        alive = not killed(PULL, step, store.url, node)
        name = current(node)
        assert name in (first.id, second.id)
        assert contents(node / "versions" / name) == contents(onnx(tmp_path, 0 if name == first.id else 1))
        if alive:
            break
    assert alive
    assert current(node) == second.id
    assert not [path for path in (node / "versions").iterdir() if path.name.startswith(".")]


def test_leftovers_of_a_killed_publisher_are_no_releases(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "store")
    publish_next(store, tmp_path, 0)
    assert killed(PUBLISH, 1, store.url, candidate(store, tmp_path, 1))
    left = [path.name for path in (tmp_path / "store").rglob(".*") if path.name != ".lock"]
    assert left, "the kill came before anything was written"
    assert (store.versions(), store.verify()) == ([1], [])


def test_two_publishers_one_wins(tmp_path: Path) -> None:
    import time

    store = ReleaseStore(tmp_path / "store")
    publish_next(store, tmp_path, 0)
    for turn in range(3):
        mine = candidate(store, tmp_path, 2 * turn + 1, name="mine")
        yours = candidate(store, tmp_path, 2 * turn + 2, name="yours")
        start = time.time() + 1.5
        racers = [child(RACE, store.url, folder, start) for folder in (mine, yours)]
        results = [(process.communicate(timeout=60)[0], process.returncode) for process in racers]
        assert sorted(code for _, code in results) == [0, 3], results
        assert any(
            "run the publish stage again" in out or "moved by somebody else" in out for out, _ in results
        )
        assert store.verify() == []
        assert store.head().parent == store.log()[-1]["from"]  # type: ignore[union-attr]
    assert os.path.exists(tmp_path / "store/.lock")
