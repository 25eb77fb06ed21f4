"""What never comes into the inbox: files that are empty or begin with nothing of their kind."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openautoglm.corpus.first_look import ROWS, look
from openautoglm.corpus.sample import write_sample
from openautoglm.errors import SourceError
from openautoglm.params import IngestParams

Look = Callable[[Path], None]
ROW = json.dumps({"text": "hello", "label": "a"}).encode() + b"\n"


@pytest.fixture
def seen(ingest_params: IngestParams) -> Look:
    return lambda path: look(str(path), ingest_params.columns)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b"", "empty; expected rows of jsonl"),
        ("a.csv", b"", "empty; expected rows of csv"),
        ("a.jsonl", b"\n \n", "no rows in it"),
        ("a.jsonl.gz", gzip.compress(b"", mtime=0), "no rows in it"),
        ("a.jsonl.gz", ROW, "cannot be read"),
        ("a.csv", b"text,label\n", "no rows in it"),
        ("a.jsonl", b"<html>\n</html>\n", "not JSON Lines"),
        ("a.jsonl", b'"only a text"\n' * 50, "none of its first 20 rows can be read .*not an object"),
        ("a.jsonl", json.dumps([{"text": "x"}], indent=1).encode(), "not JSON Lines"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "expected UTF-8 text, found zero bytes"),
        ("a.tsv", "text\tlabel\nx\ty\n".encode("utf-16"), "expected UTF-8 text, found zero bytes"),
        ("a.parquet", ROW, "cannot be read"),
    ],
)
def test_refused_in_one_line(tmp_path: Path, seen: Look, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message) as caught:
        seen(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_table_without_rows_and_a_folder_with_one_bad_file(tmp_path: Path, seen: Look) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"a\.parquet: no rows in it"):
        seen(tmp_path / "a.parquet")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.jsonl").write_bytes(ROW)
    seen(folder)
    (folder / "test.jsonl").write_bytes(b"")
    with pytest.raises(SourceError, match=r"test\.jsonl: empty"):
        seen(folder)


def test_damage_further_down_is_for_validate(tmp_path: Path, seen: Look) -> None:
    for batch in write_sample(tmp_path):
        seen(batch)
    path = tmp_path / "late.jsonl"
    path.write_bytes(b"broken\n" * (ROWS - 1) + ROW)
    seen(path)


def test_a_url_is_read_when_the_pipeline_runs(ingest_params: IngestParams) -> None:
    look("https://nowhere.invalid/a.jsonl", ingest_params.columns)
