"""gc: shows first, removes what is behind the last anchor in use, and never what a publish under way may need."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from openautoglm.errors import ReleaseError, UnknownRelease
from openautoglm.release import ReleaseStore, pull
from openautoglm.release.candidate import contents
from openautoglm.release.gc import collect, remove
from tests.unit.release.samples import onnx, publish_next


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "store")


def test_nothing_to_do(store: ReleaseStore, tmp_path: Path) -> None:
    for step in range(3):
        publish_next(store, tmp_path, step)
    assert collect(store).names == ()


def test_versions_behind_the_anchor_go(store: ReleaseStore, tmp_path: Path) -> None:
    releases = [publish_next(store, tmp_path, step, anchor_every=3) for step in range(5)]  # 4 is an anchor
    before = contents(Path(store.url))
    plan = collect(store)
    assert contents(Path(store.url)) == before, "a plan touches nothing"
    assert plan.releases == tuple(release.id for release in releases[:3])
    assert plan.size > releases[0].weights.own.size
    remove(store, plan, "disk full")
    assert (store.versions(), store.verify()) == ([4, 5], [])
    assert store.log()[-1]["removed"] == list(plan.releases)
    with pytest.raises(UnknownRelease, match="v000004, v000005"):
        store.get(1)
    pull(store.url, tmp_path / "node")
    assert contents((tmp_path / "node/current").resolve()) == contents(onnx(tmp_path, 4))
    assert publish_next(store, tmp_path, 5).version == 6
    assert (store.verify(), collect(store).names) == ([], ())


def test_where_a_rollback_leads_stays(store: ReleaseStore, tmp_path: Path) -> None:
    releases = [publish_next(store, tmp_path, step, anchor_every=3) for step in range(7)]
    assert releases[6].weights.kind == "anchor"
    remove(store, collect(store), "disk full")
    assert store.versions() == [4, 5, 6, 7], "the parent of an anchor, with its chain"
    assert store.rollback(reason="wrong answers").id == releases[5].id


def test_what_a_channel_holds_stays_with_its_chain(store: ReleaseStore, tmp_path: Path) -> None:
    for step in range(5):
        publish_next(store, tmp_path, step, anchor_every=3)
    store.promote(2, "careful", "a slow customer")
    assert collect(store).names == ()
    store.promote(5, "careful", "caught up")
    assert len(collect(store).releases) == 3


def test_leftovers_go_once_they_are_old(store: ReleaseStore, tmp_path: Path) -> None:
    publish_next(store, tmp_path, 0)
    blobs = Path(store.url) / "blobs"
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    (blobs / digest).write_bytes(b"test")  # its publisher died before the manifest
    (blobs / ".half.x1").write_bytes(b"ha")
    assert collect(store).names == ()
    for name in (digest, ".half.x1"):
        os.utime(blobs / name, (time.time() - 90_000,) * 2)
    plan = collect(store)
    assert set(plan.names) == {f"blobs/{digest}", "blobs/.half.x1"}
    remove(store, plan, "tidy")
    assert (collect(store).names, store.verify()) == ((), [])


def test_a_damaged_store_is_left_alone(store: ReleaseStore, tmp_path: Path) -> None:
    for step in range(5):
        publish_next(store, tmp_path, step, anchor_every=3)
    (Path(store.url) / "manifests/v000005.json").write_text("{}")
    with pytest.raises(ReleaseError, match="nothing is removed"):
        collect(store)
