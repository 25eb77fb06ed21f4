"""Following: every fault of store, release or disk leaves what is in service as it is, and is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from openautoglm.release import ReleaseStore
from openautoglm.release.messages import listed
from openautoglm.release.node import current, held
from openautoglm.serve import follow
from openautoglm.serve.follow import Change, Follower
from openautoglm.serve.live import LiveModel
from openautoglm.serve.puller import ChildPuller, Puller
from openautoglm.serve.report import Reporter
from tests.unit.serve.test_live import unfit
from tests.unit.serve.toys import TEXT, flip, publish


def follower(store: ReleaseStore, to: Path, keep: int = 4) -> Follower:
    to.mkdir(exist_ok=True)
    reporter = Reporter(store.storage, "node-1", "stable")
    return Follower(store, LiveModel(), Puller(store.url, to), keep=keep, reporter=reporter)


def took(change: Change | None) -> Change:
    assert change is not None
    return change


def test_it_goes_where_the_channel_goes(store: ReleaseStore, versions: list[Path], tmp_path: Path) -> None:
    node = follower(store, tmp_path / "node")
    assert node.step() is None
    assert "points at nothing yet" in str(node.trouble)
    first = publish(store, tmp_path, versions[0])
    change = took(node.step())
    assert (change.release, change.previous, change.route) == (first.id, None, "anchor")
    assert node.step() is None
    second = publish(store, tmp_path, versions[1])
    change = took(node.step())
    assert (change.accepted, change.release, change.previous) == (True, second.id, first.id)
    assert (change.route, change.fetched) == (
        "delta",
        second.weights.own.size + second.files["canary.json"].stored,
    )
    assert list(change.seconds) == list(follow.STEPS)
    assert json.loads(json.dumps(change.to_json()))["seconds"]["session"] > 0
    assert node.live.predict([TEXT]).release == second.id == current(node.to)
    store.rollback(reason="worse")
    change = took(node.step())
    assert (change.release, change.route, change.fetched, current(node.to)) == (first.id, "held", 0, first.id)
    assert node.trouble is None


def test_who_cannot_be_told_stops_nobody(store: ReleaseStore, versions: list[Path], tmp_path: Path) -> None:
    def gone(change: Change) -> None:
        raise BrokenPipeError

    node = follower(store, tmp_path / "node")
    node.on_change = gone
    for version in versions[:2]:
        release = publish(store, tmp_path, version)
        assert took(node.step()).accepted
        assert node.live.release == release.id


def test_a_corrupt_release_is_refused_and_taken_once_it_is_whole(
    store: ReleaseStore, versions: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = follower(store, tmp_path / "node")
    first = publish(store, tmp_path, versions[0])
    node.step()
    second = publish(store, tmp_path, versions[1])
    blob = Path(store.url) / "blobs" / second.weights.own.blob
    flip(blob)
    change = took(node.step())
    assert (change.accepted, change.release, change.previous) == (False, second.id, first.id)
    assert "other bytes than were published" in change.reason == node.trouble
    assert node.live.predict([TEXT]).release == first.id == current(node.to)
    assert node.step() is None, "not again at every poll"
    node.tell()
    assert not took(node.step()).accepted
    flip(blob)
    node.tell()
    assert took(node.step()).accepted
    assert (node.live.release, node.trouble) == (second.id, None)


def test_a_refused_release_is_tried_again_after_a_while(
    store: ReleaseStore, versions: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "PAUSE", 0.0)
    node = follower(store, tmp_path / "node")
    release = publish(store, tmp_path, versions[0])
    blob = Path(store.url) / "blobs" / release.weights.own.blob
    flip(blob)
    assert not took(node.step()).accepted
    assert not took(node.step()).accepted
    flip(blob)
    assert took(node.step()).accepted


@pytest.mark.parametrize("fault", ["unfit", "canary"])
def test_what_it_cannot_serve_it_does_not_take(
    fault: str, store: ReleaseStore, versions: list[Path], tmp_path: Path
) -> None:
    node = follower(store, tmp_path / "node")
    first = publish(store, tmp_path, versions[0])
    node.step()
    if fault == "unfit":
        bad = unfit(versions[1], tmp_path / "bad")
    else:
        bad = shutil.copytree(versions[1], tmp_path / "bad")
        (bad / "canary.json").write_text(json.dumps({"text": TEXT, "label": "nothing", "probability": 0.5}))
    second = publish(store, tmp_path, bad)
    change = took(node.step())
    expected = "does not fit this node" if fault == "unfit" else "answers its canary wrong"
    assert expected in change.reason
    assert node.live.predict([TEXT]).release == first.id == current(node.to)
    state = listed(store.storage)[0][0]
    assert (state.have.current, state.want.release) == (first.id, second.id)
    assert [(ack.release, ack.accepted) for ack in state.acks] == [(first.id, True), (second.id, False)]
    third = publish(store, tmp_path, versions[2])
    assert took(node.step()).release == third.id == node.live.release


def test_an_unreadable_store_and_a_full_disk_are_survived(
    store: ReleaseStore, versions: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = follower(store, tmp_path / "node")
    first = publish(store, tmp_path, versions[0])
    node.step()
    publish(store, tmp_path, versions[1])
    with monkeypatch.context() as patch:
        patch.setattr(store.storage, "read", lambda name: (_ for _ in ()).throw(ConnectionError("no route")))
        assert node.step() is None
        assert "cannot be read: ConnectionError" in str(node.trouble)
    with monkeypatch.context() as patch:
        patch.setattr(
            node.puller, "pull", lambda ref: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        assert "No space left" in took(node.step()).reason
    assert node.live.predict([TEXT]).release == first.id
    node.tell()
    assert took(node.step()).accepted


def test_one_flipped_bit_anywhere_in_the_store(
    store: ReleaseStore, versions: list[Path], tmp_path: Path
) -> None:
    node = follower(store, tmp_path / "node")
    first = publish(store, tmp_path, versions[0])
    node.step()
    publish(store, tmp_path, versions[1])
    assert store.verify() == []
    names = sorted(path for path in Path(store.url).rglob("*") if path.is_file() and path.name[0] != ".")
    assert {path.parent.name for path in names} == {"blobs", "channels", "log", "manifests", "nodes"}
    for path in names:
        flip(path)
        name = path.relative_to(store.url).as_posix()
        assert any(fault.startswith(f"{name}:") for fault in store.verify()), name
        fresh = follower(store, tmp_path / "copy")
        shutil.rmtree(fresh.to)
        shutil.copytree(node.to, fresh.to, symlinks=True)
        fresh.reporter = None
        assert fresh.resume() == first.id
        change = fresh.step()
        answered = fresh.live.predict([TEXT]).release
        assert answered == (change.release if change and change.accepted else first.id)
        assert (
            not (change and change.accepted) or path.parent.name in ("log", "nodes") or unread(path, first)
        ), name
        flip(path)
    assert store.verify() == []


def unread(path: Path, first: object) -> bool:
    """Files of the first release only: a node that holds it does not fetch them again."""
    return path.name == "v000001.json" or path.name in first.blobs()  # type: ignore[attr-defined]


def test_a_restart_resumes_without_the_store(
    store: ReleaseStore, versions: list[Path], tmp_path: Path
) -> None:
    node = follower(store, tmp_path / "node")
    first = publish(store, tmp_path, versions[0])
    node.step()
    shutil.rmtree(store.url)
    again = follower(store, node.to)
    assert again.resume() == first.id
    assert again.live.predict([TEXT]).release == first.id
    flip(node.to / "versions" / first.id / "model.safetensors")
    assert follower(store, node.to).resume() is None


def test_old_versions_go(store: ReleaseStore, versions: list[Path], tmp_path: Path) -> None:
    node = follower(store, tmp_path / "node", keep=1)
    first, second, third = (took(_publish_and_step(node, tmp_path, folder)).release for folder in versions)
    assert sorted(held(node.to)) == [first, third], "the anchor of the chain stays"
    assert second not in {path.name for path in (node.to / "versions").iterdir()}
    store.rollback(reason="worse")
    assert took(node.step()).release == second == node.live.release


def _publish_and_step(node: Follower, root: Path, folder: Path) -> Change | None:
    publish(node.store, root, folder)
    return node.step()


def test_a_pull_in_a_process_of_its_own(store: ReleaseStore, versions: list[Path], tmp_path: Path) -> None:
    to = tmp_path / "node"
    to.mkdir()
    puller = ChildPuller(store.url, to)
    node = Follower(store, LiveModel(), puller)
    first = publish(store, tmp_path, versions[0])
    assert took(node.step()).release == first.id
    assert puller._child
    puller._child.kill()
    puller._child.wait()
    second = publish(store, tmp_path, versions[1])
    flip(Path(store.url) / "blobs" / second.weights.own.blob)
    assert "other bytes than were published" in took(node.step()).reason, "an error arrives whole"
    flip(Path(store.url) / "blobs" / second.weights.own.blob)
    puller._child.kill()  # in the middle, as far as the parent can tell
    node.tell()
    changes = [node.step() for _ in range(2) if not node.tell()]  # type: ignore[func-returns-value]
    assert took(next(change for change in reversed(changes) if change)).accepted
    child = puller._child
    puller.close()
    assert child.poll() is not None
