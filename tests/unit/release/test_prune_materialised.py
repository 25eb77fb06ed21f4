"""Beside a publisher: releases that no next run needs go, and what a killed run left."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from openautoglm.errors import Corrupt
from openautoglm.release import ReleaseStore, materialise
from openautoglm.release.candidate import contents
from openautoglm.release.prune import prune_materialised
from tests.unit.release.samples import publish_next


def test_head_parent_and_anchor_stay(tmp_path: Path) -> None:
    store, folder = ReleaseStore(tmp_path / "store"), tmp_path / "parents"
    assert prune_materialised(folder, store, "stable") == []
    releases = [publish_next(store, tmp_path, step, anchor_every=3) for step in range(6)]
    for release in releases:
        materialise(store, release, folder / release.id)
    (folder / ".fresh.x1").mkdir()
    for name in (".killed.x1", "tmpk1ll3d", f".{releases[0].id}.fetch"):
        (folder / name).mkdir()
        (folder / name / "model.safetensors").write_bytes(b"half")
        os.utime(folder / name, (time.time() - 7200,) * 2)
    (folder / "notes.txt").write_text("mine")
    gone = prune_materialised(folder, store, "stable", keep=[releases[1].id])
    head = releases[5]
    assert (head.parent, head.weights.chain[0].release) == (releases[4].id, releases[3].id)
    left = {path.name for path in folder.iterdir()}
    assert left == {releases[n].id for n in (1, 3, 4, 5)} | {".fresh.x1", "notes.txt"}
    assert len(gone) == 5
    assert publish_next(store, tmp_path, 6, anchor_every=3).version == 7
    assert materialise(store, head, folder / head.id).is_dir()


def test_after_a_rollback_what_is_in_service_counts(tmp_path: Path) -> None:
    store, folder = ReleaseStore(tmp_path / "store"), tmp_path / "parents"
    releases = [publish_next(store, tmp_path, step) for step in range(3)]
    for release in releases:
        materialise(store, release, folder / release.id)
    store.rollback(2, "stable", "wrong answers")
    assert prune_materialised(folder, store, "stable") == [releases[2].id]


def test_from_an_earlier_one_that_lies_there_only_the_delta_is_read(tmp_path: Path) -> None:
    store, folder = ReleaseStore(tmp_path / "store"), tmp_path / "parents"
    first, second = (publish_next(store, tmp_path, step) for step in range(2))
    known = {first.id: materialise(store, first, folder / first.id)}
    anchor = tmp_path / "store/blobs" / first.weights.own.blob
    kept = anchor.read_bytes()
    anchor.unlink()
    home = materialise(store, second, folder / second.id, known)
    assert contents(home) == contents(tmp_path / "onnx1")
    # one that was damaged since is not built on: the store is
    (known[first.id] / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(Corrupt, match="the store has none"):
        materialise(store, second, folder / "again", known)
    anchor.write_bytes(kept)
    assert contents(materialise(store, second, folder / "again", known)) == contents(home)
