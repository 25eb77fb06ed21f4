"""A source that others drop batches into: each comes into the inbox once, whole, and in order of arrival."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from openautoglm.corpus import inbox as boxes
from openautoglm.corpus import mirror as mirrors
from openautoglm.corpus.mirror import FILE, Mirrored, mirror
from openautoglm.corpus.redact import take_out
from openautoglm.errors import SourceError
from openautoglm.params import IngestParams
from tests.unit.corpus.toy_rows import drop, row

Mirror = Callable[..., Mirrored]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


@pytest.fixture
def look(url: str, inbox: Path, tmp_path: Path, ingest_params: IngestParams) -> Mirror:
    def once(source: str = url, pause: float = 0.0) -> Mirrored:
        return mirror(source, inbox, tmp_path / "scratch", ingest_params.columns, pause)

    return once


def test_each_once_in_order_of_arrival_and_nothing_that_is_no_batch(
    url: str, look: Mirror, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look() == Mirrored([], [], []), "nothing came yet"
    drop(url, "z.jsonl", row("z"))
    drop(url, "day/train.jsonl", row("d1"), tick=False)
    drop(url, "day/test.jsonl", row("d2"))
    drop(url, "a.csv", b"id,text,label\n1,one,x\n")
    drop(url, "copy of z.jsonl", row("z"))
    for name in (".hidden.jsonl", "_later.jsonl", "b.jsonl.part", "c.jsonl.tmp", "README.md", "more/x.jsonl"):
        drop(url, name, row(name), tick=False)
    drop(url, "half/train.jsonl", row("h"), tick=False)
    drop(url, "half/test.jsonl.part", row("h2"), tick=False)
    found = look()

    assert [name[:7] for name in found.taken] == ["0001-z-", "0002-da", "0003-a-"]
    assert found.taken == boxes.names(inbox)
    assert found.refused == []
    assert (inbox / found.taken[0]).read_bytes() == row("z")
    assert sorted(path.name for path in (inbox / found.taken[1]).iterdir()) == ["test.jsonl", "train.jsonl"]
    fetched: list[str] = []
    real = mirrors._fetch
    monkeypatch.setattr(mirrors, "_fetch", lambda *given: fetched.append(given[1].name) or real(*given))  # type: ignore[func-returns-value]
    assert look().taken == []
    assert fetched == [], "what is known is not fetched again"
    (inbox / found.taken[0]).unlink()
    assert look().taken == [], "what was taken away by hand stays away"
    drop(url, "z.jsonl", row("z") + row("y"))
    (again,) = look().taken
    assert again.startswith("0004-z-"), "a changed file is another batch"
    assert fetched == ["z.jsonl"]


def test_an_empty_or_unreadable_file_is_told_once_and_stays_out(url: str, look: Mirror, inbox: Path) -> None:
    drop(url, "empty.jsonl", b"")
    drop(url, "page.jsonl", b"<html>\n<body>\n")
    drop(url, "good.jsonl", row("g"))
    found = look()

    assert [name[:10] for name in found.taken] == ["0001-good-"]
    assert found.refused[0].startswith(f"{url}/empty.jsonl: empty")
    assert f"{url}/page.jsonl: not JSON Lines" in found.refused[1]
    assert look() == Mirrored([], [], [])
    drop(url, "empty.jsonl", row("e"))
    assert len(look().taken) == 1, "it was written since"


def test_without_its_memory_the_same_content_is_there_already(url: str, look: Mirror, inbox: Path) -> None:
    drop(url, "z.jsonl", row("z"))
    (entry,) = look().taken
    (inbox / FILE).unlink()

    assert look().taken == []
    assert boxes.names(inbox) == [entry]


def test_forgotten_documents_do_not_come_back(
    look: Mirror, url: str, inbox: Path, ingest_params: IngestParams
) -> None:
    drop(url, "z.jsonl", row("z1") + row("z2"))
    look()
    take_out(inbox, ["z1"], "asked for", ingest_params)
    assert look() == Mirrored([], [], [])
    (inbox / FILE).unlink()
    found = look()

    assert found.taken == []
    assert "documents were taken out of it" in found.refused[0]
    assert len(boxes.names(inbox)) == 1


def test_what_cannot_be_reached_is_one_line(look: Mirror, tmp_path: Path) -> None:
    for source in (f"file://{tmp_path}/nowhere", str(tmp_path / "nowhere"), "memory://nowhere", "gone://x/y"):
        with pytest.raises(SourceError) as caught:
            look(source)
        assert str(caught.value).startswith(source)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["file"], indirect=True)
def test_what_is_being_written_waits(url: str, look: Mirror, inbox: Path) -> None:
    path = Path(url.removeprefix("file://")) / "slow.jsonl"
    stop = threading.Event()

    def write() -> None:
        with path.open("wb") as file:
            while not stop.is_set():
                file.write(row("s"))
                file.flush()
                time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        time.sleep(0.05)
        assert look(pause=0.2).taken == []
    finally:
        stop.set()
        writer.join()
    (entry,) = look(pause=0.2).taken
    assert (inbox / entry).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("url", ["file"], indirect=True)
def test_one_that_cannot_be_fetched_keeps_no_other_out(
    url: str, look: Mirror, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        drop(url, f"{name}.jsonl", row(name))
    system: Any = fsspec.filesystem("file")
    real = type(system).get_file

    def broken(self: Any, path: str, to: str, **more: Any) -> None:
        if path.endswith("b.jsonl"):
            raise PermissionError("not for you")
        real(self, path, to, **more)

    with monkeypatch.context() as patch:
        patch.setattr(type(system), "get_file", broken)
        (failed,) = look().failed
    assert failed == f"{url}/b.jsonl: cannot be read (PermissionError: not for you)"
    assert [name[:7] for name in boxes.names(inbox)] == ["0001-a-", "0002-c-"]
    assert [name[:7] for name in look().taken] == ["0003-b-"]


@pytest.mark.parametrize("url", ["file"], indirect=True)
def test_two_mirrors_at_once_take_each_once(url: str, look: Mirror, inbox: Path) -> None:
    for number in range(5):
        drop(url, f"n{number}.jsonl", row(str(number)))
        os.utime(Path(url.removeprefix("file://")) / f"n{number}.jsonl", (1000 - number, 1000 - number))
    found: list[Mirrored] = []
    threads = [threading.Thread(target=lambda: found.append(look(pause=0.05))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(one.taken) for one in found) == [0, 0, 0, 5]
    assert [name[5:7] for name in boxes.names(inbox)] == ["n4", "n3", "n2", "n1", "n0"]
