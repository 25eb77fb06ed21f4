from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openautoglm.corpus.document import content_id
from openautoglm.errors import SourceError

Reader = Callable[..., list[dict[str, object]]]
Writer = Callable[..., Path]
ROWS = [{"id": f"d{n}", "text": f"text {n}", "label": f"l{n % 2}"} for n in range(10)]


@pytest.mark.parametrize(
    ("rows", "column"), [([{"body": "x", "label": "a"}], "text"), ([{"text": "x", "spans": []}], "label")]
)
def test_a_column_that_no_row_has_is_named(
    jsonl: Writer, read_rows: Reader, rows: list[object], column: str
) -> None:
    with pytest.raises(SourceError, match=rf"no column '{column}', found .*set ingest\.columns\.{column}"):
        read_rows(jsonl("a.jsonl", rows))


def test_bad_rows_are_noted_and_not_fatal(jsonl: Writer, read_rows: Reader) -> None:
    good = {"id": "g", "text": "fine", "label": "a"}
    rows = read_rows(
        jsonl(
            "a.jsonl",
            [
                good,
                {"id": "n", "text": None, "label": "a"},
                {"id": "t", "text": 417, "label": "a"},
                {"id": "o", "text": "x", "label": ["a"]},
                {"id": "r", "body": "x", "label": "a"},
                '{"id": "e", "text": "café", "label": "a"}'.encode("latin-1"),
                b'{"id": "u", "text": "\\ud800 half a pair", "label": "a"}',
                b"{not json",
                b"[1, 2]",
                good | {"split": "holdout"},
            ],
        )
    )
    kinds = [str(row["fault"]).partition(":")[0] for row in rows]
    assert kinds == [
        "None",
        "None",
        "wrong type",
        "wrong type",
        "column missing",
        "broken encoding",
        "None",
        "unreadable row",
        "unreadable row",
        "unknown split",
    ]
    assert rows[1]["text"] is None
    assert rows[2]["text"] == "417"
    assert rows[4]["fault"] == "column missing: no text, found id, body, label"
    assert rows[5]["text"] == "caf�"
    assert "�" in str(rows[6]["text"])
    assert rows[7]["doc_id"] != rows[8]["doc_id"]


def test_half_a_pair_in_an_id_is_repaired_as_in_a_text(jsonl: Writer, read_rows: Reader) -> None:
    lines = [
        b'{"id": "a\\ud800", "text": "fine", "label": "a"}',
        b'{"text": "half \\udc00", "label": "a\\ud801"}',
    ]
    rows = read_rows(jsonl("a.jsonl", lines))
    assert rows[0]["doc_id"] == "a\ufffd\ufffd\ufffd"
    assert rows[0]["text"] == "fine"
    assert rows[1]["doc_id"] == content_id(str(rows[1]["text"])), "the id of the text as it is kept"
    assert (
        read_rows(jsonl("b.jsonl", [{"id": "\U0001f600", "text": "t", "label": "a"}]))[0]["doc_id"]
        == "\U0001f600"
    )


def test_bad_rows_of_csv(tmp_path: Path, read_rows: Reader) -> None:
    (tmp_path / "a.csv").write_bytes(
        'text,label\n"two\nlines",a\n,a\nshort\nx,a,more\ncaf\xe9,a\n\n'.encode("latin-1")
    )
    rows = read_rows(tmp_path / "a.csv")
    assert [row["text"] for row in rows] == ["two\nlines", None, "short", "x", "caf�"]
    assert str(rows[2]["fault"]).startswith("column missing: no label")
    assert str(rows[3]["fault"]).startswith("unreadable row: 3 fields")


def test_a_text_longer_than_csv_likes(tmp_path: Path, read_rows: Reader) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + "x" * 300_000 + ",a\n")
    assert len(str(read_rows(tmp_path / "a.csv")[0]["text"])) == 300_000


def test_parquet_with_bytes_that_are_no_text(tmp_path: Path, read_rows: Reader) -> None:
    raw = pa.array([b"fine", b"caf\xe9", None], pa.binary())
    pq.write_table(
        pa.table({"text": raw.view(pa.string()), "label": [1, 2, 3], "image": raw}), tmp_path / "a.parquet"
    )
    rows = read_rows(tmp_path / "a.parquet")
    assert [row["text"] for row in rows] == ["fine", "caf�", None]
    assert [row["label"] for row in rows] == ["1", "2", "3"]
    assert rows[1]["fault"] == "broken encoding: column text is not UTF-8"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"hello\nworld\n", "not JSON Lines"),
        ("a.jsonl", b"", "no rows"),
        ("a.csv", b"", "no rows"),
        ("a.parquet", b"hello", "cannot be read"),
        ("a.csv.gz", b"hello", "cannot be read"),
        ("a.docx", b"hello", "unknown kind of file"),
    ],
)
def test_unreadable_sources(
    tmp_path: Path, read_rows: Reader, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        read_rows(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_nothing_there(tmp_path: Path, read_rows: Reader) -> None:
    with pytest.raises(SourceError, match="not found"):
        read_rows(tmp_path / "gone.jsonl")
    with pytest.raises(SourceError, match="no data file in this folder"):
        read_rows(tmp_path)
    with pytest.raises(SourceError, match="Protocol not known"):
        read_rows("carrier-pigeon://x/a.csv")
