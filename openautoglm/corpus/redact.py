"""Documents out of the inbox's files: JSONL, CSV, TSV and Parquet, compressed or not, without their rows.

    found = take_out(inbox, ids, "asked by the customer", params.ingest)

Every other row keeps its bytes (Parquet's is decoded and written again). New files are written beside the inbox, then
the record of what goes (forgotten.py), then the entries are exchanged one by one: after a kill the next call ends it.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from openautoglm.corpus import inbox as boxes
from openautoglm.corpus.forgotten import Forgotten, hashed, records, write
from openautoglm.corpus.read import read
from openautoglm.corpus.source import SourceFile, source_files
from openautoglm.errors import SourceError
from openautoglm.files import locked
from openautoglm.params import IngestParams

Ids = Iterator[str]  # of the rows of a file, in their order


@dataclass(frozen=True)
class TakenOut:
    """documents: rows that went; renamed: entry → entry now, None where nothing was left; unknown: ids in no batch."""

    documents: int
    renamed: dict[str, str | None]
    unknown: tuple[str, ...]


def look(inbox: Path, ids: Collection[str], params: IngestParams) -> tuple[dict[str, int], set[str]]:
    """({entry that holds some of ``ids``: how many rows}, the ids that were found).

    Raises:
        SourceError: an entry cannot be read, so nobody can say what is in it.
    """
    wanted, holding, found = set(ids), dict[str, int](), set[str]()
    for name, entry in zip(boxes.names(inbox), boxes.entries(inbox), strict=True):
        rows = [doc_id for doc_id in _ids(entry.source, entry.batch, params) if doc_id in wanted]
        if rows:
            holding[name] = len(rows)
            found.update(rows)
    return holding, found


def still_there(inbox: Path, digests: Collection[str], params: IngestParams) -> frozenset[str]:
    """The ids in the inbox whose sha256 is one of ``digests``, as the record has them."""
    ids = (doc_id for entry in boxes.entries(inbox) for doc_id in _ids(entry.source, entry.batch, params))
    return frozenset(doc_id for doc_id in ids if hashed([doc_id])[0] in digests)


def take_out(inbox: Path, ids: Collection[str], reason: str, params: IngestParams) -> TakenOut:
    """Rewrite every entry that holds one of ``ids`` without it, and leave a record.

    Raises:
        SourceError: as :func:`look`, or an entry that holds one is a pointer to a URL; nothing has changed then.
    """
    finish(inbox)
    holding, found = look(inbox, ids, params)
    before = {digest for record in records(inbox) for digest in record.ids}
    unknown = tuple(sorted(i for i in set(ids) - found if hashed([i])[0] not in before))
    pointers = [name for name in holding if name.endswith(".url")]
    if pointers:
        raise SourceError(
            f"{pointers[0]}: a pointer to a URL, whose rows are not ours to change; take the documents out there, "
            "or take the pointer away and ingest a copy without them; nothing has changed"
        )
    renamed: dict[str, str | None] = {}
    if holding:
        with locked(inbox), boxes.incoming(inbox) as beside:
            for name in holding:
                renamed[name] = _without(inbox / name, beside, set(ids), params)
            _note(inbox, reason, renamed, sum(holding.values()), found)
            for old, new in renamed.items():
                boxes.exchange(inbox, old, new, beside)
    return TakenOut(sum(holding.values()), renamed, unknown)


def finish(inbox: Path) -> None:
    """End what a killed call began: an entry that has its successor goes, a successor that never came is not on record."""
    found = records(inbox)
    if not found:
        return
    with locked(inbox), boxes.incoming(inbox) as beside:
        boxes.clear(inbox, beside)
        done: dict[str, str | None] = {}
        for old, new in found[-1].renamed.items():
            if not (inbox / old).exists():
                done[old] = new
            elif new is not None and (inbox / new).exists():
                boxes.exchange(inbox, old, None, beside)
                done[old] = new
        if done != found[-1].renamed:
            write(inbox, [*found[:-1], replace(found[-1], renamed=done)])


def _note(
    inbox: Path, reason: str, renamed: dict[str, str | None], documents: int, found: Collection[str]
) -> None:
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    new, earlier = Forgotten(when, reason, renamed, documents, hashed(found)), records(inbox)
    if earlier and not earlier[-1].renamed and set(earlier[-1].ids) <= set(new.ids):
        earlier.pop()  # a killed call's, of which nothing had come to pass
    write(inbox, [*earlier, new])


def _without(entry: Path, beside: Path, gone: set[str], params: IngestParams) -> str | None:
    """Write ``entry`` without ``gone`` below ``beside`` under its new name, which is returned; None: nothing is left."""
    ids = _ids(str(entry), "", params)
    copy = beside / f"cut-{entry.name}"
    if entry.is_dir():
        copy.mkdir()
    left = 0
    for file in source_files(str(entry)):
        path = Path(file.url)
        target = copy / path.name if entry.is_dir() else copy
        kept = _cut(file, target, ids, gone)
        left += kept
        if not kept:
            target.unlink()  # a data file without a row is a fault
        else:
            _sync(target)
    if not left:
        return None
    name = boxes.named_again(entry.name, copy)
    os.replace(copy, beside / name)
    return name


def _ids(source: str, batch: str, params: IngestParams) -> Ids:
    for rows in read(source, batch, params):
        yield from rows.column("doc_id").to_pylist()


def _cut(file: SourceFile, target: Path, ids: Ids, gone: set[str]) -> int:
    """Copy the rows of ``file`` whose next of ``ids`` is not ``gone``; returns how many those are."""
    if file.format == "parquet":
        return _cut_parquet(Path(file.url), target, ids, gone)
    left = 0
    with file.open() as source, _written(target) as out:
        rows = _lines(source) if file.format == "jsonl" else _csv_rows(source, file.format)
        for is_row, raw in rows:
            stays = not is_row or next(ids) not in gone
            left += is_row and stays
            if stays:
                out.write(raw)
    return left


def _lines(handle: IO[bytes]) -> Iterator[tuple[bool, bytes]]:
    """(whether it is a row, its bytes)"""
    return ((bool(line.strip()), line) for line in handle)


def _csv_rows(handle: IO[bytes], kind: str) -> Iterator[tuple[bool, bytes]]:
    """As the reader in formats.py counts them: a row may go over several lines, an empty one is none."""
    csv.field_size_limit(sys.maxsize >> 32)
    taken: list[str] = []

    def lines() -> Iterator[str]:
        # latin-1 keeps every byte, and breaks lines where UTF-8 does
        for line in io.TextIOWrapper(handle, encoding="latin-1", newline=""):
            taken.append(line)
            text = line.encode("latin-1").decode("utf-8", errors="replace").replace("\0", "�")
            yield text.removeprefix("\ufeff") if header else text

    header = True
    for row in csv.reader(lines(), delimiter="\t" if kind == "tsv" else ","):
        raw = "".join(taken).encode("latin-1")
        taken.clear()
        yield bool(row) and not header, raw
        header = False


def _cut_parquet(source: Path, target: Path, ids: Ids, gone: set[str]) -> int:
    left = 0
    with pq.ParquetFile(source) as parquet:
        groups = parquet.metadata.num_row_groups
        codec = parquet.metadata.row_group(0).column(0).compression if groups else "ZSTD"
        with pq.ParquetWriter(target, parquet.schema_arrow, compression=codec) as writer:
            for batch in parquet.iter_batches():
                stays = [doc_id not in gone for doc_id in islice(ids, batch.num_rows)]
                kept = batch.filter(pa.array(stays, pa.bool_()))
                writer.write_batch(kept)
                left += kept.num_rows
    return left


@contextmanager
def _written(target: Path) -> Iterator[Any]:
    if target.suffix != ".gz":
        with fsspec.open(str(target), "wb", compression="infer") as out:
            yield out
        return
    # gzip's header holds the time: the same rows would get another name each time
    with target.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        yield packed


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
