"""The store: publishing is atomic and idempotent, a loser is told, a rollback keeps everything, faults are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openautoglm.errors import Conflict, Corrupt, ReleaseError, UnknownRelease
from openautoglm.release import Release, ReleaseStore, materialise
from openautoglm.release.candidate import contents
from openautoglm.release.release import files_fingerprint, release_id, seal
from tests.unit.release.samples import candidate, onnx, publish_next


def flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "store")


def test_first_is_an_anchor_then_deltas_and_an_anchor_again(store: ReleaseStore, tmp_path: Path) -> None:
    releases = [publish_next(store, tmp_path, step, anchor_every=3) for step in range(4)]
    assert [release.weights.kind for release in releases] == ["anchor", "delta", "delta", "anchor"]
    assert [release.version for release in releases] == store.versions() == [1, 2, 3, 4]
    assert [release.parent for release in releases] == [None, *(release.id for release in releases[:3])]
    assert releases[2].weights.chain[0].release == releases[0].id
    assert len(releases[3].weights.chain) == 1
    assert store.verify() == []


def test_every_version_comes_back_bit_for_bit(store: ReleaseStore, tmp_path: Path) -> None:
    releases = [publish_next(store, tmp_path, step) for step in range(4)]
    for step, release in enumerate(releases):
        home = materialise(store, release, tmp_path / f"out{step}")
        assert contents(home) == contents(tmp_path / f"onnx{step}")


def test_a_delta_costs_a_fraction_and_small_files_are_shared(store: ReleaseStore, tmp_path: Path) -> None:
    first, second = (publish_next(store, tmp_path, step) for step in range(2))
    assert second.weights.own.size < first.weights.own.size / 3
    assert second.files == first.files
    assert len(store.storage.names("blobs")) == len(first.files) + 2


def test_the_same_candidate_twice_is_one_release(store: ReleaseStore, tmp_path: Path) -> None:
    first = publish_next(store, tmp_path, 0)
    again = candidate(store, tmp_path, 0)  # built afresh on the new head: same content, same fingerprint
    assert store.publish(again, "stable", "again") == first
    assert (store.versions(), len(store.log())) == ([1], 1)


def test_candidates_are_deterministic(store: ReleaseStore, tmp_path: Path) -> None:
    publish_next(store, tmp_path, 0)
    one = contents(candidate(store, tmp_path, 1))
    assert one == contents(candidate(store, tmp_path, 1))


def test_a_candidate_built_on_an_older_head_is_refused(store: ReleaseStore, tmp_path: Path) -> None:
    publish_next(store, tmp_path, 0)
    mine = candidate(store, tmp_path, 1, name="mine")
    publish_next(store, tmp_path, 2)
    with pytest.raises(Conflict, match="run the publish stage again"):
        store.publish(mine, "stable", "late")
    assert store.versions() == [1, 2]
    assert store.verify() == []


def test_rollback_is_a_pointer_and_a_line(store: ReleaseStore, tmp_path: Path) -> None:
    first, second = (publish_next(store, tmp_path, step) for step in range(2))
    with pytest.raises(ReleaseError, match="needs a reason"):
        store.rollback()
    assert store.rollback(reason="answers in French") == first
    assert store.head() == first
    entry = store.log()[-1]
    assert (entry["kind"], entry["from"], entry["to"], entry["why"]) == (
        "rollback",
        second.id,
        first.id,
        "answers in French",
    )
    assert {"who", "when"} <= entry.keys()
    # what was rolled back stays out until somebody says otherwise
    assert store.publish(candidate(store, tmp_path, 1), "stable", "nightly") == second
    assert store.head() == first
    third = publish_next(store, tmp_path, 2)
    assert (third.version, third.parent) == (3, first.id)
    assert store.rollback("v000002", reason="it was fine") == second
    store.rollback(first.id, reason="x")
    with pytest.raises(UnknownRelease, match="first release"):
        store.rollback(reason="x")


def test_a_rejection_is_logged_once_and_nothing_else_happens(store: ReleaseStore, tmp_path: Path) -> None:
    first = publish_next(store, tmp_path, 0)
    refused = candidate(store, tmp_path, 1, gates=[{"name": "accuracy", "passed": False}])
    for _ in range(2):
        store.reject(refused, "stable", "refused by accuracy")
    entry = store.log()[-1]
    assert (len(store.log()), entry["kind"], entry["gates"][0]["name"]) == (2, "rejection", "accuracy")
    assert (store.versions(), store.head()) == ([1], first)


def test_get_by_version_id_and_channel(store: ReleaseStore, tmp_path: Path) -> None:
    first, second = (publish_next(store, tmp_path, step) for step in range(2))
    assert store.get(1) == store.get("1") == store.get("v000001") == store.get(first.id) == first
    assert store.get("stable") == store.head() == second
    assert store.head("beta") is None
    assert store.promote(1, "beta", "try it") == store.get("beta") == first
    for unknown in ("v000009", 7, "v000001-000000000000", "nightly", "../x", ""):
        with pytest.raises(UnknownRelease, match="v000001, v000002"):
            store.get(unknown)


def test_an_empty_store_says_so(store: ReleaseStore) -> None:
    assert (store.head(), store.versions(), store.verify()) == (None, [], [])
    with pytest.raises(UnknownRelease, match="none yet"):
        store.get("v000001")
    assert not Path(store.url).exists()


def test_one_flipped_bit_in_any_file_is_named(store: ReleaseStore, tmp_path: Path) -> None:
    for step in range(3):
        publish_next(store, tmp_path, step)
    files = [path for path in Path(store.url).rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert len(files) > 10
    newest = max(path for path in files if path.parent.name == "log")
    for path in files:
        sound = path.read_bytes()
        for place in (0, len(sound) // 2, len(sound) - 1):
            path.write_bytes(flipped(sound, place))
            assert any(path.name in fault for fault in store.verify()), path
        path.unlink()  # a log that ends early cannot be told from one that is not written yet
        assert path == newest or any(path.name in fault for fault in store.verify()), path
        path.write_bytes(sound)
    assert store.verify() == []


def test_a_manifest_that_names_paths_is_refused(store: ReleaseStore, tmp_path: Path) -> None:
    release = publish_next(store, tmp_path, 0)
    value = json.loads(release.manifest())
    value.pop("seal")
    for name in ("../evil", "/etc/passwd", "a/../../b", "a\\b", "C:x", "a//b", ".", "x\n"):
        bad = {**value, "files": {**value["files"], name: next(iter(value["files"].values()))}}
        contents_of = {n: f["sha256"] for n, f in bad["files"].items()} | {
            "model.safetensors": value["weights"]["sha256"]
        }
        bad["fingerprint"] = files_fingerprint(contents_of)
        bad["id"] = release_id(1, bad["fingerprint"])
        bad["weights"] = {
            **value["weights"],
            "chain": [{**value["weights"]["chain"][0], "release": bad["id"]}],
        }
        with pytest.raises(Corrupt, match="no plain relative path"):
            Release.parse(seal(bad), "manifest")


def test_memory_store(tmp_path: Path) -> None:
    store = ReleaseStore("memory://releases-of-a-test")
    first, second = (publish_next(store, tmp_path, step) for step in range(2))
    assert (store.versions(), store.head(), store.verify()) == ([1, 2], second, [])
    assert contents(materialise(store, first, tmp_path / "out")) == contents(onnx(tmp_path, 0))


def test_a_damaged_candidate_is_not_published(store: ReleaseStore, tmp_path: Path) -> None:
    folder = candidate(store, tmp_path, 0)
    blob = max((folder / "blobs").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(flipped(blob.read_bytes(), -1))
    with pytest.raises(Corrupt, match="is not the blob"):
        store.publish(folder, "stable", "x")
    blob.unlink()
    with pytest.raises(Corrupt, match="neither in the candidate nor"):
        store.publish(folder, "stable", "x")
    assert (store.versions(), store.head()) == ([], None)
