"""The training lease between real processes: who dies is followed at once, who slept through it publishes nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from project import ToyProject

from openautoglm.errors import Conflict
from openautoglm.loop import LeaseLost, hold
from openautoglm.loop.database import writing
from openautoglm.loop.lease import holder_of
from openautoglm.release import ReleaseStore
from tests.unit.release.samples import candidate, publish_next

LEDGER = ".autoglm/ledger.db"
ROOT = Path(__file__).parents[2]
# holds the lease, publishes when told to, and says what became of it
HOLDER = """
import sys
from pathlib import Path
from openautoglm.errors import AutoGLMError
from openautoglm.loop import hold
from openautoglm.release import ReleaseStore
with hold(Path(sys.argv[1]), sys.argv[4], life=1.0, beat=0.2) as lease:
    print("held", lease.token, flush=True)
    sys.stdin.readline()
    try:
        print(ReleaseStore(sys.argv[2]).publish(Path(sys.argv[3]), fence=lease.token).id, flush=True)
    except AutoGLMError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
"""
Eventually = Callable[..., None]


def start(path: Path, store: ReleaseStore, folder: Path, name: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HOLDER, str(path), store.url, str(folder), name]
    process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("held")
    return process


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    found = ReleaseStore(tmp_path / "store")
    publish_next(found, tmp_path, 0)
    return found


def test_a_killed_holder_is_followed_at_once(tmp_path: Path, store: ReleaseStore) -> None:
    path = tmp_path / "ledger.db"
    holder = start(path, store, candidate(store, tmp_path, 1), "first")
    assert holder_of(path) == "first"
    with pytest.raises(LeaseLost, match="first is training"), hold(path, "second", wait=0.3):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    began = time.monotonic()
    with hold(path, "second", life=1.0) as lease:
        assert time.monotonic() - began < 0.5, "not only when its time is over"
        assert lease.token == 2


def test_a_holder_that_slept_through_its_lease_publishes_nothing(tmp_path: Path, store: ReleaseStore) -> None:
    path = tmp_path / "ledger.db"
    mine, yours = (
        candidate(store, tmp_path, number, name=name) for number, name in ((1, "mine"), (2, "yours"))
    )
    sleeper = start(path, store, mine, "sleeper")
    sleeper.send_signal(signal.SIGSTOP)
    with hold(path, "second", life=5.0) as lease:
        published = store.publish(yours, fence=lease.token)
        sleeper.send_signal(signal.SIGCONT)
        said, _ = sleeper.communicate("now\n", timeout=30)

    assert said.startswith("Conflict")
    assert store.head() == published
    assert store.verify() == []


def test_the_fence_holds_where_the_pointer_did_not_move_on(tmp_path: Path, store: ReleaseStore) -> None:
    """The sleeper's candidate is on top of the head: only its token says that it is too late."""
    later = store.publish(candidate(store, tmp_path, 1), fence=7)
    store.rollback(reason="the sleeper's base is the head again")
    second = candidate(store, tmp_path, 2)
    with pytest.raises(Conflict, match="later training lease"):
        store.publish(second, fence=6)
    assert later.parent == store.head().id  # type: ignore[union-attr]


def test_a_run_that_lost_its_lease_stops_before_its_next_stage(
    toy: ToyProject, eventually: Eventually
) -> None:
    (toy.root / "fault").write_text("slow")  # the toy's ingest waits as long as this says so
    run = toy.start(sys.executable, "-m", "flows.pipeline")
    eventually(lambda: _at_ingest(toy), 90)
    with writing(toy.root / LEDGER) as database:  # as if it had slept for longer than its lease lasts
        database.execute("UPDATE lease SET until = 0")
    with hold(toy.root / LEDGER, "another run"):
        (toy.root / "fault").unlink()
        said, _ = run.communicate(timeout=60)

    assert run.returncode == 1
    assert said.splitlines()[-1].startswith("error: the training lease went from this run to another run")
    assert (toy.root / "data/corpus").is_dir(), "the stage that it was at ended"
    assert not (toy.root / "data/validated").exists()
    assert not (toy.root / "releases").exists()


def _at_ingest(toy: ToyProject) -> bool:
    """Whether DVC keeps others away from what ingest writes."""
    path = toy.root / ".dvc/tmp/rwlock"
    return path.is_file() and "data/corpus" in path.read_text()
