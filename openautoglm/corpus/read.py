"""Sources → Arrow batches of documents, streamed; whatever is wrong with a row is noted in its ``fault``.

    for batch in read("tickets.csv", "0001-tickets", params.ingest): ...

Nothing here judges a text. A row keeps its place, gets its id and split, and carries what could not be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from openautoglm.corpus.document import SCHEMA, Split, content_id
from openautoglm.corpus.formats import Record, data_set, records
from openautoglm.corpus.source import is_data_set, source_files, stem_of
from openautoglm.corpus.split import carve_split, hash_split, split_named, splits_to_carve
from openautoglm.errors import SourceError
from openautoglm.files import repaired
from openautoglm.params import IngestParams

# what ingest writes: documents, and why a row is not whole; only `validate` reads that column
RAW_SCHEMA = SCHEMA.append(pa.field("fault", pa.string()))
MAX_VALUE = 200  # characters kept of a value of a wrong type

WRONG_TYPE = "wrong type"
NO_COLUMN = "column missing"
_KINDS = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object"}


def read(source: str, batch: str, params: IngestParams) -> Iterator[pa.RecordBatch]:
    """Batches of at most ``params.chunk_rows`` rows with :data:`RAW_SCHEMA`.

    Raises:
        SourceError: unreadable, or no row of a file has the text or label column that the params name.
    """
    rows: list[tuple[str | None, ...]] = []
    for name, split, found in _streams(source, params):
        rows_of = _RowMaker(name, batch, split.of_source, split.to_carve, params)
        for record in found:
            rows.append(rows_of.row(record))
            if len(rows) == params.chunk_rows:
                yield _arrow(rows)
                rows = []
        rows_of.check()
    if rows:
        yield _arrow(rows)


@dataclass(frozen=True)
class _Splits:
    of_source: Split | None  # what the file's name says
    to_carve: tuple[Split, ...]  # what the source brings no file for


def _streams(source: str, params: IngestParams) -> Iterator[tuple[str, _Splits, Iterable[Record]]]:
    if is_data_set(source):
        streams = list(data_set(source))
        named = {name: split_named(name) for name, _ in streams}
        # a data set of the one split "train" is not split at all
        whole = set(named.values()) == {"train"}
        to_carve = splits_to_carve({s for s in named.values() if s})
        for name, found in streams:
            yield f"{source} ({name})", _Splits(None if whole else named[name], to_carve), found
        return
    files = source_files(source)
    to_carve = splits_to_carve({file.split for file in files if file.split})
    for file in files:
        yield file.url, _Splits(file.split, to_carve), records(file, params.columns)


@dataclass
class _RowMaker:
    """Turns the records of one file into rows, and remembers which columns it has met."""

    name: str
    batch: str
    split: Split | None
    to_carve: tuple[Split, ...]
    params: IngestParams
    rows: int = 0
    has_text: bool = False
    has_label: bool = False
    columns: dict[str, None] = field(default_factory=dict)

    def row(self, record: Record) -> tuple[str | None, ...]:
        """(doc_id, text, label, split, batch, fault)"""
        columns, fields = self.params.columns, record.fields
        self.rows += 1
        self.has_text = self.has_text or columns.text in fields
        self.has_label = self.has_label or columns.label in fields
        if len(self.columns) < 20:
            self.columns.update(dict.fromkeys(map(str, fields)))
        text, text_fault = _text(fields, columns.text)
        label, label_fault = _label(fields, columns.label)
        doc_id = self._doc_id(fields.get(columns.id), text)
        split, split_fault = self._split(doc_id, fields.get(columns.split))
        faults = [f for f in (record.fault, text_fault, label_fault, split_fault) if f]
        if record.fault and not fields:
            faults = [record.fault]  # a row that is no object misses every column; say the cause alone
        return doc_id, text, label, split, self.batch, "; ".join(faults) or None

    def _doc_id(self, value: object, text: str | None) -> str:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return repaired(str(value))
        # a row without a text is known by its place
        content = f"{self.batch}/{stem_of(self.name)}/{self.rows}" if text is None else text
        return content_id(repaired(content))

    def _split(self, doc_id: str, named: object) -> tuple[Split, str | None]:
        shares = self.params.valid_share, self.params.test_share
        if self.split is not None:
            carved = self.split == "train" and self.to_carve
            return (carve_split(doc_id, self.to_carve, *shares) if carved else self.split), None
        if named is None or named == "":
            return hash_split(doc_id, *shares), None
        split = split_named(named)
        if split is None:
            fault = f"unknown split: {str(named)[:40]!r}, expected train, valid or test"
            return hash_split(doc_id, *shares), fault
        return split, None

    def check(self) -> None:
        if not self.rows:
            raise SourceError(f"{self.name}: no rows in it; take it away or give it again")
        for key, present in (("text", self.has_text), ("label", self.has_label)):
            if not present:
                found = ", ".join(self.columns) or "no columns"
                wanted = getattr(self.params.columns, key)
                raise SourceError(
                    f"{self.name}: no column {wanted!r}, found {found}; set ingest.columns.{key} in params.yaml",
                    column=key,
                    found=list(self.columns),
                )


def _text(fields: Any, name: str) -> tuple[str | None, str | None]:
    value = fields.get(name)
    if isinstance(value, str):
        return value, None
    if value is None:
        return None, None if name in fields else _no_column(name, fields)
    return _shown(value), f"{WRONG_TYPE}: {name} is {_kind(value)}, not a text"


def _label(fields: Any, name: str) -> tuple[str | None, str | None]:
    """Whole numbers and truth values are class names like any other."""
    value = fields.get(name)
    if isinstance(value, str):
        return value.strip() or None, None
    if value is None:
        return None, None if name in fields else _no_column(name, fields)
    if isinstance(value, bool):
        return str(value).lower(), None
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value)), None
    return _shown(value), f"{WRONG_TYPE}: {name} is {_kind(value)}, not a name"


def _no_column(name: str, fields: Any) -> str:
    return f"{NO_COLUMN}: no {name}, found {', '.join(str(key) for key in list(fields)[:8]) or 'nothing'}"


def _kind(value: object) -> str:
    return _KINDS.get(type(value), f"of type {type(value).__name__}")


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:MAX_VALUE]


def _arrow(rows: list[tuple[str | None, ...]]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True))
    arrays = [_strings(values) for values in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=RAW_SCHEMA)


def _strings(values: tuple[str | None, ...]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except (
        UnicodeEncodeError
    ):  # half of a surrogate pair, which JSON can spell ("\ud800") and UTF-8 cannot: `validate` finds it
        return pa.array([v and repaired(v) for v in values], pa.string())
