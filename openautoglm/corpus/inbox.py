"""The inbox: the batches that the user gave, in order of arrival. The one thing that cannot be rebuilt.

inbox/0001-tickets-3fa9c1d2.jsonl        a file
inbox/0002-banking77-77ab01cc/           a folder with train, valid and test files
inbox/0003-day-0b1e22aa.url              a pointer: one URL that is read when the pipeline runs
inbox/_aside/0004-bad-17c2a0f3.jsonl     set aside after it failed its checks; nothing reads it
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from openautoglm.corpus.source import format_of, is_data_set, is_url, source_files, stem_of
from openautoglm.errors import SourceError
from openautoglm.files import fingerprint, fsync_dir, locked, sha256_file

_NUMBERED = re.compile(r"^(\d{4,})-")
_HASHED = re.compile(r"-[0-9a-f]{8}$")
ASIDE = "_aside"
INCOMING = ".incoming."


@dataclass(frozen=True)
class Entry:
    """One batch: its name (``0001-tickets``) and the path or URL to read it from."""

    batch: str
    source: str


def put(inbox: Path, source: str) -> Path:
    """Copy a local file or folder into ``inbox``, or leave a pointer to a URL; return the entry's path.

    The same content again is the entry that is already there.

    Raises:
        SourceError: nothing there, or nothing that can be read.
    """
    name, content = named(source)
    with locked(inbox):
        for entry in visible(inbox):
            if entry.name.endswith(content):
                return entry
        number = 1 + max((int(m[1]) for e in _ever(inbox) if (m := _NUMBERED.match(e.name))), default=0)
        return _place(inbox, f"{number:04d}-{name}", source)


def check(source: str) -> None:
    """Raises SourceError where :func:`put` would; reads no content."""
    if is_url(source) and not source.startswith("file://"):
        if not is_data_set(source) and format_of(source) is None:
            source_files(source)  # a folder, or else it says which endings are known
    else:
        source_files(str(_local(source)))


def replace(inbox: Path, sources: Sequence[str]) -> list[Path]:
    """The inbox holds ``sources``, in this order, and no other batch.

    What was there goes last, when every new batch is in its place: a fault, or a kill, loses nothing.

    Raises:
        SourceError: as :func:`put`, for any of them; nothing has changed then.
    """
    wanted: dict[str, tuple[str, str]] = {}
    for source in sources:
        name, content = named(source)
        wanted.setdefault(content, (name, source))  # the same content is one batch
    with locked(inbox), incoming(inbox) as staged:
        new = {inbox / f"{n:04d}-{name}": source for n, (name, source) in enumerate(wanted.values(), 1)}
        missing = [entry for entry in new if not entry.exists()]
        for entry in missing:
            _copy(new[entry], staged / entry.name)
        for entry in missing:
            os.replace(staged / entry.name, entry)
        fsync_dir(inbox)
        for other in visible(inbox):
            if other not in new:
                shutil.rmtree(other) if other.is_dir() else other.unlink()
    return list(new)


def named_again(entry: str, content: Path) -> str:
    """The name of ``entry`` with the hash of ``content``, which was made of it.

    Raises:
        SourceError: it was dropped into the folder and is not taken in yet.
    """
    if not is_named(entry):
        raise SourceError(f"{entry}: still arriving in the inbox; try again in a few seconds")
    stem = stem_of(entry) if content.is_file() else entry
    return f"{_HASHED.sub('', stem)}-{_digest(content)}{entry[len(stem) :]}"


def exchange(inbox: Path, old: str, new: str | None, staged: Path) -> None:
    """``staged / new`` comes into the inbox, then ``old`` goes; under :func:`locked`."""
    if new is not None:
        os.replace(staged / new, inbox / new)
    os.replace(inbox / old, staged / f"old-{old}")
    fsync_dir(inbox)


def clear(inbox: Path, staged: Path) -> None:
    """Remove what killed processes left half done in the inbox; under :func:`locked`."""
    for left in set(inbox.glob(f"{INCOMING}*")) - {staged}:
        shutil.rmtree(left, ignore_errors=True)


def names(inbox: Path, through: str | None = None) -> list[str]:
    """Names of the entries in order of arrival, up to and with ``through``; none where there is no inbox."""
    found = [entry.name for entry in visible(inbox)] if inbox.is_dir() else []
    return [name for name in found if through is None or place(name) <= place(through)]


def place(name: str) -> tuple[float, str]:
    """What the order of arrival goes by: the number in an entry's name, whatever its width; then the name."""
    number = _NUMBERED.match(name)
    return (int(number[1]) if number else float("inf"), name)


def entries(inbox: Path, through: str | None = None) -> list[Entry]:
    """The batches in ``inbox`` in order of arrival, up to and with ``through``.

    Raises:
        SourceError: there are none.
    """
    found = names(inbox, through)
    if not found:
        raise SourceError(
            f"{inbox}: no batch in the inbox; give one with `autoglm ingest FILE`, or try the sample with `make run`"
        )
    return [Entry(batch_name(name), _source_of(inbox / name)) for name in found]


def _ever(inbox: Path) -> list[Path]:
    """With what was set aside: its numbers are taken."""
    aside = inbox / ASIDE
    return [*visible(inbox), *(aside.iterdir() if aside.is_dir() else ())]


def visible(inbox: Path) -> list[Path]:
    """What lies there, in order of arrival: the entries, and what was dropped and is not taken in yet."""
    return sorted((e for e in inbox.iterdir() if _is_batch(e.name)), key=lambda e: place(e.name))


def unnumbered(entry: str) -> str:
    """An entry's name without its number: what it is called where nobody counts."""
    return _NUMBERED.sub("", entry)


def content(entry: str) -> str:
    """``-<sha8><ending>`` of an entry's name: the same for the same content; empty: no name of ours."""
    stem = stem_of(entry.removesuffix(".url"))
    found = _HASHED.search(stem)
    return found[0] + entry[len(stem) :] if found else ""


def is_named(name: str) -> bool:
    """Whether ``put`` gave this name: a number and a content hash."""
    return bool(_NUMBERED.match(name) and _HASHED.search(stem_of(name.removesuffix(".url"))))


def _is_batch(name: str) -> bool:
    return not name.startswith((".", "_")) and PurePosixPath(name).stem.lower() != "readme"


def batch_name(entry: str) -> str:
    """What an entry's rows are marked with, and reports call it: its name without hash and ending."""
    return _HASHED.sub("", stem_of(entry.removesuffix(".url")))


def _source_of(entry: Path) -> str:
    """What an entry is read from: itself, or the URL in a pointer.

    Raises:
        SourceError: a pointer without one.
    """
    if entry.suffix != ".url":
        return str(entry)
    source = entry.read_text(encoding="utf-8").strip()
    if not is_url(source):
        raise SourceError(f"{entry}: expected one URL in it, found {source[:60]!r}; give the batch again")
    return source


def named(source: str) -> tuple[str, str]:
    """(``<stem>-<sha8><ending>``, ``-<sha8><ending>``) by content; a URL's content is the URL.

    With its ending: the same bytes as .csv and .tsv are two things. A name that ends with the hash, as entries' do, gets
    none twice.
    """
    check(source)
    if is_url(source) and not source.startswith("file://"):
        stem, ending, digest = stem_of(source.partition("?")[0]), ".url", fingerprint(source.encode())[:8]
    else:
        path = _local(source)
        stem = path.resolve().name if path.is_dir() else stem_of(path.name)
        ending, digest = "" if path.is_dir() else path.name[len(stem) :], _digest(path)
    content = f"-{digest}{ending}"
    return _plain(stem.removesuffix(f"-{digest}")) + content, content


def _digest(path: Path) -> str:
    """The first 8 digits of a hash of a file, or of the data files in a folder."""
    files = source_files(str(path))
    if path.is_dir():
        return fingerprint([[Path(file.url).name, sha256_file(Path(file.url))] for file in files])[:8]
    return sha256_file(path)[:8]


def _local(source: str) -> Path:
    path = Path(source.removeprefix("file://"))
    if not path.exists():
        raise SourceError(f"{source}: not found; check the path or URL")
    return path


def _plain(stem: str) -> str:
    """A name that is safe in a path and a URL, and that no ending is taken from later."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", stem).strip("-_")[:60] or "batch"


def _place(inbox: Path, name: str, source: str) -> Path:
    """Copy into a hidden folder, then rename: a reader, and DVC, never see half a batch."""
    with incoming(inbox) as staged:
        _copy(source, staged / name)
        os.replace(staged / name, inbox / name)
    fsync_dir(inbox)
    return inbox / name


def _copy(source: str, to: Path) -> None:
    if to.name.endswith(".url"):
        to.write_text(source + "\n", encoding="utf-8")
    elif (path := _local(source)).is_dir():
        to.mkdir()
        for file in source_files(str(path)):
            shutil.copyfile(file.url, to / Path(file.url).name)
    else:
        shutil.copyfile(path, to)


@contextmanager
def incoming(inbox: Path) -> Iterator[Path]:
    """A folder for what is on its way, in the inbox itself: one that is mounted is a file system of its own."""
    with tempfile.TemporaryDirectory(dir=inbox, prefix=INCOMING) as folder:
        yield Path(folder)
