"""A folder or fsspec URL that others drop batches into, mirrored into the inbox: each batch once, in order of arrival.

    found = mirror("s3://bucket/in", Path("inbox"), Path(".autoglm/source"), params.ingest.columns)
    found.taken, found.refused

A batch is a data file, or a folder with train, valid or test files or with a name as the inbox gives it. What begins with . or _, ends with .part or .tmp, or
changes between two looks is still being written and is left. What was taken stands in inbox/_source.json, beside what
it says of the batches: {source: {name: {"mark", "entry" or "why"}}}. A changed file is another batch.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from openautoglm.corpus import first_look
from openautoglm.corpus import inbox as boxes
from openautoglm.corpus.arrivals import SETTLED
from openautoglm.corpus.forgotten import records
from openautoglm.corpus.source import format_of, naming
from openautoglm.corpus.split import split_of_file
from openautoglm.errors import SourceError
from openautoglm.files import fingerprint, load_json, locked, save_json
from openautoglm.params import Columns

FILE = "_source.json"
UNFINISHED = (".part", ".tmp")
# when a file changed last, as the file systems of fsspec call it
_TIMES = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")


@dataclass(frozen=True)
class Mirrored:
    """taken: new entries of the inbox; a line for each batch that was refused, which is told once, or failed to come."""

    taken: list[str]
    refused: list[str]
    failed: list[str]


@dataclass(frozen=True)
class Offer:
    """One batch at the source. files: {path there: bytes, None where it is not said}; mark: differs when it changed."""

    name: str
    is_folder: bool
    when: float
    mark: str
    files: Mapping[str, int | None]


def mirror(
    source: str,
    inbox: Path,
    scratch: Path,
    columns: Columns,
    pause: float = SETTLED,
    leave: Container[str] = (),
) -> Mirrored:
    """Take every batch at ``source`` that was not taken yet.

    Args:
        scratch: a folder to fetch into, which also keeps two mirrors apart.
        pause: seconds between the two looks, where there is something new.
        leave: content, as the inbox names it, that is left there.

    Raises:
        SourceError: it cannot be reached.
    """
    found = Mirrored([], [], [])
    with _alone(scratch) as folder:
        notes = known(inbox, source)
        new = [
            one
            for one in look(source)
            if notes.get(one.name, {}).get("mark") != one.mark and boxes.content(one.name) not in leave
        ]
        if new:
            time.sleep(pause)
            settled = {(one.name, one.mark) for one in look(source)}
            new = [one for one in new if (one.name, one.mark) in settled]
        for one in sorted(new, key=lambda one: (one.when, one.name)):
            try:
                _take(source, one, inbox, folder, columns, leave, found)
            except SourceError as error:  # the others are taken, this one when it can be
                found.failed.append(str(error))
    return found


def _take(
    source: str,
    one: Offer,
    inbox: Path,
    folder: Path,
    columns: Columns,
    leave: Container[str],
    found: Mirrored,
) -> None:
    path = _fetch(source, one, folder)
    try:
        first_look.look(str(path), columns)
        entry = _put(inbox, path, leave, found)
    except SourceError as error:
        why = str(error).replace(str(path), f"{source.rstrip('/')}/{one.name}")
        found.refused.append(why)
        note(inbox, source, one.name, one.mark, why=why)
    else:
        note(inbox, source, one.name, one.mark, entry=entry)


def _put(inbox: Path, path: Path, leave: Container[str], found: Mirrored) -> str:
    """The entry of what was fetched to ``path``.

    Raises:
        SourceError: documents were taken out of this very content; it would bring them back.
    """
    _, content = boxes.named(str(path))
    taken_out = {boxes.content(old) for record in records(inbox) for old in record.renamed}
    if content in taken_out or content in leave:
        raise SourceError(f"{path}: left there, since documents were taken out of it (autoglm forget)")
    before = boxes.names(inbox)
    entry = boxes.put(inbox, str(path)).name
    if entry not in before:
        found.taken.append(entry)
    return entry


def look(source: str) -> list[Offer]:
    """The batches that lie at ``source`` and are not on their way.

    Raises:
        SourceError: it cannot be reached.
    """
    with naming(source):
        system, path = fsspec.core.url_to_fs(source)
        system.invalidate_cache()  # object stores remember what they listed
        if not system.isdir(path):
            if not _is_empty_prefix(system, path):
                raise SourceError(f"{source}: not found, or no folder; check the address in params.yaml")
            return []
        offers = [
            _offer(system, row)
            for row in system.ls(path, detail=True)
            if row["name"].strip("/") != path.strip("/")
        ]
    return [one for one in offers if one is not None]


def _is_empty_prefix(system: Any, path: str) -> bool:
    """A bucket has no folders: where the bucket is there and no object below ``path``, nothing came yet."""
    bucket, _, below = path.strip("/").partition("/")
    is_local = "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))
    return bool(not is_local and below and not system.exists(path) and system.exists(bucket))


def _offer(system: Any, row: Mapping[str, Any]) -> Offer | None:
    """``row`` of a listing as a batch; None: it is none, or not whole yet."""
    name, is_folder = PurePosixPath(row["name"].rstrip("/")).name, row["type"] == "directory"
    if name.startswith((".", "_")):
        return None
    rows = list(system.ls(row["name"], detail=True)) if is_folder else [row]
    names = [PurePosixPath(one["name"]).name for one in rows]
    if any(one.endswith(UNFINISHED) for one in names):
        return None
    rows = [
        one
        for one, base in zip(rows, names, strict=True)
        if one["type"] == "file" and not base.startswith((".", "_")) and format_of(base)
    ]
    is_batch = not is_folder or boxes.content(name) or any(split_of_file(one["name"]) for one in rows)
    if not (rows and is_batch):
        return None
    marks = [[PurePosixPath(one["name"]).name, one.get("size"), _version(one)] for one in rows]
    when = max(_changed(one) for one in rows)
    files = {one["name"]: one.get("size") for one in rows}
    return Offer(name, is_folder, when, fingerprint(sorted(marks, key=str))[:16], files)


def _version(row: Mapping[str, Any]) -> str:
    return str(row.get("ETag") or row.get("etag") or row.get("md5Hash") or _changed(row))


def _changed(row: Mapping[str, Any]) -> float:
    """Seconds since 1970; 0 where the file system does not say."""
    when = next((row[key] for key in _TIMES if row.get(key) is not None), 0.0)
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    return when.timestamp() if isinstance(when, datetime) else float(when)


def _fetch(source: str, one: Offer, folder: Path) -> Path:
    """Copy the files of ``one`` below ``folder``.

    Raises:
        SourceError: it cannot be read, or it is not as long as it was when we looked.
    """
    target = folder / one.name
    if one.is_folder:
        target.mkdir()
    with naming(where := f"{source.rstrip('/')}/{one.name}"):
        system, _ = fsspec.core.url_to_fs(source)
        for path, size in one.files.items():
            to = target / PurePosixPath(path).name if one.is_folder else target
            system.get_file(path, str(to))
            if size is not None and to.stat().st_size != size:
                raise SourceError(f"{where}: it changed while it was fetched; it is taken when it rests")
    return target


def known(inbox: Path, source: str) -> dict[str, dict[str, str]]:
    """{name there: {"mark", and "entry" here or "why" not}} of what was taken from ``source``, or sent there."""
    path = inbox / FILE
    found: dict[str, dict[str, str]] = load_json(path).get(source, {}) if path.is_file() else {}
    return found


def note(inbox: Path, source: str, name: str, mark: str, **what: str) -> None:
    """Remember what became of ``name``; ``what``: its entry, or why it has none."""
    path = inbox / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    every = load_json(path) if path.is_file() else {}
    every.setdefault(source, {})[name] = {"mark": mark, **what}
    save_json(path, every)


@contextmanager
def _alone(scratch: Path) -> Iterator[Path]:
    """A folder below ``scratch`` for one mirror at a time, without what a killed one left."""
    with locked(scratch):
        for left in scratch.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            yield Path(folder)
