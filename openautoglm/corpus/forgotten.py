"""What was taken out of the inbox: a record beside the batches that holds no id and no text in clear.

inbox/_forgotten.jsonl, a line each time:
{"when", "reason", "renamed": {old entry: new entry, or null where nothing was left}, "documents", "ids": [sha256, …]}

An entry without some of its rows keeps its number and stem and gets the hash of what it holds now. Releases name the
entries that they learnt from, so the record says what became of those names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from openautoglm.files import canonical_json, fingerprint, write_atomic

FILE = "_forgotten.jsonl"
_KEY = b"forgotten"  # in the metadata of a corpus's schema


@dataclass(frozen=True)
class Forgotten:
    """``ids``: sha256 of each id, sorted; ``renamed``: entry → entry, None where no row was left."""

    when: str
    reason: str
    renamed: dict[str, str | None]
    documents: int
    ids: tuple[str, ...]

    def __bytes__(self) -> bytes:
        """Its line."""
        return canonical_json({**asdict(self), "ids": list(self.ids)}) + b"\n"

    @property
    def fingerprint(self) -> str:
        return fingerprint(bytes(self).rstrip())


def hashed(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(fingerprint(doc_id.encode()) for doc_id in ids))


def records(inbox: Path) -> list[Forgotten]:
    """Oldest first."""
    path = inbox / FILE
    return parsed(path.read_bytes()) if path.is_file() else []


def parsed(lines: bytes) -> list[Forgotten]:
    """The records in what :func:`write` wrote."""
    found = [json.loads(line) for line in lines.splitlines()]
    return [Forgotten(**{**record, "ids": tuple(record["ids"])}) for record in found]


def write(inbox: Path, found: Sequence[Forgotten]) -> None:
    write_atomic(inbox / FILE, b"".join(map(bytes, found)))


def trail(found: Sequence[Forgotten], entry: str) -> list[str | None]:
    """The names of ``entry``, from this one to today's; None at the end: nothing of it was left."""
    names: list[str | None] = [entry]
    for record in found:
        if names[-1] in record.renamed:
            names.append(record.renamed[names[-1]])
    return names


def taken_from(found: Sequence[Forgotten], entry: str) -> int:
    """Rows that today's ``entry`` once had beside those that it has; at most, as a record counts those of all entries."""
    rows = 0
    for record in reversed(found):
        for old, new in record.renamed.items():
            if new == entry:
                entry, rows = old, rows + record.documents
                break
    return rows


def with_forgotten(schema: pa.Schema, taken: Mapping[str, int]) -> pa.Schema:
    """``schema`` of a corpus, with how many rows each batch was asked to forget; as it is where nothing was."""
    note = {batch: rows for batch, rows in taken.items() if rows}
    return schema.with_metadata({_KEY: canonical_json(note)}) if note else schema


def forgotten_rows(schema: pa.Schema) -> dict[str, int]:
    """What :func:`with_forgotten` noted."""
    found: dict[str, int] = json.loads((schema.metadata or {}).get(_KEY, b"{}"))
    return found


def today(found: Sequence[Forgotten], entries: Iterable[str]) -> list[str]:
    """Today's names of ``entries``, without those of which nothing was left."""
    return [name for entry in entries if (name := trail(found, entry)[-1]) is not None]
