"""An inbox at a URL: what one checkout is given reaches the others, and what one takes out is out there too."""

from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pytest

from openautoglm.corpus import inbox as boxes
from openautoglm.corpus import remote as remotes
from openautoglm.corpus.arrivals import set_aside
from openautoglm.corpus.forgotten import FILE as FORGOTTEN
from openautoglm.corpus.inbox import put
from openautoglm.corpus.mirror import Mirrored, mirror
from openautoglm.corpus.redact import take_out
from openautoglm.corpus.remote import send
from openautoglm.errors import SourceError
from openautoglm.params import IngestParams
from tests.unit.corpus.toy_rows import drop, row


class Checkout:
    """A folder that keeps its inbox at ``url``."""

    def __init__(self, root: Path, url: str, params: IngestParams) -> None:
        self.root, self.url, self.params, self.inbox = root, url, params, root / "inbox"

    def give(self, name: str, *ids: str) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(map(row, ids)))
        return put(self.inbox, str(path)).name

    def send(self) -> list[str]:
        return send(self.url, self.inbox, self.root / "scratch")

    def fetch(self) -> Mirrored:
        return mirror(self.url, self.inbox, self.root / "scratch", self.params.columns, 0.0)

    def names(self) -> list[str]:
        return boxes.names(self.inbox)


@pytest.fixture
def ours(url: str, tmp_path: Path, ingest_params: IngestParams) -> Checkout:
    return Checkout(tmp_path / "ours", url, ingest_params)


@pytest.fixture
def theirs(url: str, tmp_path: Path, ingest_params: IngestParams) -> Checkout:
    return Checkout(tmp_path / "theirs", url, ingest_params)


def lying(url: str) -> list[str]:
    """Everything that lies below ``url``."""
    system, root = fsspec.core.url_to_fs(url)
    system.invalidate_cache()
    return sorted(path.removeprefix(root).strip("/") for path in system.find(root))


def test_what_is_given_here_comes_there_once(url: str, ours: Checkout, theirs: Checkout) -> None:
    ours.give("first.jsonl", "a")
    (ours.root / "day").mkdir()
    for split in ("train", "test"):
        (ours.root / f"day/{split}.jsonl").write_bytes(row(split))
    put(ours.inbox, str(ours.root / "day"))
    put(ours.inbox, "https://host/far.csv")
    sent = ours.send()

    assert [name.rpartition("-")[0] for name in sent] == ["first", "day", "far"]
    assert [boxes.unnumbered(entry) for entry in ours.names()] == sent
    assert not [name for name in lying(url) if "part" in name], "nothing is left on its way"
    assert ours.send() == []
    assert ours.fetch() == Mirrored([], [], []), "what went there does not come back"

    own = theirs.give("own.jsonl", "b")
    theirs.send()
    found = theirs.fetch()
    assert sorted(boxes.unnumbered(entry) for entry in found.taken) == sorted(sent)
    assert theirs.names()[0] == own, "each counts for itself"
    assert theirs.send() == []
    by_name = {boxes.unnumbered(entry): theirs.inbox / entry for entry in theirs.names()}
    assert by_name[sent[0]].read_bytes() == row("a")
    assert sorted(path.name for path in by_name[sent[1]].iterdir()) == ["test.jsonl", "train.jsonl"]
    assert by_name[sent[2]].read_text() == "https://host/far.csv\n"
    assert [boxes.unnumbered(entry) for entry in ours.fetch().taken] == [boxes.unnumbered(own)]


def test_the_same_content_given_twice_is_one_batch(url: str, ours: Checkout, theirs: Checkout) -> None:
    ours.give("a.jsonl", "same")
    theirs.give("a.jsonl", "same")
    assert len(ours.send()) == 1
    assert theirs.send() == []
    assert theirs.fetch() == ours.fetch() == Mirrored([], [], [])
    assert len(lying(url)) == 1


def test_what_anybody_drops_there_is_a_batch(url: str, ours: Checkout) -> None:
    drop(url, "dropped.jsonl", row("d"))
    assert [entry[:13] for entry in ours.fetch().taken] == ["0001-dropped-"]
    assert ours.send() == []
    assert lying(url) == ["dropped.jsonl"]


def test_taken_out_here_it_is_out_there(url: str, ours: Checkout, theirs: Checkout) -> None:
    ours.give("two.jsonl", "gone", "stays")
    ours.give("one.jsonl", "gone too")
    ours.send()
    theirs.fetch()
    take_out(ours.inbox, {"gone", "gone too"}, "asked for", ours.params)
    (sent,) = ours.send()

    assert sent.startswith("two-")
    assert lying(url) == sorted([FORGOTTEN, sent])
    with fsspec.open(f"{url}/{sent}") as file:
        there = file.read()
    assert json.loads(there)["id"] == "stays"
    assert ours.send() == []
    assert ours.fetch() == Mirrored([], [], [])
    assert theirs.send() == [], "who still has the old ones does not bring them back"
    ours.give("two again.jsonl", "gone", "stays")
    assert ours.send() == [], "nor does a second delivery get further than the folder that it was put into"
    drop(url, "late.jsonl", row("gone") + row("stays"))
    assert "documents were taken out of it" in ours.fetch().refused[0]


def test_two_who_forget_leave_one_record(url: str, ours: Checkout, theirs: Checkout) -> None:
    ours.give("a.jsonl", "a", "b", "c")
    ours.send()
    theirs.fetch()
    take_out(ours.inbox, {"a"}, "asked for", ours.params)
    ours.send()
    take_out(theirs.inbox, {"b"}, "asked again", theirs.params)
    theirs.send()
    with fsspec.open(f"{url}/{FORGOTTEN}") as file:
        assert [json.loads(line)["reason"] for line in file] == ["asked for", "asked again"]


def test_set_aside_here_it_lies_aside_there(url: str, ours: Checkout, theirs: Checkout) -> None:
    entry = ours.give("bad.jsonl", "x")
    ours.send()
    set_aside(ours.inbox, entry, "no labels")
    assert ours.send() == []
    name = boxes.unnumbered(entry)
    assert lying(url) == [f"_aside/{name}", f"_aside/{name}.why.txt"]
    assert ours.fetch() == theirs.fetch() == Mirrored([], [], [])


def test_a_killed_call_is_ended_by_the_next(
    url: str, ours: Checkout, theirs: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ours.root / "day").mkdir(parents=True)
    for split in ("train", "test"):
        (ours.root / f"day/{split}.jsonl").write_bytes(row(split))
    put(ours.inbox, str(ours.root / "day"))
    ours.give("b.jsonl", "b")

    def killed_at(owner: object, step: str) -> None:
        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(owner, step, killed)
            with pytest.raises(KeyboardInterrupt):
                ours.send()

    system = fsspec.core.url_to_fs(url)[0]  # one instance for all who ask
    for step in ("put_file", "rm_file"):  # nothing of the folder; all of it, but marked as on its way
        killed_at(system, step)
        assert theirs.fetch().taken == []
    killed_at(system, "mv")  # the folder is whole, the file still has another name
    assert [boxes.batch_name(entry) for entry in theirs.fetch().taken] == ["0001-day"]
    killed_at(remotes, "note")
    assert ours.send() == [], "all is there, and only to be noted"
    assert [boxes.batch_name(entry) for entry in theirs.fetch().taken] == ["0002-b"]
    assert not [name for name in lying(url) if ".part" in name]


def test_a_place_that_is_not_there(tmp_path: Path, ingest_params: IngestParams) -> None:
    ours = Checkout(tmp_path, f"file://{tmp_path}/nowhere", ingest_params)
    ours.give("a.jsonl", "a")
    with pytest.raises(SourceError, match="nowhere: not found, or no folder; check the address"):
        ours.send()
    assert len(ours.names()) == 1


def test_a_place_that_cannot_be_written(
    tmp_path: Path, ingest_params: IngestParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    ours = Checkout(tmp_path / "ours", f"file://{tmp_path}/there", ingest_params)
    ours.give("a.jsonl", "a")

    def refused(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(type(fsspec.filesystem("file")), "put_file", refused)
    with pytest.raises(SourceError, match="there: cannot be written \\(PermissionError: read-only"):
        ours.send()
