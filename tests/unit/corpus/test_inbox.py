from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from openautoglm.corpus import inbox as boxes
from openautoglm.corpus.arrivals import adopt, set_aside
from openautoglm.corpus.inbox import Entry, entries, put, replace
from openautoglm.errors import SourceError

Writer = Callable[..., Path]
ROW = {"text": "hello", "label": "a"}


def names(inbox: Path) -> list[str]:
    return sorted(entry.name for entry in inbox.iterdir())


def test_batches_are_numbered_in_order_of_arrival(tmp_path: Path, jsonl: Writer) -> None:
    inbox = tmp_path / "inbox"
    first = put(inbox, str(jsonl("my tickets.v2.jsonl", [ROW])))
    second = put(inbox, f"file://{jsonl('b.csv.gz', [ROW])}")
    jsonl("set/train.jsonl", [ROW])
    jsonl("set/.hidden.jsonl", [ROW])
    third = put(inbox, str(tmp_path / "set"))
    assert first.name.startswith("0001-my-tickets-v2-")
    assert second.name.startswith("0002-b-")
    assert second.name.endswith(".csv.gz")
    assert third.is_dir()
    assert names(third) == ["train.jsonl"]
    assert entries(inbox) == [
        Entry("0001-my-tickets-v2", str(first)),
        Entry("0002-b", str(second)),
        Entry("0003-set", str(third)),
    ]


def test_the_same_content_is_taken_once(tmp_path: Path, jsonl: Writer) -> None:
    inbox = tmp_path / "inbox"
    first = put(inbox, str(jsonl("a.jsonl", [ROW])))
    assert put(inbox, str(jsonl("renamed.jsonl", [ROW]))) == first
    assert put(inbox, "https://host/day.csv") == put(inbox, "https://host/day.csv")
    assert put(inbox, "https://host/day.csv") != put(inbox, "https://host/day2.csv")
    assert len(entries(inbox)) == 3


def test_two_writers_at_once_take_it_once(tmp_path: Path, jsonl: Writer) -> None:
    inbox, source = tmp_path / "inbox", str(jsonl("a.jsonl", [ROW]))
    threads = [threading.Thread(target=put, args=(inbox, source)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(inbox)) == 1


def test_remote_sources_leave_a_pointer(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    put(inbox, "s3://bucket/day-1.parquet")
    put(inbox, "hf://datasets/owner/name@main?config=en")
    found = entries(inbox)
    assert [entry.source for entry in found] == [
        "s3://bucket/day-1.parquet",
        "hf://datasets/owner/name@main?config=en",
    ]
    assert found[0].batch == "0001-day-1"
    assert all(name.endswith(".url") for name in names(inbox))


def test_replace_leaves_one(tmp_path: Path, jsonl: Writer) -> None:
    inbox = tmp_path / "inbox"
    jsonl("set/train.jsonl", [ROW])
    put(inbox, str(jsonl("a.jsonl", [ROW])))
    put(inbox, str(tmp_path / "set"))
    (inbox / "README.md").write_text("mine")
    (only,) = replace(inbox, [str(tmp_path / "set")])
    assert names(inbox) == [only.name, "README.md"]
    before = (only / "train.jsonl").stat()
    assert replace(inbox, [str(tmp_path / "set")]) == [only]
    assert (only / "train.jsonl").stat().st_mtime_ns == before.st_mtime_ns  # untouched, so nothing runs again


def test_replace_by_several_in_the_order_given(tmp_path: Path, jsonl: Writer) -> None:
    inbox = tmp_path / "inbox"
    a, b = (str(jsonl(f"{name}.jsonl", [ROW | {"id": name}])) for name in "ab")
    put(inbox, a)
    found = replace(inbox, [b, a, str(jsonl("c.jsonl", [ROW | {"id": "b"}]))])
    assert names(inbox) == [entry.name for entry in found]
    assert [entry.name[:6] for entry in found] == ["0001-b", "0002-a"], "the same content once"
    (kept,) = replace(inbox, [str(found[1])])
    assert names(inbox) == [kept.name], "a batch of the inbox itself is read before it goes"


def test_a_fault_in_one_source_loses_nothing(tmp_path: Path, jsonl: Writer) -> None:
    inbox = tmp_path / "inbox"
    put(inbox, str(jsonl("mine.jsonl", [ROW])))
    before = names(inbox)
    good = str(jsonl("good.jsonl", [ROW | {"id": "1"}]))
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut" / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    for bad in ("typo.jsonl", str(tmp_path / "shut"), "https://host/page.html"):
        with pytest.raises((SourceError, OSError)):
            replace(inbox, [good, bad])
        assert names(inbox) == before
    assert not list(tmp_path.rglob(".incoming.*"))


def test_no_half_batch_is_left_by_a_failed_copy(tmp_path: Path, jsonl: Writer) -> None:
    inbox = tmp_path / "inbox"
    put(inbox, str(jsonl("a.jsonl", [ROW])))
    with pytest.raises(SourceError, match="not found"):
        put(inbox, str(tmp_path / "gone.jsonl"))
    with pytest.raises(SourceError, match="unknown kind of file"):
        put(inbox, "https://host/page.html")
    assert len(names(inbox)) == 1
    assert not list(tmp_path.rglob(".incoming.*"))


def test_an_empty_inbox_says_what_to_do(tmp_path: Path) -> None:
    for inbox in (tmp_path / "gone", tmp_path):
        with pytest.raises(SourceError, match=r"autoglm ingest FILE.*make run"):
            entries(inbox)
    (tmp_path / "README.md").write_text("put batches here")
    (tmp_path / ".DS_Store").write_text("")
    with pytest.raises(SourceError, match="no batch"):
        entries(tmp_path)


def test_a_pointer_without_a_url_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001-x-00000000.url").write_text("day.csv")
    with pytest.raises(SourceError, match="expected one URL"):
        entries(tmp_path)


def test_order_goes_by_the_number_whatever_its_width(tmp_path: Path) -> None:
    for name in ("9999-a-00000000.jsonl", "10000-b-00000000.jsonl", "0001-c-00000000.jsonl"):
        (tmp_path / name).write_text("{}\n")
    assert [name[:5] for name in boxes.names(tmp_path)] == ["0001-", "9999-", "10000"]
    assert [name[:5] for name in boxes.names(tmp_path, "9999-a-00000000.jsonl")] == ["0001-", "9999-"]
    assert [entry.batch for entry in entries(tmp_path)][-1] == "10000-b"


def test_what_vanishes_or_grows_while_it_is_adopted(
    tmp_path: Path, jsonl: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "gone.jsonl").symlink_to(tmp_path / "nothing")
    grows = jsonl("inbox/grows.jsonl", [{"text": "a"}])
    os.utime(grows, (1, 1))

    def put_and_append(inbox: Path, source: str) -> Path:
        entry = put(inbox, source)
        with grows.open("a") as file:
            file.write('{"text": "later"}\n')
        return entry

    monkeypatch.setattr("openautoglm.corpus.inbox.put", put_and_append)
    (entry,) = adopt(inbox)
    assert "later" not in entry.read_text()
    assert "later" in grows.read_text()


def test_the_same_folder_is_set_aside_twice(tmp_path: Path) -> None:
    for text in ("one", "two"):
        folder = tmp_path / "0001-bad"
        folder.mkdir()
        (folder / "train.jsonl").write_text(text)
        left = set_aside(tmp_path, "0001-bad", "why")
    assert (left / "train.jsonl").read_text() == "two"


def test_nothing_is_staged_outside_the_inbox(tmp_path: Path) -> None:
    """A mounted inbox is a file system of its own, and a rename does not cross from one to another."""
    with boxes.incoming(tmp_path) as folder:
        (folder / "half.jsonl").touch()
        assert folder.parent == tmp_path
        assert boxes.names(tmp_path) == []
