"""The storages: a local folder, an S3 bucket's prefix, and whatever else fsspec opens.

storage = open_storage("releases")        open_storage("s3://bucket/prefix")
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import fsspec

from openautoglm.files import fsync_dir, write_atomic
from openautoglm.release.spare import Spare
from openautoglm.release.storage import Storage, naming, told


def open_storage(url: str) -> Storage:
    """The storage behind a folder name or URL."""
    with naming(url):
        protocol = fsspec.core.split_protocol(url)[0] or "file"
        options = {"use_listings_cache": False} if protocol in ("s3", "s3a") else {}
        fs, path = fsspec.core.url_to_fs(url, **options)
    kinds = {"file": LocalStorage, "local": LocalStorage, "s3": S3Storage, "s3a": S3Storage}
    return kinds.get(protocol, Storage)(fs, path, url)


class LocalStorage(Storage):
    """A folder. Every file appears under its name complete and on disk."""

    def __init__(self, fs: Any, root: str, url: str) -> None:
        super().__init__(fs, root, url)
        self.spare = Spare(Path(self.root))

    @told
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

    @told
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

    @told
    def reserve(self) -> None:
        self.spare.keep()

    @contextmanager
    def on_reserve(self) -> Iterator[None]:
        with self.spare.in_use():
            yield

    @told
    def put(self, name: str, source: Path) -> None:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path) as temporary:
            self.fs.get_file(str(source), str(temporary))
            _sync(temporary)
            os.replace(temporary, path)
        fsync_dir(path.parent)

    @told
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

    @told
    def create(self, name: str, data: bytes) -> bool:
        return self._put_if(name, data, IfNoneMatch="*")

    @told
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
