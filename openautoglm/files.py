"""Bytes on disk: canonical JSON, sha256 fingerprints, and writes that are there whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# of a checkout, beside what DVC keeps
LEDGER = Path(".autoglm/ledger.db")  # which batch is where, and who trains (loop/)
SCRATCH = Path(".autoglm/source")  # batches from elsewhere come through here, one process at a time
PARENTS = Path(".autoglm/parents")  # <id>/: releases written out beside the publisher


def canonical_json(value: Any) -> bytes:
    """The one byte string of a JSON value: sorted keys, no spaces, UTF-8, NaN refused."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def repaired(text: str) -> str:
    """``text`` with U+FFFD for what UTF-8 cannot say: half of a surrogate pair."""
    return text.encode("utf-8", errors="surrogatepass").decode("utf-8", errors="replace")


def load_json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def save_json(path: Path, value: Any) -> None:
    """Write ``value`` for people and programs alike: sorted, indented, one trailing newline, atomic."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(path, (text + "\n").encode())


def write_atomic(path: Path, data: bytes) -> None:
    """Temporary name, fsync, rename: a reader sees the old bytes or the new ones, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would make outputs private
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    fsync_dir(path.parent)


def fsync_dir(path: Path) -> None:
    """Make a rename inside ``path`` survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def fresh_dir(path: Path) -> Iterator[Path]:
    """Yield a temporary directory beside ``path`` that takes its place when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    os.chmod(temporary, 0o755)
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    fsync_dir(path.parent)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer at a time. The lock is on the folder itself: a lock file in it would be one more thing to hash."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def keep_newest(paths: Iterable[Path], count: int) -> None:
    """Remove all but the ``count`` files or folders that changed last; what others remove meanwhile is no fault."""
    changed: list[tuple[float, Path]] = []
    for path in paths:
        with suppress(FileNotFoundError):
            changed.append((path.stat().st_mtime, path))
    for _, old in sorted(changed, reverse=True)[count:]:
        if old.is_dir():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.unlink(missing_ok=True)


def located(root: Path, place: str) -> str:
    """Where a folder or URL of params.yaml is: a URL as it stands, a path as seen from ``root``."""
    return place if "://" in place else str(root / place)


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(value: Any) -> str:
    """sha256 of a JSON value's canonical bytes, or of ``bytes`` as they are."""
    return hashlib.sha256(value if isinstance(value, bytes) else canonical_json(value)).hexdigest()


def fingerprint_dir(path: Path) -> str:
    """sha256 over the sorted (relative name, sha256) list of the files below ``path``: names and bytes, not times."""
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return fingerprint([[p.relative_to(path).as_posix(), sha256_file(p)] for p in files])
