"""kill -9 of publisher and node at random moments, round after round on one store: it verifies, the node serves, nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from openautoglm.errors import AutoGLMError
from openautoglm.release import ReleaseStore, pull
from openautoglm.release.candidate import contents
from openautoglm.release.node import current
from tests.unit.release.samples import candidate, onnx

# from a process that has only imported this file: the child's whole life is the work, and it inherits no thread or
# lock of what other tests left in this one
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload([__name__])


def started(work: Callable[..., object], *arguments: object) -> BaseProcess:
    process = FORK.Process(target=work, args=arguments)
    process.start()
    return process


def publish(url: str, folder: Path) -> None:
    try:
        ReleaseStore(url).publish(folder, "stable", "a round")
    except BaseException:
        Path(url, "died.txt").write_text(traceback.format_exc())  # it has no terminal to tell it to
        raise


def keep_pulling(url: str, node: Path) -> None:
    """What a following node does, without a pause."""
    while True:
        try:
            pull(url, node)
        except AutoGLMError as error:
            print(error)
            os._exit(3)


def killed_at(process: BaseProcess, moment: float, reports: Path) -> bool:
    """Kill it then; False if it was through before."""
    time.sleep(max(0.0, moment - time.monotonic()))
    assert process.pid
    with suppress(ProcessLookupError):  # through, and buried by the process that forked it
        os.kill(process.pid, signal.SIGKILL)
    process.join(20)
    told = "".join(path.read_text() for path in reports.rglob("died.txt"))
    assert process.exitcode in (0, -signal.SIGKILL), f"{process.exitcode} {told}"
    return process.exitcode != 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("rounds", [50])
def test_publisher_and_node_die_at_random_moments(rounds: int, tmp_path: Path) -> None:
    survive(rounds, tmp_path)


def test_three_rounds(tmp_path: Path) -> None:
    survive(3, tmp_path)


def survive(rounds: int, root: Path) -> None:
    draw, store, node = random.Random(13), ReleaseStore(root / "store"), root / "node"
    store.publish(candidate(store, root, 0), "stable", "the first")
    pull(store.url, node)
    whole = duration(root)
    died = 0
    for step in range(1, rounds + 1):
        mine = candidate(store, root, step)
        before = store.head()
        pulling, publishing = started(keep_pulling, store.url, node), started(publish, store.url, mine)
        now = time.monotonic()
        died += killed_at(publishing, now + draw.uniform(0, 1.3 * whole), root)
        killed_at(pulling, time.monotonic() + draw.uniform(0, whole), root)
        assert store.verify() == [], step
        head, served = store.head(), current(node)
        assert before
        assert head
        assert head.version in (before.version, before.version + 1)
        assert served in (before.id, head.id)
        expected = onnx(root, step if served != before.id else step - 1)
        assert contents((node / "current").resolve()) == contents(expected)
        finished = store.publish(mine, "stable", "once more")  # what a publisher that is started again does
        pulled = pull(store.url, node)
        assert (finished, pulled.release) == (store.head(), store.head())
        assert contents((node / "current").resolve()) == contents(onnx(root, step))
        assert [entry["kind"] for entry in store.log()] == ["publish"] * (step + 1)
    assert store.versions() == list(range(1, rounds + 2))
    assert store.verify() == []
    assert died >= rounds // 5, "nearly every publisher was through before it was killed: this showed nothing"


def duration(root: Path) -> float:
    """Seconds that a publish takes here, from fork to exit."""
    store = ReleaseStore(root / "other")
    folder = candidate(store, root, 0, name="other-candidate")
    started(len, ()).join()  # the first one also starts the process that forks
    start = time.monotonic()
    started(publish, store.url, folder).join()
    return time.monotonic() - start
