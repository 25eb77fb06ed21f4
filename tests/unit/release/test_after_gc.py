"""A store whose old versions a gc removed: everything that reads it still works, and reads its log once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from openautoglm.commands import versions
from openautoglm.release import Release, ReleaseStore
from openautoglm.release.gc import collect, remove
from openautoglm.release.release import MANIFEST
from openautoglm.release.storage import Storage
from tests.unit.release.samples import candidate, publish_next


@pytest.fixture
def collected(tmp_path: Path) -> tuple[ReleaseStore, list[Release]]:
    """Five versions, of which the first three are gone; the fourth is an anchor."""
    store = ReleaseStore(tmp_path / "store")
    releases = [publish_next(store, tmp_path, step, anchor_every=3) for step in range(5)]
    remove(store, collect(store), "disk full")
    assert store.versions() == [4, 5]
    return store, releases


def listed(store: ReleaseStore) -> list[dict[str, object]]:
    done = CliRunner().invoke(versions.command, ["--store", store.url, "--json"], catch_exceptions=False)
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


def test_versions_are_listed(collected: tuple[ReleaseStore, list[Release]]) -> None:
    store, releases = collected
    rows = listed(store)
    assert [row["id"] for row in rows] == [release.id for release in releases[3:]]
    assert [row["state"] for row in rows] == ["previous", "in service"]
    assert all(row["published"] for row in rows)


def test_known_content_is_published_again(
    collected: tuple[ReleaseStore, list[Release]], tmp_path: Path
) -> None:
    store, releases = collected
    again = candidate(store, tmp_path, 4, name="again")
    assert store.publish(again, "stable", "again").id == releases[4].id
    assert store.channels_of(releases[4]) == {"stable"}


def test_a_candidate_comes_back_without_its_parent(
    collected: tuple[ReleaseStore, list[Release]], tmp_path: Path
) -> None:
    store, releases = collected
    store.restore(releases[3], tmp_path / "back")
    assert Release.load(tmp_path / "back" / MANIFEST) == releases[3]
    blobs = {path.name for path in (tmp_path / "back/blobs").iterdir()}
    assert blobs == set(releases[3].blobs()), "what it shared with the parent comes along"


def test_the_log_is_read_once_however_many_versions_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, reads = ReleaseStore(tmp_path / "store"), []
    for step in range(4):
        publish_next(store, tmp_path, step)
    plain = Storage.read
    monkeypatch.setattr(Storage, "read", lambda self, name: (reads.append(name), plain(self, name))[1])
    assert len(listed(store)) == 4
    assert sorted(name for name in reads if name.startswith("log/")) == [
        f"log/{n:06d}.json" for n in (1, 2, 3, 4)
    ]
    assert reads.count("channels/stable.json") == 1
