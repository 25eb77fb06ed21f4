"""Files → records, one at a time: what stands in a row, or why it cannot be known.

A row that cannot be parsed is a `Record` with a fault and not an error: one bad line of a million is for `validate` to
set aside and count. A file that is none of what its name says raises.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from openautoglm.corpus.source import SourceFile, naming
from openautoglm.errors import SourceError
from openautoglm.params import Columns

READ_ROWS = 4_096  # rows of Parquet decoded at a time
GIVE_UP = 100  # a file whose first lines are all broken is of another kind


class Record(NamedTuple):
    """One row: its fields, and a fault if it could not be read whole (``broken encoding: …``)."""

    fields: Mapping[str, Any]
    fault: str | None = None


def records(file: SourceFile, columns: Columns) -> Iterator[Record]:
    """Every row of ``file``, streamed; other columns than ``columns`` are left out where that saves reading.

    Raises:
        SourceError: the file cannot be opened, breaks off, or is not of the kind that its name says.
    """
    with file.open() as handle, naming(file.url):
        if file.format == "parquet":
            yield from _parquet(handle, columns)
        elif file.format == "jsonl":
            yield from _jsonl(handle, file.url)
        else:
            yield from _csv(handle, delimiter="\t" if file.format == "tsv" else ",")


def _jsonl(handle: IO[bytes], url: str) -> Iterator[Record]:
    bad = good = 0
    for line in handle:
        if not line.strip():
            continue
        record = _json_line(line)
        good += bool(record.fields)
        bad += not record.fields
        if not good and bad == GIVE_UP:
            break
        yield record
    if bad and not good:
        raise SourceError(
            f"{url}: not JSON Lines; expected one JSON object a line, found none in {bad} lines"
        )


def _json_line(line: bytes) -> Record:
    fault = None
    try:
        try:
            value = json.loads(line)
        except UnicodeDecodeError as error:
            fault = f"broken encoding: byte {error.start} of the line is not UTF-8"
            value = json.loads(line.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        return Record({}, "unreadable row: not JSON")
    if not isinstance(value, dict):
        return Record({}, f"unreadable row: JSON, but not an object, {type(value).__name__}")
    return Record(value, fault)


def _csv(handle: IO[bytes], delimiter: str) -> Iterator[Record]:
    csv.field_size_limit(sys.maxsize >> 32)  # the default stops at 131,072 characters: one long text
    text = io.TextIOWrapper(handle, encoding="utf-8-sig", errors="replace", newline="")
    rows = csv.reader(_without_nul(text), delimiter=delimiter)
    header = next(rows, None)
    if not header:
        return
    for row in rows:
        if not row:
            continue
        fault = None
        if len(row) > len(header):
            fault = f"unreadable row: {len(row)} fields under a header of {len(header)}"
        # an empty field of CSV is a missing value, as it is for every reader of CSV
        yield Record({key: value or None for key, value in zip(header, row, strict=False)}, fault)


def _without_nul(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line.replace("\0", "�") if "\0" in line else line


def _parquet(handle: IO[bytes], columns: Columns) -> Iterator[Record]:
    parquet = pq.ParquetFile(handle)
    names = parquet.schema_arrow.names
    # other columns may be images; where a needed one is not found, all are read so that the message can name them
    known = [name for name in (columns.id, columns.text, columns.label, columns.split) if name in names]
    whole = columns.text not in names or columns.label not in names
    for batch in parquet.iter_batches(READ_ROWS, columns=None if whole else known):
        yield from _rows(batch)


def _rows(batch: pa.RecordBatch) -> Iterator[Record]:
    # Parquet's writers do not check their UTF-8, and Arrow checks it only when asked for the text
    columns = {name: _values(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    for values in zip(*columns.values(), strict=True):
        broken = [name for name, value in zip(columns, values, strict=True) if isinstance(value, bytes)]
        fields = dict(zip(columns, values, strict=True))
        if not broken:
            yield Record(fields)
            continue
        decoded = {name: fields[name].decode("utf-8", errors="replace") for name in broken}
        yield Record(fields | decoded, f"broken encoding: column {broken[0]} is not UTF-8")


def _values(column: pa.Array) -> list[Any]:
    try:
        if not pa.types.is_binary(column.type) and not pa.types.is_large_binary(column.type):
            return list(column.to_pylist())
    except UnicodeDecodeError:
        pass
    return [_text_or_bytes(value) for value in column.cast(pa.binary()).to_pylist()]


def _text_or_bytes(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return value


def data_set(source: str) -> Iterator[tuple[str, Iterator[Record]]]:
    """(split name, records) of a Hugging Face data set, streamed; class numbers become class names.

    Raises:
        SourceError: no such data set, no access, or none of this name on a machine without the hub.
    """
    import datasets

    path, _, query = source.removeprefix("hf://datasets/").partition("?")
    path, _, revision = path.partition("@")
    config = query.removeprefix("config=") or None
    with naming(source):
        loaded = datasets.load_dataset(path, config, revision=revision or None, streaming=True)
    for split, rows in loaded.items():
        yield str(split), _data_set_rows(source, rows, datasets.ClassLabel)


def _data_set_rows(source: str, rows: Any, class_label: Any) -> Iterator[Record]:
    names = {
        column: feature.names
        for column, feature in (rows.features or {}).items()
        if isinstance(feature, class_label)
    }
    with naming(source):
        for row in rows:
            for column, known in names.items():
                number = row[column]
                # -1 is that library's "no label here"
                row[column] = known[number] if isinstance(number, int) and number >= 0 else None
            yield Record(row)
