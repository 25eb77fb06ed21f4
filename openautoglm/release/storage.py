"""Where a store's bytes lie: any fsspec URL, with the two promises that publishing needs, and one kind of error.

``create`` makes a file that was not there, or says that it was; ``swap`` replaces a file if it still holds what the
caller saw. places.py keeps both in local folders and on S3; here (``memory://`` and what else fsspec opens) they hold
within this process only: let one process at a time publish there.

A step that is undone when the next one fails needs room for that on a disk that may be full by then: ``reserve`` keeps
some (spare.py), and inside ``on_reserve`` a write that finds the disk full takes it.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from openautoglm.errors import AutoGLMError, ReleaseError

PART = 8 << 20  # bytes fetched at a time
_process = threading.Lock()
F = TypeVar("F", bound=Callable[..., Any])


@contextmanager
def naming(url: str) -> Iterator[None]:
    """Whatever a file system, a server or a client library raises in here becomes one line with the store's name.

    They share no base but Exception (botocore's, aiohttp's). A missing file is an answer, not a fault.
    """
    try:
        yield
    except (AutoGLMError, FileNotFoundError, GeneratorExit):
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or "no reason given"
        raise ReleaseError(
            f"store {url}: cannot be used ({type(error).__name__}: {reason[:200]}); check the address and your access"
        ) from error


def told(method: F) -> F:
    """A method of a storage whose faults name the store."""

    @wraps(method)
    def named(self: Storage, *args: Any) -> Any:
        with naming(self.url):
            return method(self, *args)

    return cast(F, named)


class Storage:
    """Names are relative, with slashes; those that begin with a dot are nobody's and are never listed."""

    def __init__(self, fs: Any, root: str, url: str) -> None:
        self.fs, self.root, self.url = fs, root.rstrip("/"), url

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    @told
    def read(self, name: str) -> bytes | None:
        try:
            return bytes(self.fs.cat_file(self.path(name)))
        except (FileNotFoundError, IsADirectoryError):
            return None

    @told
    def size(self, name: str) -> int | None:
        try:
            return int(self.fs.info(self.path(name))["size"])
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """The names of the files in ``folder``, sorted; empty where there is no such folder."""
        return [name for name in self._listed(folder) if not name.startswith(".")]

    def leftovers(self, folder: str) -> list[str]:
        """Files that a writer which died left under a temporary name."""
        return [name for name in self._listed(folder) if name.startswith(".")]

    @told
    def create(self, name: str, data: bytes) -> bool:
        """Write a file that is not there yet; False, and nothing written, if it is."""
        with _process:
            if self.fs.exists(self.path(name)):
                return False
            self._write(name, data)
            return True

    @told
    def swap(self, name: str, before: bytes | None, after: bytes) -> bool:
        """Replace ``before`` (None: no file) by ``after``; False, and nothing written, if it is something else by now."""
        with _process:
            if self.read(name) != before:
                return False
            self._write(name, after)
            return True

    @told
    def overwrite(self, name: str, data: bytes) -> None:
        """Write a file whatever was there. For files that have one writer."""
        self._write(name, data)

    @told
    def put(self, name: str, source: Path) -> None:
        """Copy a file in, whole or not at all. For names that follow from the content: whoever comes first, all is well."""
        self._parent(name)
        self.fs.put_file(str(source), self.path(name))

    def reserve(self) -> None:
        """Have room for two small files; elsewhere than on a local disk that is the store's owner's business."""

    @contextmanager
    def on_reserve(self) -> Iterator[None]:
        """Inside, ``create`` and ``swap`` take what :meth:`reserve` kept, where the disk is full."""
        yield

    def fetch(self, name: str, start: int) -> Iterator[bytes]:
        """The bytes of a file from ``start`` on, a part at a time."""
        size = self.size(name) or 0
        while start < size:
            with naming(self.url):
                part = bytes(self.fs.cat_file(self.path(name), start=start, end=min(start + PART, size)))
            if not part:
                return
            yield part
            start += len(part)

    @told
    def remove(self, name: str) -> None:
        self.fs.rm_file(self.path(name))

    @told
    def written(self, name: str) -> datetime.datetime:
        """When the file was written, with its time zone."""
        when: datetime.datetime = self.fs.modified(self.path(name))
        return when if when.tzinfo else when.replace(tzinfo=datetime.UTC)

    @told
    def _listed(self, folder: str) -> list[str]:
        try:
            found = self.fs.ls(self.path(folder), detail=True)
        except FileNotFoundError:
            return []
        return sorted(
            entry["name"].rstrip("/").rsplit("/", 1)[-1] for entry in found if entry["type"] == "file"
        )

    def _write(self, name: str, data: bytes) -> None:
        self._parent(name)
        self.fs.pipe_file(self.path(name), data)

    def _parent(self, name: str) -> None:
        self.fs.makedirs(self.path(name).rsplit("/", 1)[0], exist_ok=True)
