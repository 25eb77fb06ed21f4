"""One bit flipped anywhere in any file of a store: `autoglm verify` names the file, and a node serves only what is right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openautoglm import cli
from openautoglm.errors import AutoGLMError
from openautoglm.release import Release, ReleaseStore, pull
from openautoglm.release.candidate import contents
from openautoglm.release.messages import Hello, NodeState, record
from openautoglm.release.node import current
from openautoglm.release.signature import KEY_ENV, Trust, write_keys
from tests.unit.release.samples import candidate, onnx, publish_next


@dataclass(frozen=True)
class World:
    """A signed store of four releases, a rejection and a node's file; a node that serves the first one."""

    root: Path
    store: ReleaseStore
    trust: Trust
    releases: tuple[Release, ...]

    def files(self) -> list[Path]:
        found = sorted(Path(self.store.url).rglob("*"))
        return [path for path in found if path.is_file() and not path.name.startswith(".")]

    def needed(self) -> set[str]:
        """What a node must read to get from the first release to the last; damage there cannot go unnoticed."""
        last = self.releases[-1]
        assert last.weights.catchup, "the node below takes the catch-up delta"
        return {"stable.json", f"v{last.version:06d}.json", f"v{last.version:06d}.sig"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("world")
    write_keys(root / "team.key")
    trust = Trust.load([root / "team.key.pub"])
    assert trust
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_ENV, str(root / "team.key"))
        store = ReleaseStore(root / "store")
        releases = [publish_next(store, root, 0)]
        pull(store.url, root / "node", trust=trust)
        releases += [publish_next(store, root, step) for step in (1, 2, 3)]
        refused = candidate(store, root, 4, gates=[{"name": "accuracy", "passed": False}])
        store.reject(refused, "stable", "refused by accuracy")
        hello = Hello("host", "1", 1, 1, "stable", "2026-01-01T00:00:00+00:00")
        record(store.storage, NodeState("node-1", hello))
        assert store.verify() == []
        yield World(root, store, trust, tuple(releases))


def examine(world: World, path: Path, bit: int) -> None:
    sound = path.read_bytes()
    bit %= len(sound) * 8
    damaged = bytearray(sound)
    damaged[bit // 8] ^= 1 << bit % 8
    node = world.root / "again"
    shutil.rmtree(node, ignore_errors=True)
    shutil.copytree(world.root / "node", node, symlinks=True)
    path.write_bytes(damaged)
    try:
        faults = world.store.verify()
        assert any(path.name in fault for fault in faults), (path.name, bit, faults)
        try:
            pull(world.store.url, node, trust=world.trust)
            refused = False
        except AutoGLMError:
            refused = True
    finally:
        path.write_bytes(sound)
    first, last = world.releases[0], world.releases[-1]
    assert refused or path.name not in world.needed(), (path.name, bit)
    # refused: what was served is served; not refused: the damage was beside the way, and what came is right
    assert current(node) == (first.id if refused else last.id)
    assert contents((node / "current").resolve()) == contents(onnx(world.root, 0 if refused else 3))


def test_at_both_ends_of_every_file(world: World) -> None:
    files = world.files()
    assert {path.parent.name for path in files} == {"blobs", "channels", "log", "manifests", "nodes"}
    for path in files:
        for bit in (0, -1):
            examine(world, path, bit)
    assert world.store.verify() == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.integers(0, 1 << 40))
def test_anywhere(world: World, file: int, bit: int) -> None:
    files = world.files()
    examine(world, files[file % len(files)], bit)


@pytest.mark.slow
def test_every_bit_of_what_a_node_reads_first(world: World) -> None:
    for path in world.files():
        if path.name in world.needed():
            for bit in range(0, path.stat().st_size * 8, 3 if path.suffix == ".json" else 1):
                examine(world, path, bit)


def test_a_delta_that_is_damaged_on_the_only_way_is_refused(world: World, tmp_path: Path) -> None:
    """From nothing there is one anchor; without it no way leads anywhere."""
    anchor = Path(world.store.url) / "blobs" / world.releases[0].weights.own.blob
    sound = anchor.read_bytes()
    anchor.write_bytes(sound[:-1] + bytes([sound[-1] ^ 128]))
    try:
        with pytest.raises(AutoGLMError):
            pull(world.store.url, tmp_path / "new", trust=world.trust)
        assert current(tmp_path / "new") is None
    finally:
        anchor.write_bytes(sound)


def test_the_command_names_the_file(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(world.store.url) / "blobs" / world.releases[2].weights.own.blob
    sound = path.read_bytes()
    path.write_bytes(bytes([sound[0] ^ 4]) + sound[1:])
    try:
        with pytest.raises(SystemExit) as caught:
            cli.main(["verify", "--store", world.store.url])
        assert caught.value.code == 1
        assert path.name in capsys.readouterr().err
    finally:
        path.write_bytes(sound)
