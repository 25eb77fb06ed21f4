"""An inbox at a URL: what one checkout is given reaches the others, and what one takes out is out there too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import fsspec
import pytest

from openautoglm.corpus import inbox as boxes
from openautoglm.corpus import remote as remotes
from openautoglm.corpus.arrivals import set_aside
from openautoglm.corpus.forgotten import FILE as FORGOTTEN
from openautoglm.corpus.forgotten import records
from openautoglm.corpus.inbox import put
from openautoglm.corpus.mirror import Mirrored, mirror
from openautoglm.corpus.redact import still_there, take_out
from openautoglm.corpus.remote import Sent, send
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

    def give_folder(self, name: str, *files: str) -> str:
        (self.root / name).mkdir(parents=True)
        for file in files:
            (self.root / name / f"{file}.jsonl").write_bytes(row(file))
        return put(self.inbox, str(self.root / name)).name

    def send(self) -> list[str]:
        return list(self.sent().names)

    def sent(self) -> Sent:
        return send(self.url, self.inbox, self.root / "scratch")

    def fetch(self) -> Mirrored:
        leave = self.sent().leave
        return mirror(self.url, self.inbox, self.root / "scratch", self.params.columns, 0.0, leave)

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
    ours.give_folder("day", "train", "test")
    ours.give_folder("_export", "part-0", "part-1")
    put(ours.inbox, "https://host/far.csv")
    sent = ours.send()

    assert [name.rpartition("-")[0] for name in sent] == ["first", "day", "export"]
    assert [boxes.unnumbered(entry) for entry in ours.names()][:3] == sent, (
        "a pointer stays where it was given"
    )
    assert not [name for name in lying(url) if name.endswith(".part")], "nothing is left on its way"
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
    assert sorted(path.name for path in by_name[sent[2]].iterdir()) == ["part-0.jsonl", "part-1.jsonl"]
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
    assert ours.sent().to_cut == (), "which is nothing that somebody else asked for"
    drop(url, "late.jsonl", row("gone") + row("stays"))
    assert "documents were taken out of it" in ours.fetch().refused[0]


def test_what_one_takes_out_is_asked_of_the_other(ours: Checkout, theirs: Checkout) -> None:
    theirs.give("own.jsonl", "x")
    ours.give("a.jsonl", "a", "b", "c")
    ours.send()
    theirs.fetch()
    take_out(ours.inbox, {"a"}, "asked for", ours.params)
    (left,) = ours.send()

    entry = theirs.names()[1]
    for _ in range(2):
        assert theirs.sent().to_cut == (entry,)
        assert theirs.fetch() == Mirrored([], [], []), "the rest of what is still here whole is no new batch"
    (record,) = records(theirs.inbox)
    assert (record.reason, record.renamed, record.documents) == ("asked for", {}, 1)

    take_out(theirs.inbox, still_there(theirs.inbox, record.ids, theirs.params), record.reason, theirs.params)
    assert theirs.sent() == Sent((), frozenset({boxes.content(entry)}), ())
    assert [boxes.unnumbered(name) for name in theirs.names()[1:]] == [left]
    assert theirs.fetch() == Mirrored([], [], [])
    assert [entry[:8] for entry in ours.fetch().taken] == ["0002-own"], "and not theirs of what it has"


def test_who_comes_later_takes_what_is_left(url: str, ours: Checkout, theirs: Checkout) -> None:
    ours.give("a.jsonl", "a", "b")
    ours.send()
    take_out(ours.inbox, {"a"}, "asked for", ours.params)
    (left,) = ours.send()
    drop(url, "old.jsonl", row("a") + row("b"))
    found = theirs.fetch()
    assert [boxes.unnumbered(entry) for entry in found.taken] == [left]
    assert "documents were taken out of it" in found.refused[0]
    assert records(theirs.inbox) == []


def test_a_record_that_is_cut_off_is_written_anew(url: str, ours: Checkout) -> None:
    ours.give("a.jsonl", "a", "b")
    ours.send()
    take_out(ours.inbox, {"a"}, "asked for", ours.params)
    ours.send()
    with fsspec.open(f"{url}/{FORGOTTEN}") as file:
        whole = file.read()
    with fsspec.open(f"{url}/{FORGOTTEN}", "wb") as file:
        file.write(whole[:50])
    ours.send()
    with fsspec.open(f"{url}/{FORGOTTEN}") as file:
        assert file.read() == whole


def test_set_aside_here_it_lies_aside_there(url: str, ours: Checkout, theirs: Checkout) -> None:
    entry = ours.give("bad.jsonl", "x")
    ours.send()
    set_aside(ours.inbox, entry, "no labels")
    assert ours.send() == []
    name = boxes.unnumbered(entry)
    assert lying(url) == [f"_aside/{name}", f"_aside/{name}.why.txt"]
    assert ours.fetch() == theirs.fetch() == Mirrored([], [], [])


def test_set_aside_by_hand_and_given_again(ours: Checkout, url: str) -> None:
    entry = ours.give("bad.jsonl", "x")
    ours.send()
    (ours.inbox / "_aside").mkdir()
    (ours.inbox / entry).rename(ours.inbox / "_aside" / entry)
    assert ours.send() == []
    name = boxes.unnumbered(entry)
    assert lying(url) == [f"_aside/{name}", f"_aside/{name}.why.txt"]
    shutil.copyfile(ours.inbox / "_aside" / entry, ours.inbox / entry)
    assert ours.send() == [name], "it is a batch again"
    assert ours.send() == []
    assert name in lying(url)


def test_what_was_written_over_there_is_another_batch(ours: Checkout, url: str) -> None:
    drop(url, "today.jsonl", row("a"))
    (entry,) = ours.fetch().taken
    drop(url, "today.jsonl", row("a") + row("b"))
    set_aside(ours.inbox, entry, "no labels")
    ours.send()
    assert lying(url) == ["today.jsonl"]
    assert [name[:10] for name in ours.fetch().taken] == ["0002-today"]


def test_a_strangers_pointer_is_no_batch(ours: Checkout, url: str, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("id,text,label\n1,a,b\n")
    for number, address in enumerate((f"file://{tmp_path}/secret.csv", f"local://{tmp_path}/secret.csv")):
        drop(url, f"x{number}.url", address.encode())
        drop(url, f"y-0123456{number}.url", address.encode())
    assert ours.fetch() == Mirrored([], [], [])
    assert ours.send() == []


def test_a_killed_call_is_ended_by_the_next(
    url: str, ours: Checkout, theirs: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours.give_folder("day", "train", "test")
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
