"""Where a store's bytes lie: any fsspec URL, with the two promises that publishing needs, and one kind of error.

``create`` makes a file that was not there, or says that it was; ``swap`` replaces a file if it still holds what the
caller saw. Local folders keep both by hard link and lock, S3 by conditional put. Elsewhere (``memory://`` and what
else fsspec opens) they hold within this process only: let one process at a time publish there.

A step that is undone when the next one fails needs room for that on a disk that may be full by then: ``reserve`` keeps
some (spare.py), and inside ``on_reserve`` a write that finds the disk full takes it.
"""

from __future__ import annotations

import datetime
import fcntl
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import fsspec

from openautoglm.errors import AutoGLMError, ReleaseError
from openautoglm.files import fsync_dir, write_atomic
from openautoglm.release.spare import Spare

PART = 8 << 20  # bytes fetched at a time
_process = threading.Lock()
F = TypeVar("F", bound=Callable[..., Any])


def open_storage(url: str) -> Storage:
    """The storage behind a folder name or URL."""
    with _naming(url):
        protocol = fsspec.core.split_protocol(url)[0] or "file"
        options = {"use_listings_cache": False} if protocol in ("s3", "s3a") else {}
        fs, path = fsspec.core.url_to_fs(url, **options)
    kinds = {"file": LocalStorage, "local": LocalStorage, "s3": S3Storage, "s3a": S3Storage}
    return kinds.get(protocol, Storage)(fs, path, url)


@contextmanager
def _naming(url: str) -> Iterator[None]:
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


def _told(method: F) -> F:
    """A method of a storage whose faults name the store."""

    @wraps(method)
    def named(self: Storage, *args: Any) -> Any:
        with _naming(self.url):
            return method(self, *args)

    return cast(F, named)


class Storage:
    """Names are relative, with slashes; those that begin with a dot are nobody's and are never listed."""

    def __init__(self, fs: Any, root: str, url: str) -> None:
        self.fs, self.root, self.url = fs, root.rstrip("/"), url

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    @_told
    def read(self, name: str) -> bytes | None:
        try:
            return bytes(self.fs.cat_file(self.path(name)))
        except (FileNotFoundError, IsADirectoryError):
            return None

    @_told
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

    @_told
    def create(self, name: str, data: bytes) -> bool:
        """Write a file that is not there yet; False, and nothing written, if it is."""
        with _process:
            if self.fs.exists(self.path(name)):
                return False
            self._write(name, data)
            return True

    @_told
    def swap(self, name: str, before: bytes | None, after: bytes) -> bool:
        """Replace ``before`` (None: no file) by ``after``; False, and nothing written, if it is something else by now."""
        with _process:
            if self.read(name) != before:
                return False
            self._write(name, after)
            return True

    @_told
    def overwrite(self, name: str, data: bytes) -> None:
        """Write a file whatever was there. For files that have one writer."""
        self._write(name, data)

    @_told
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
            with _naming(self.url):
                part = bytes(self.fs.cat_file(self.path(name), start=start, end=min(start + PART, size)))
            if not part:
                return
            yield part
            start += len(part)

    @_told
    def remove(self, name: str) -> None:
        self.fs.rm_file(self.path(name))

    @_told
    def written(self, name: str) -> datetime.datetime:
        """When the file was written, with its time zone."""
        when: datetime.datetime = self.fs.modified(self.path(name))
        return when if when.tzinfo else when.replace(tzinfo=datetime.UTC)

    @_told
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


class LocalStorage(Storage):
    """A folder. Every file appears under its name complete and on disk."""

    def __init__(self, fs: Any, root: str, url: str) -> None:
        super().__init__(fs, root, url)
        self.spare = Spare(Path(self.root))

    @_told
    def create(self, name: str, data: bytes) -> bool:
        path = Path(self.path(name))
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._written(path, data) as temporary:
            try:
                os.link(temporary, path)  # unlike a rename, it fails where the name is taken
            except FileExistsError:
                return False
        fsync_dir(path.parent)
        return True

    @_told
    def swap(self, name: str, before: bytes | None, after: bytes) -> bool:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock():
            if self.read(name) != before:
                return False
            with self._written(path, after) as temporary:
                os.replace(temporary, path)
            fsync_dir(path.parent)
            return True

    @_told
    def reserve(self) -> None:
        self.spare.keep()

    @contextmanager
    def on_reserve(self) -> Iterator[None]:
        with self.spare.in_use():
            yield

    @_told
    def put(self, name: str, source: Path) -> None:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path) as temporary:
            self.fs.get_file(str(source), str(temporary))
            _sync(temporary)
            os.replace(temporary, path)
        fsync_dir(path.parent)

    @_told
    def overwrite(self, name: str, data: bytes) -> None:
        write_atomic(Path(self.path(name)), data)

    @contextmanager
    def _written(self, path: Path, data: bytes) -> Iterator[Path]:
        """A temporary file beside ``path`` that holds ``data``, on disk."""
        with ExitStack() as stack:
            try:
                temporary = stack.enter_context(_temporary(path))
                temporary.write_bytes(data)
                _sync(temporary)
            except OSError as error:
                if (taken := self.spare.take(error, path, data)) is None:
                    raise
                temporary = taken
                stack.callback(temporary.unlink, missing_ok=True)
            yield temporary

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """The kernel's lock: it goes with the process that held it, however that ended."""
        with open(self.path(".lock"), "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class S3Storage(Storage):
    """A bucket's prefix. Conditional puts: If-None-Match to create, If-Match to swap (AWS since 2024, MinIO, moto)."""

    @_told
    def create(self, name: str, data: bytes) -> bool:
        return self._put_if(name, data, IfNoneMatch="*")

    @_told
    def swap(self, name: str, before: bytes | None, after: bytes) -> bool:
        if before is None:
            return self.create(name, after)
        bucket, key, _ = self.fs.split_path(self.path(name))
        try:
            tag = self.fs.call_s3("head_object", Bucket=bucket, Key=key)["ETag"]
        except FileNotFoundError:
            return False
        # the tag was read first: if these bytes are newer than it, the put below is refused
        return self.read(name) == before and self._put_if(name, after, IfMatch=tag)

    def _put_if(self, name: str, data: bytes, **condition: str) -> bool:
        bucket, key, _ = self.fs.split_path(self.path(name))
        try:
            self.fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, **condition)
        except OSError as error:
            if "PreconditionFailed" in repr(error) + repr(error.__cause__) or "412" in str(error):
                return False
            raise
        return True

    def _parent(self, name: str) -> None:
        pass  # a bucket has no folders


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    os.chmod(name, 0o644)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
