"""Where texts come from: a file, a folder, an fsspec URL or a Hugging Face data set → the files to read.

local path · file://… · s3://bucket/day.parquet · https://…/day.csv.gz · memory://…
hf://datasets/owner/name[@revision][?config=name]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal
from urllib.parse import urlsplit

import fsspec

from openautoglm.corpus.document import Split
from openautoglm.corpus.split import split_of_file
from openautoglm.corpus.zst import unpacked
from openautoglm.errors import AutoGLMError, SourceError

Format = Literal["jsonl", "csv", "tsv", "parquet"]
FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")


@dataclass(frozen=True)
class SourceFile:
    """One file to read: where it is, how it is written, and the split that its name says, if any."""

    url: str
    format: Format
    split: Split | None

    @contextmanager
    def open(self) -> Iterator[IO[Any]]:
        """The (decompressed) bytes, streamed.

        Raises:
            SourceError: it cannot be opened; the message carries the file system's reason.
        """
        with naming(self.url):
            # Parquet is read from its end and knows its own compression
            packed = _path_of(self.url).lower().endswith(".zst")
            compression = None if self.format == "parquet" or packed else "infer"
            file = fsspec.open(self.url, "rb", compression=compression).open()
        with file:
            yield unpacked(file) if packed and self.format != "parquet" else file


def is_url(source: str) -> bool:
    return "://" in source


def is_data_set(source: str) -> bool:
    """A Hugging Face data set, not one file in it (``hf://datasets/owner/name/day.parquet`` is a plain URL)."""
    return source.startswith("hf://datasets/") and format_of(source) is None


def source_files(source: str) -> list[SourceFile]:
    """The data files of a path or URL: itself, or those directly in the folder, in the order of their names.

    Raises:
        SourceError: nothing there, or nothing that we can read.
    """
    with naming(source):
        system, path = fsspec.core.url_to_fs(source)
        # a web server has no folders, and asking it for one downloads the file
        folder = not source.startswith(("http://", "https://")) and system.isdir(path)
        names = sorted(system.ls(path, detail=False)) if folder else [source]
    if not folder:
        kind = format_of(source)
        if kind is None:
            raise SourceError(f"{source}: unknown kind of file; expected a name in {_endings()}")
        return [SourceFile(source, kind, None)]
    seen = [PurePosixPath(name).name for name in names]
    files = [
        SourceFile(system.unstrip_protocol(name) if is_url(source) else name, kind, split_of_file(name))
        for name, base in zip(names, seen, strict=True)
        if not base.startswith((".", "_")) and (kind := format_of(name)) is not None
    ]
    if not files:
        found = ", ".join(seen[:5]) or "nothing"
        raise SourceError(
            f"{source}: no data file in this folder; expected names in {_endings()}, found {found}"
        )
    return files


def format_of(name: str) -> Format | None:
    suffixes = PurePosixPath(_path_of(name)).suffixes
    if suffixes and suffixes[-1].lower() in _COMPRESSED:
        suffixes.pop()
    return FORMATS.get(suffixes[-1].lower()) if suffixes else None


def stem_of(source: str) -> str:
    """The name that a source is remembered by: ``s3://b/day-1.csv.gz?x=1`` → ``day-1``."""
    name = PurePosixPath(_path_of(source).rstrip("/")).name
    for suffix in reversed(PurePosixPath(name).suffixes):
        if suffix.lower() in FORMATS or suffix.lower() in _COMPRESSED:
            name = name[: -len(suffix)]
    return name


def _path_of(source: str) -> str:
    if not is_url(source):
        return str(Path(source).absolute())
    url = urlsplit(source)
    return url.netloc + url.path


@contextmanager
def naming(source: str, what: str = "read") -> Iterator[None]:
    """Whatever a file system, server or codec raises in here becomes one line with the source's name: it cannot be ``what``.

    Object stores raise classes of their own (botocore's, aiohttp's) that share no base but Exception.
    """
    try:
        yield
    except (AutoGLMError, GeneratorExit):
        raise
    except FileNotFoundError:
        raise SourceError(f"{source}: not found; check the path or URL") from None
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or "no reason given"
        raise SourceError(f"{source}: cannot be {what} ({type(error).__name__}: {reason[:200]})") from error


def _endings() -> str:
    return ", ".join(FORMATS) + " (also .gz, .bz2, .xz, .zst)"
