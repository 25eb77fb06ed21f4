"""The nouns of this room: a `Document` is one labelled text, a `Corpus` is one Arrow table of them.

corpus = Corpus.load(Path("data/validated"))
corpus.split("train").column("text")
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from openautoglm.errors import SourceError
from openautoglm.files import fresh_dir

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("label", pa.string()),
        pa.field("split", pa.string(), nullable=False),
        pa.field("batch", pa.string(), nullable=False),
    ]
)
ROWS_PER_PART = 100_000
ROWS_PER_GROUP = 8_192  # rows that a writer and a reader hold at a time


@dataclass(frozen=True)
class Document:
    """One text. ``text`` and ``label`` are None only between ingest and validate."""

    doc_id: str
    text: str | None
    label: str | None
    split: str
    batch: str


@dataclass(frozen=True, repr=False)
class Corpus:
    """Documents in order of arrival, as one Arrow table with :data:`SCHEMA`."""

    table: pa.Table

    @classmethod
    def from_documents(cls, documents: Sequence[Document]) -> Corpus:
        rows = [vars(document) for document in documents]
        return cls(pa.Table.from_pylist(rows, schema=SCHEMA))

    @classmethod
    def load(cls, path: Path) -> Corpus:
        """Read every ``part-*.parquet`` below ``path``, in the order of their names.

        Raises:
            SourceError: there is none.
        """
        tables = [pq.read_table(part, columns=SCHEMA.names) for part in parts(path)]
        return cls(pa.concat_tables(tables).cast(SCHEMA))

    def save(self, path: Path, rows_per_part: int = ROWS_PER_PART) -> None:
        """Write ``path/part-00000.parquet`` and so on; what was there before goes when all is written."""
        with fresh_dir(path) as fresh, PartWriter(fresh, SCHEMA, rows_per_part) as writer:
            for batch in self.table.to_batches(max_chunksize=ROWS_PER_GROUP):
                writer.write(batch)

    def split(self, name: str) -> Corpus:
        return Corpus(self.table.filter(pc.equal(self.table["split"], name)))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The label set: sorted labels of the train split alone, as whatever is fitted sees train only."""
        return tuple(sorted(set(self.split("train").table["label"].drop_null().to_pylist())))

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over every column, in row order; the same however the rows are cut into parts."""
        hashing = TableHash()
        for batch in self.table.to_batches():
            hashing.update(batch)
        return hashing.hexdigest()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def documents(self) -> Iterator[Document]:
        for batch in self.table.to_batches(max_chunksize=ROWS_PER_GROUP):
            for row in batch.to_pylist():
                yield Document(**row)

    def column(self, name: str) -> list[Any]:
        return list(self.table[name].to_pylist())

    def __repr__(self) -> str:
        counts = {s: int(pc.sum(pc.equal(self.table["split"], s)).as_py() or 0) for s in SPLITS}
        sizes = "/".join(str(n) for n in counts.values())
        return f"Corpus({len(self)} documents, train/valid/test {sizes}, {len(self.labels)} labels)"


def content_id(text: str) -> str:
    """The id of a document whose source gives none: the same text has the same id in every batch.

    ``text`` has no lone surrogates.
    """
    return "sha256-" + hashlib.sha256(text.encode()).hexdigest()[:20]


def parts(path: Path) -> list[Path]:
    found = sorted(path.glob("part-*.parquet"))
    if not found:
        raise SourceError(f"{path}: no part-*.parquet in it; run `dvc repro` up to the stage that writes it")
    return found


class PartWriter:
    """Rows in any portions → Parquet parts whose bytes do not depend on the portions.

    Row groups of :data:`ROWS_PER_GROUP` rows and parts of ``rows_per_part`` rows are cut here alone, so that memory
    is bounded by one group and a changed ``ingest.chunk_rows`` changes no byte on disk.
    """

    def __init__(self, path: Path, schema: pa.Schema, rows_per_part: int = ROWS_PER_PART) -> None:
        self.path, self.schema, self.rows_per_part = path, schema, rows_per_part
        self.rows = 0
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._file: pq.ParquetWriter | None = None
        self._in_part = 0
        self._number = 0

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            while self._pending_rows:
                self._flush()
            if not self._number:
                self._open()  # an empty corpus is one empty part
        if self._file is not None:
            self._file.close()

    def write(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        self._pending.append(batch)
        self._pending_rows += batch.num_rows
        while self._pending_rows >= self._room():
            self._flush()

    def _room(self) -> int:
        return min(ROWS_PER_GROUP, self.rows_per_part - self._in_part)

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._pending, schema=self.schema)
        group = table.slice(0, self._room())
        rest = table.slice(group.num_rows)
        self._pending, self._pending_rows = rest.to_batches(), rest.num_rows
        if self._file is None:
            self._open()
        assert self._file is not None
        self._file.write_table(group.combine_chunks(), row_group_size=ROWS_PER_GROUP)
        self._in_part += group.num_rows
        if self._in_part == self.rows_per_part:
            self._file.close()
            self._file, self._in_part = None, 0

    def _open(self) -> None:
        part = self.path / f"part-{self._number:05d}.parquet"
        # dictionaries pay for split, batch and label; texts and ids are all different
        self._file = pq.ParquetWriter(
            part, self.schema, compression="zstd", use_dictionary=["label", "split", "batch"]
        )
        self._number += 1


class TableHash:
    """sha256 of string columns, fed chunk by chunk; where the chunks are cut makes no difference."""

    def __init__(self, names: Sequence[str] = tuple(SCHEMA.names)) -> None:
        # two streams a column: lengths (null is -1) and bytes, so that no two tables share their streams
        self._streams = {name: (hashlib.sha256(), hashlib.sha256()) for name in names}

    def update(self, batch: pa.RecordBatch) -> None:
        for name, (lengths, values) in self._streams.items():
            column = batch.column(name)
            sizes = pc.fill_null(pc.cast(pc.binary_length(column), pa.int64()), -1)
            lengths.update(np.ascontiguousarray(sizes.to_numpy(zero_copy_only=False), dtype="<i8").tobytes())
            values.update(_value_bytes(pc.fill_null(column, "").cast(pa.large_binary())))

    def hexdigest(self) -> str:
        whole = hashlib.sha256(b"corpus-1\n")
        for name, (lengths, values) in self._streams.items():
            whole.update(f"{name} {lengths.hexdigest()} {values.hexdigest()}\n".encode())
        return whole.hexdigest()


def _value_bytes(column: pa.LargeBinaryArray) -> memoryview | bytes:
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return b""
    bounds = np.frombuffer(offsets, dtype="<i8")[column.offset : column.offset + len(column) + 1]
    return memoryview(data)[int(bounds[0]) : int(bounds[-1])]
