"""The bridge to DVC: what a stage read is what dvc.lock says it read, or it runs again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest
from dvc.repo import Repo

from tasks import stage
from tasks.lineage import read_of_inbox
from tasks.stage import InputChanged, ensure

ROOT = Path(__file__).parents[2]
STAGE = """stages:
  ingest:
    cmd: nobody starts this
    deps: [inbox]
    params: [ingest.through]
    outs: [corpus]
"""
TWO = STAGE + STAGE.partition("\n")[2].replace("ingest:", "other:").replace("corpus", "else")
FIRST = "0001-a-5ba7a52c.jsonl"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Repo.init(str(tmp_path), no_scm=True)
    (tmp_path / "dvc.yaml").write_text(STAGE)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / FIRST).write_text("one")
    return tmp_path


def pin(root: Path, through: str) -> None:
    path = root / "params.yaml"
    path.write_text(path.read_text().replace("through: null", f"through: {through}"))


def ingest(root: Path, meanwhile: Callable[[], object] = int) -> Callable[[], None]:
    def body() -> None:
        (root / "corpus").write_text(" ".join(path.name for path in sorted((root / "inbox").iterdir())))
        meanwhile()

    return body


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("what", ["params.yaml", "inbox"])
def test_an_input_that_changes_while_the_stage_runs(root: Path, what: str, force: bool) -> None:
    def meanwhile() -> None:
        pin(root, FIRST) if what == "params.yaml" else (root / "inbox/0002-b-5ba7a52d.jsonl").touch()

    if force:
        assert ensure("ingest", ingest(root), root=root) == "ran"
    with pytest.raises(InputChanged, match=what):
        ensure("ingest", ingest(root, meanwhile), root=root, force=force)
    assert ensure("ingest", ingest(root), root=root) == "ran", (
        "no cache holds what was made of something else"
    )
    assert ensure("ingest", ingest(root), root=root) == "cached"
    names = " ".join(path.name for path in sorted((root / "inbox").iterdir()))
    assert (root / "corpus").read_text() == names


def test_a_batch_behind_the_pin_is_no_input(root: Path) -> None:
    pin(root, FIRST)
    later = root / "inbox/0002-b-5ba7a52d.jsonl"
    assert ensure("ingest", ingest(root, later.touch), root=root, reads=lambda: read_of_inbox(root)) == "ran"
    rewrite = ingest(root, lambda: (root / "inbox" / FIRST).write_text("another"))
    with pytest.raises(InputChanged, match="inbox"):
        ensure("ingest", rewrite, root=root, reads=lambda: read_of_inbox(root), force=True)


def test_it_is_tried_again() -> None:
    from prefect.states import Failed

    from flows.steps import is_transient

    assert is_transient(None, None, Failed(data=InputChanged("ingest: inbox changed while it ran")))


@pytest.mark.parametrize("left", ["", '{"write": {"/a/b'])
def test_a_process_killed_while_it_wrote_dvcs_list_of_users_stops_nobody(root: Path, left: str) -> None:
    (root / ".dvc/tmp").mkdir(exist_ok=True)
    (root / ".dvc/tmp/rwlock").write_text(left)
    assert ensure("ingest", ingest(root), root=root, wait=5) == "ran"
    assert ensure("ingest", ingest(root), root=root, wait=5) == "cached"


@pytest.mark.parametrize("left", [0.0, 0.03, 0.3, 0.6, 0.9, 0.98])
def test_dvc_repro_killed_while_it_wrote_dvc_lock_stops_nobody(root: Path, left: float) -> None:
    assert ensure("ingest", ingest(root), root=root) == "ran"
    lock, made = root / "dvc.lock", (root / "corpus").read_text()
    whole = lock.read_text()
    lock.write_text(whole[: round(left * len(whole))].rstrip("\n"))
    assert ensure("ingest", ingest(root), root=root, wait=5) in ("restored", "cached")
    assert (lock.read_text(), (root / "corpus").read_text()) == (whole, made)


KILLED_AT_THE_LOCK = """
import os, signal
from pathlib import Path
from tasks.stage import ensure
fsync = os.fsync
def killed(handle):
    if "dvc.lock" in os.readlink(f"/proc/self/fd/{handle}"):
        os.ftruncate(handle, os.fstat(handle).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(handle)
os.fsync = killed
ensure("ingest", lambda: Path("corpus").write_text("other"), root=Path())
"""


def test_dvc_lock_is_written_whole_or_not_at_all(root: Path) -> None:
    assert ensure("ingest", ingest(root), root=root) == "ran"
    before = (root / "dvc.lock").read_bytes()

    pin(root, FIRST)
    script, env = [sys.executable, "-c", KILLED_AT_THE_LOCK], os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run(script, cwd=root, env=env).returncode == -signal.SIGKILL
    left = list(root.glob(".dvc.lock.*"))
    assert left, "it had begun to write"
    assert (root / "dvc.lock").read_bytes() == before
    (root / "dvc.lock").unlink()  # what the killed one left beside it is nobody's dvc.lock
    assert ensure("ingest", ingest(root), root=root) in ("ran", "restored")
    assert f"ingest.through: {FIRST}" in (root / "dvc.lock").read_text()
    assert list(root.glob(".dvc.lock.*")) == left


def test_dvc_lock_is_spelt_as_dvc_spells_it(tmp_path: Path) -> None:
    """Read by the faster of DVC's parsers, with all that a param may be."""
    values = {
        "numbers": [1, -2.5, 1e-05, 1.0e-3, 0.0001, 3e20, 10**18],
        "words": ["", "null", "true", "1e-05", "2024-01-01", "a: b", "ünï 🙂", "x" * 200, "#", "'", "~"],
        "others": {"none": None, "no": False, "empty": {}, "list": [], "nested": [{"a": [1]}]},
    }
    ours, theirs = tmp_path / "ours/dvc.lock", tmp_path / "theirs/dvc.lock"
    for step in ({"schema": "2.0", "stages": {"a": values}}, {"stages": {"a": values, "b": {"cmd": "x"}}}):
        for path, modified in ((ours, stage.dvc.dvcfile.modify_yaml), (theirs, stage._modify)):
            path.parent.mkdir(exist_ok=True)
            path.touch()
            with modified(str(path)) as data:
                data.update(step)
        assert ours.read_text() == theirs.read_text()


def test_dvc_lock_has_the_stages_in_their_order_whichever_was_through_first(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    for name in ("unknown", "export", "evaluate", "code"):
        with stage.dvc.dvcfile.modify_yaml(str(lock)) as data:
            data.setdefault("stages", {})[name] = {"cmd": name}

    assert re.findall(r"cmd: (.*)", lock.read_text()) == ["code", "evaluate", "export", "unknown"]


def test_stages_side_by_side_wait_for_each_other_in_dvcs_part_alone(root: Path) -> None:
    (root / "dvc.yaml").write_text(TWO)
    meet = Barrier(2)

    def body(out: str) -> Callable[[], None]:
        def run() -> None:
            meet.wait(timeout=20)  # broken where one of them waits for the other's body
            (root / out).write_text("made")

        return run

    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(ensure, *given, root=root)
            for given in (("ingest", body("corpus")), ("other", body("else")))
        ]
        assert [one.result() for one in both] == ["ran", "ran"]
    assert [ensure(name, int, root=root) for name in ("ingest", "other")] == ["cached", "cached"]


def test_what_one_reads_stays_locked_when_the_one_beside_it_is_through(root: Path) -> None:
    (root / "dvc.yaml").write_text(TWO)
    meet, through, reads = Barrier(2), Event(), dict[str, dict[str, object]]()

    def first() -> None:
        meet.wait(timeout=20)
        (root / "corpus").write_text("made")

    def second() -> None:
        meet.wait(timeout=20)
        assert through.wait(timeout=20)
        reads.update(json.loads((root / ".dvc/tmp/rwlock").read_text()))
        (root / "else").write_text("made")

    with ThreadPoolExecutor(2) as pool:
        both = (
            pool.submit(ensure, "ingest", first, root=root),
            pool.submit(ensure, "other", second, root=root),
        )
        assert both[0].result() == "ran"
        through.set()
        assert both[1].result() == "ran"
    assert str(root / "inbox") in reads["read"], "or `dvc repro` elsewhere may take it away"
