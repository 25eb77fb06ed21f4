"""Rows taken out of the inbox's files: which go, which keep their bytes, what is on record, and what a kill leaves."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openautoglm.corpus import inbox as boxes
from openautoglm.corpus import redact
from openautoglm.corpus.document import content_id
from openautoglm.corpus.forgotten import FILE, Forgotten, hashed, records, today, trail
from openautoglm.errors import SourceError
from openautoglm.loop import Ledger
from openautoglm.params import Params

ROOT = Path(__file__).parents[3]
INGEST = Params.load(ROOT / "params.yaml").ingest
JSONL = b'{"id": "a", "text": "first",  "label": "x"}\n\n{"id": 2, "text": "second", "label": "y", "more": [1]}\n{"text": "third", "label": "x"}'
CSV = '﻿id,text,label\r\na,"first, with\na line",x\r\n\r\nb,"he said ""no""",y\r\nc,broken \xff,x\r\n'


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


def put(inbox: Path, name: str, data: bytes) -> Path:
    source = inbox.parent / "sources" / name
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(data)
    return boxes.put(inbox, str(source))


def take(inbox: Path, *ids: str) -> redact.TakenOut:
    return redact.take_out(inbox, ids, "asked for", INGEST)


def only(inbox: Path) -> Path:
    (name,) = boxes.names(inbox)
    return inbox / name


def test_jsonl_other_rows_keep_their_bytes(inbox: Path) -> None:
    old = put(inbox, "tickets.jsonl", JSONL)
    taken = take(inbox, "2", content_id("third"))

    new = only(inbox)
    assert new.read_bytes() == b'{"id": "a", "text": "first",  "label": "x"}\n\n'
    assert taken == redact.TakenOut(2, {old.name: new.name}, ())
    assert new.name.startswith("0001-tickets-")
    assert new.name != old.name
    assert boxes.put(inbox, str(new)) == new, "its name is what its content is called"


def test_csv_with_lines_in_fields_and_broken_bytes(inbox: Path) -> None:
    data = CSV.encode().replace("\xff".encode(), b"\xff")
    put(inbox, "t.csv", data)
    take(inbox, "b")

    assert only(inbox).read_bytes() == data.replace(b'b,"he said ""no""",y\r\n', b"")
    take(inbox, "a")
    assert only(inbox).read_bytes() == "﻿id,text,label\r\n\r\nc,broken ".encode() + b"\xff,x\r\n"


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip), (".bz2", bz2)])
def test_compressed(inbox: Path, ending: str, pack: object) -> None:
    put(inbox, f"t.jsonl{ending}", pack.compress(JSONL))  # type: ignore[attr-defined]
    take(inbox, "a")

    assert pack.decompress(only(inbox).read_bytes()) == JSONL.split(b"\n", 1)[1]  # type: ignore[attr-defined]
    assert only(inbox).name.endswith(f".jsonl{ending}")


def test_parquet_keeps_its_schema(inbox: Path) -> None:
    table = pa.table({"id": [1, 2, 3], "text": ["x", "y", "z"], "label": ["a", "a", "b"], "n": [0.5, 1, 2]})
    source = inbox.parent / "t.parquet"
    pq.write_table(table, source, row_group_size=2)
    boxes.put(inbox, str(source))
    take(inbox, "2")

    assert pq.read_table(only(inbox)).equals(table.take([0, 2]))


def test_a_folder_and_an_entry_of_which_nothing_is_left(inbox: Path) -> None:
    folder = inbox.parent / "both"
    folder.mkdir()
    (folder / "train.jsonl").write_bytes(JSONL)
    (folder / "test.csv").write_text("id,text,label\nt1,one,x\nt2,two,y\n")
    boxes.put(inbox, str(folder))
    gone = put(inbox, "one.jsonl", b'{"id": "only", "text": "one", "label": "x"}\n')
    taken = take(inbox, "t1", "a", "only")

    assert taken.renamed[gone.name] is None
    assert (only(inbox) / "test.csv").read_text() == "id,text,label\nt2,two,y\n"
    assert (only(inbox) / "train.jsonl").read_bytes() == JSONL.split(b"\n", 1)[1]
    assert today(records(inbox), taken.renamed) == [only(inbox).name]


def test_a_pointer_is_refused_and_nothing_changes(inbox: Path) -> None:
    there = inbox.parent / "there.jsonl"
    there.write_bytes(JSONL)
    put(inbox, "mine.jsonl", JSONL.replace(b"first", b"another"))
    (inbox / "0002-there-00000000.url").write_text(f"file://{there}\n")
    before = {path: path.read_bytes() for path in inbox.iterdir()}

    with pytest.raises(SourceError, match=r"a pointer to a URL.*nothing has changed"):
        take(inbox, "a")
    assert {path: path.read_bytes() for path in inbox.iterdir()} == before


def test_the_record_holds_no_id_and_no_text(inbox: Path) -> None:
    old = put(inbox, "t.jsonl", JSONL.replace(b'"a"', b'"customer-4711"'))
    taken = take(inbox, "customer-4711", "nobody")
    said = (inbox / FILE).read_text()

    assert taken.unknown == ("nobody",)
    assert "4711" not in said
    assert "first" not in said
    assert json.loads(said)["ids"] == list(hashed(["customer-4711"]))
    assert json.loads(said)["renamed"] == {old.name: only(inbox).name}
    assert take(inbox, "customer-4711") == redact.TakenOut(0, {}, ()), "what was forgotten is not unknown"
    assert (inbox / FILE).read_text() == said


def test_a_chain_of_names() -> None:
    found = [
        Forgotten("t", "r", {"1-a": "1-b", "2-a": "2-b"}, 2, ()),
        Forgotten("t", "r", {"1-b": "1-c", "2-b": None}, 2, ()),
    ]
    assert trail(found, "1-a") == ["1-a", "1-b", "1-c"]
    assert today(found, ["1-a", "2-a", "3-a"]) == ["1-c", "3-a"]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", range(7))
def test_killed_anywhere_the_same_call_ends_it(inbox: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        put(inbox, f"t{number}.jsonl", JSONL.replace(b"second", b"second%d" % number))
    calls, real = iter(range(100)), boxes.os.replace

    def replace(source: object, target: object) -> None:
        if next(calls) == at:
            raise Killed
        real(source, target)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(boxes.os, "replace", replace)
        with pytest.raises(Killed):
            take(inbox, "2")
    take(inbox, "2")

    assert [name[:7] for name in boxes.names(inbox)] == ["0001-t0", "0002-t1"]
    assert all(b"second" not in (inbox / name).read_bytes() for name in boxes.names(inbox))
    names = {name for record in records(inbox) for name in record.renamed}
    assert sorted(today(records(inbox), names)) == boxes.names(inbox)
    assert not list(inbox.parent.glob(".inbox.*"))
    assert redact.still_there(inbox, hashed(["2", "a"]), INGEST) == {"a"}
    assert all(record.renamed for record in records(inbox)), "none is left of which nothing came to pass"


def test_the_ledger_follows(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.arrive(["1-a", "2-a"])
    ledger.learnt(["1-a", "2-a"], "v1")
    for _ in range(2):
        ledger.rename("1-a", "1-b")
        ledger.rename("2-a", None)

    assert [(batch.entry, batch.state) for batch in ledger.batches()] == [("1-b", "published")]
