"""Real processes, really killed: what comes out is what would have come out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from toy_training import parent_of_toys, toy_documents, toy_job

from openautoglm.files import load_json, sha256_file
from openautoglm.train import state
from openautoglm.train.job import Hold, Job

ENV = os.environ | {"OMP_NUM_THREADS": "1"}
TRAIN = (
    "import sys, pathlib; from openautoglm.train.job import Job; from openautoglm.train.run import train; "
    "p = pathlib.Path(sys.argv[1]); train(Job.load(p / 'job.json'), p / 'out', p / 'training.jsonl')"
)
SLOWLY = (
    "import time; from openautoglm.train import state; save = state.save_step\n"
    "def slow(*arguments): save(*arguments); time.sleep(0.3)\n"
    "state.save_step = slow\n"
)


def _start(folder: Path, code: str = TRAIN) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, str(folder)], env=ENV, stdout=subprocess.DEVNULL)


def _job(folder: Path, parent: Path | None = None, **changes: object) -> Job:
    """With a ``parent``: adapters, held near it by the Fisher information of half of the documents."""
    job = toy_job(folder, toy_documents(), parent_dir=parent, **changes)
    if parent:
        old = tuple(d.doc_id for d in toy_documents() if d.label != "apple")
        job = replace(job, layers="lora:2", hold=Hold("ewc", 10.0, old)).sealed()
    job.save(folder / "job.json")
    return job


def _wait(condition: object, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("held", [False, True])
def test_killed_and_resumed_is_the_same_to_the_bit(tmp_path: Path, held: bool) -> None:
    parent, epochs = (parent_of_toys(tmp_path / "parent"), 4) if held else (None, 2)
    undisturbed = _job(tmp_path / "a", parent, epochs=epochs)
    beside = _start(tmp_path / "a")
    job = _job(tmp_path / "b", parent, epochs=epochs)
    process = _start(tmp_path / "b", SLOWLY + TRAIN)
    _wait(lambda: len(state.steps(job.state)) >= 2, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=10) == -signal.SIGKILL
    assert not (tmp_path / "b/out").exists()
    assert _start(tmp_path / "b").wait(timeout=60) == 0
    assert beside.wait(timeout=60) == 0
    assert '"resumed"' in (job.state / "metrics.jsonl").read_text()
    for name in ("out/model.safetensors", "out/training.json", "training.jsonl"):
        assert sha256_file(tmp_path / "a" / name) == sha256_file(tmp_path / "b" / name), name
    masters = [run.state / "final/model.safetensors" for run in (undisturbed, job)]
    assert sha256_file(masters[0]) == sha256_file(masters[1])


@pytest.mark.slow
@pytest.mark.parametrize("held", [False, True])
def test_two_ranks_one_is_killed(tmp_path: Path, held: bool) -> None:
    """One restart from the last checkpoint, the weights of the undisturbed run, and nobody left behind."""
    parent, epochs = (parent_of_toys(tmp_path / "parent"), 4) if held else (None, 2)
    undisturbed = _job(tmp_path / "a", parent, epochs=epochs, world_size=2)
    assert _start(tmp_path / "a").wait(timeout=120) == 0
    job = _job(tmp_path / "b", parent, epochs=epochs, world_size=2)
    process = _start(tmp_path / "b")
    _wait(lambda: state.steps(job.state), process, 90)
    victims = _ranks(job)
    assert len(victims) == 2
    os.kill(victims[1], signal.SIGKILL)
    assert process.wait(timeout=200) == 0
    assert (job.state / "metrics.jsonl").read_text().count('"resumed"') == 1
    masters = [run.state / "final/model.safetensors" for run in (undisturbed, job)]
    assert sha256_file(masters[0]) == sha256_file(masters[1])
    assert not _ranks(job)


@pytest.mark.slow
def test_ranks_die_with_the_launcher(tmp_path: Path) -> None:
    job = _job(tmp_path, world_size=2, epochs=200, patience=200)
    process = _start(tmp_path)
    _wait(lambda: state.steps(job.state), process, 90)
    assert len(_ranks(job)) == 2
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    until = time.monotonic() + 15
    while _ranks(job) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _ranks(job)


@pytest.mark.slow
def test_two_ranks_learn_what_one_learns(tmp_path: Path) -> None:
    """The same global batches; dropout differs between the ranks, so the losses agree and are not equal."""
    one, two = _job(tmp_path / "one"), _job(tmp_path / "two", world_size=2)
    processes = [_start(tmp_path / "one"), _start(tmp_path / "two")]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    first, second = (load_json(run.state / "final/result.json")["history"] for run in (one, two))
    for a, b in zip(first, second, strict=True):
        assert a["step"] == b["step"]
        assert b["train_loss"] == pytest.approx(a["train_loss"], abs=0.05)
        assert b["valid_loss"] == pytest.approx(a["valid_loss"], abs=0.05)


def _ranks(job: Job) -> list[int]:
    """Process ids of this job's ranks, lowest first."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"openautoglm.train.distributed" in words and str(job.state / "job.json").encode() in words:
            found.append(int(path.parent.name))
    return sorted(found)
