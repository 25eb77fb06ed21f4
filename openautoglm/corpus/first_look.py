"""The first rows of a batch before it comes into the inbox: an empty file, or one that is not what its name says, stays out.

    look("today.jsonl", params.ingest.columns)

Only the beginning is read: what is wrong further down is for `validate` to find and count.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from openautoglm.corpus.formats import records
from openautoglm.corpus.source import SourceFile, is_url, naming, source_files
from openautoglm.errors import SourceError
from openautoglm.params import Columns

ROWS = 20  # of which one at least must be a row
START = 4096  # bytes of a text file that must be text


def look(source: str, columns: Columns) -> None:
    """Look at the beginning of each file of ``source``; other URLs than file:// are read when the pipeline runs.

    Raises:
        SourceError: empty, no row in it, or none of its first rows can be read as the kind that its name says.
    """
    if is_url(source) and not source.startswith("file://"):
        return
    for file in source_files(source.removeprefix("file://")):
        _look(file, columns)


def _look(file: SourceFile, columns: Columns) -> None:
    if not Path(file.url).stat().st_size:
        raise SourceError(f"{file.url}: empty; expected rows of {file.format}; nothing was taken")
    if file.format != "parquet" and b"\0" in _start(file):
        raise SourceError(
            f"{file.url}: not {file.format}; expected UTF-8 text, found zero bytes; nothing was taken"
        )
    found = list(islice(records(file, columns), ROWS))
    if not found:
        raise SourceError(f"{file.url}: no rows in it; expected rows of {file.format}; nothing was taken")
    faults = [record.fault for record in found if record.fault and not record.fields]
    if len(faults) == len(found):
        raise SourceError(
            f"{file.url}: not {file.format}; none of its first {len(found)} rows can be read "
            f"({faults[0]}); nothing was taken"
        )


def _start(file: SourceFile) -> bytes:
    with file.open() as handle, naming(file.url):
        return bytes(handle.read(START))
