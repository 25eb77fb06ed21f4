"""A node: bit-exact, moves few bytes, goes on after a kill, and never serves what it could not verify."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openautoglm.errors import Corrupt, UnknownRelease
from openautoglm.release import Release, ReleaseStore, pull
from openautoglm.release.candidate import contents
from openautoglm.release.node import current, held
from tests.unit.release.samples import onnx, publish_next

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "store")


def served(node: Path) -> dict[str, str]:
    return contents((node / "current").resolve())


def test_pull_follows_the_channel(store: ReleaseStore, tmp_path: Path) -> None:
    node, previous = tmp_path / "node", None
    for step, route in enumerate(["anchor", "delta", "delta"]):
        release = publish_next(store, tmp_path, step)
        pulled = pull(store.url, node)
        assert (pulled.release, pulled.route, pulled.previous) == (release, route, previous)
        assert served(node) == contents(onnx(tmp_path, step))
        previous = release.id
    assert len(held(node)) == 3
    again = pull(store.url, node)
    assert (again.route, again.fetched) == ("held", 0)
    assert not (node / "fetch").exists()
    assert again.to_json().keys() >= {"release", "path", "route", "fetched", "seconds", "previous"}


def test_a_delta_is_all_that_moves(store: ReleaseStore, tmp_path: Path) -> None:
    publish_next(store, tmp_path, 0)
    pull(store.url, tmp_path / "node")
    release = publish_next(store, tmp_path, 1)
    assert pull(store.url, tmp_path / "node").fetched == release.weights.own.size


def test_a_node_that_missed_versions_takes_the_cheapest_way(store: ReleaseStore, tmp_path: Path) -> None:
    first = publish_next(store, tmp_path, 0)
    pull(store.url, tmp_path / "node")
    for step in (1, 2, 3):
        release = publish_next(store, tmp_path, step)
    assert release.weights.catchup
    pulled = pull(store.url, tmp_path / "node")
    assert (pulled.route, pulled.fetched) == ("catch-up", release.weights.catchup.size)
    fresh = pull(store.url, tmp_path / "fresh")
    small = sum(stored.stored for stored in release.files.values())
    assert fresh.fetched == first.weights.own.size + release.weights.catchup.size + small
    assert served(tmp_path / "node") == served(tmp_path / "fresh") == contents(onnx(tmp_path, 3))


def test_rollback_reaches_nodes_without_a_byte(store: ReleaseStore, tmp_path: Path) -> None:
    first, second = (publish_next(store, tmp_path, step) for step in range(2))
    for ref in (first.id, None):
        pull(store.url, tmp_path / "node", ref=ref)
    assert current(tmp_path / "node") == second.id
    store.rollback(reason="worse in the field")
    pulled = pull(store.url, tmp_path / "node")
    assert (pulled.release.id, pulled.fetched, current(tmp_path / "node")) == (first.id, 0, first.id)


def test_rollback_and_the_switch_back_read_no_weights_of_the_store(
    store: ReleaseStore, tmp_path: Path
) -> None:
    """The pointer and a manifest are all that they need; the weights are where nobody finds them."""
    node, (first, second) = tmp_path / "node", (publish_next(store, tmp_path, step) for step in range(2))
    for ref in (first.id, None):
        pull(store.url, node, ref=ref)
    (Path(store.url) / "blobs").rename(tmp_path / "elsewhere")
    before = os.times()
    said = subprocess.run(
        [sys.executable, "-m", "openautoglm.cli", "rollback", "--store", store.url, "--reason", "worse"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    after = os.times()

    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent < 1.5, "CPU seconds of the command, its start included"
    assert said == f"stable: {second.id} -> {first.id}\n"
    pulled = pull(store.url, node)
    assert (pulled.route, pulled.fetched, current(node)) == ("held", 0, first.id)
    assert served(node) == contents(onnx(tmp_path, 0))
    with pytest.raises(Corrupt):  # a node that never held it does need them
        pull(store.url, tmp_path / "other")


def test_unknown_versions_and_empty_channels(store: ReleaseStore, tmp_path: Path) -> None:
    with pytest.raises(UnknownRelease, match="points at nothing"):
        pull(store.url, tmp_path / "node")
    publish_next(store, tmp_path, 0)
    with pytest.raises(UnknownRelease, match="there are v000001"):
        pull(store.url, tmp_path / "node", ref="v000004")
    assert not (tmp_path / "node").exists()


def test_a_damaged_blob_is_refused_and_the_old_version_stays(store: ReleaseStore, tmp_path: Path) -> None:
    first, node = publish_next(store, tmp_path, 0), tmp_path / "node"
    pull(store.url, node)
    release = publish_next(store, tmp_path, 1)
    blob = Path(store.url) / "blobs" / release.weights.own.blob
    sound = blob.read_bytes()
    blob.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    with pytest.raises(Corrupt, match="other bytes than were published"):
        pull(store.url, node)
    assert current(node) == first.id
    assert served(node) == contents(onnx(tmp_path, 0))
    blob.write_bytes(sound)
    assert pull(store.url, node).release == release


def test_a_damaged_held_version_is_not_built_on(store: ReleaseStore, tmp_path: Path) -> None:
    first, node = publish_next(store, tmp_path, 0), tmp_path / "node"
    pull(store.url, node)
    release = publish_next(store, tmp_path, 1)
    weights = node / "versions" / first.id / "model.safetensors"
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    pulled = pull(store.url, node)
    assert (pulled.release, pulled.route) == (release, "anchor")
    # and one that is asked for again is repaired
    repaired = pull(store.url, node, ref=first.id)
    assert repaired.route != "held"
    assert weights.read_bytes() == sound


def test_a_download_goes_on_where_it_stopped(store: ReleaseStore, tmp_path: Path) -> None:
    release, node = publish_next(store, tmp_path, 0), tmp_path / "node"
    whole = (Path(store.url) / "blobs" / release.weights.own.blob).read_bytes()
    part = node / "fetch" / f"{release.weights.own.blob}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(whole[: len(whole) // 2])
    small = sum(stored.stored for stored in release.files.values())
    assert pull(store.url, node).fetched == len(whole) - len(whole) // 2 + small


def test_a_bad_part_of_an_earlier_try_costs_one_more_fetch(store: ReleaseStore, tmp_path: Path) -> None:
    release, node = publish_next(store, tmp_path, 0), tmp_path / "node"
    part = node / "fetch" / f"{release.weights.own.blob}.part"
    part.parent.mkdir(parents=True)
    for left in (b"not the beginning of it", bytes(10 * release.weights.own.size)):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(left)
        pull(store.url, node)
        assert served(node) == contents(onnx(tmp_path, 0))


def test_prefetch_does_not_switch(store: ReleaseStore, tmp_path: Path) -> None:
    publish_next(store, tmp_path, 0)
    assert pull(store.url, tmp_path / "node", switch=False).path.is_dir()
    assert current(tmp_path / "node") is None


def test_a_manifest_on_the_node_that_was_altered_is_not_trusted(store: ReleaseStore, tmp_path: Path) -> None:
    first, node = publish_next(store, tmp_path, 0), tmp_path / "node"
    pull(store.url, node)
    manifest = node / "manifests" / f"{first.id}.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"version": 1', b'"version": 2'))
    assert held(node) == {}
    release: Release = publish_next(store, tmp_path, 1)
    assert pull(store.url, node).release == release


MATERIALISE = """
import sys
import subprocess
import sys
from pathlib import Path
from openautoglm.release import ReleaseStore, materialise
store = ReleaseStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
materialise(store, store.get(1), Path(sys.argv[2]))
"""


def test_several_processes_may_write_out_the_same_release(store: ReleaseStore, tmp_path: Path) -> None:
    release = publish_next(store, tmp_path, 0)
    for turn in range(3):
        to, pipe = tmp_path / f"parents{turn}" / release.id, subprocess.PIPE
        command = [sys.executable, "-c", MATERIALISE, store.url, str(to)]
        started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("now\n")
            process.stdin.flush()
        assert [process.wait(60) for process in started] == [0, 0, 0]
        assert contents(to) == contents(onnx(tmp_path, 0))
        assert [path.name for path in to.parent.iterdir()] == [release.id]
