"""Blobs on their way to a node: kept part by part, so that a pull that dies goes on where it was; checked when whole."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from openautoglm.errors import Corrupt
from openautoglm.files import sha256_file
from openautoglm.release.places import open_storage
from openautoglm.release.storage import Storage

AT_A_TIME = 4  # downloads


class Source(Protocol):
    """What a fetcher needs of a storage."""

    def size(self, name: str) -> int | None: ...

    def fetch(self, name: str, start: int) -> Iterator[bytes]: ...


class CandidateFirst:
    """The store as it will be: the candidate's blobs, then those that are there already."""

    def __init__(self, candidate: Path, storage: Storage) -> None:
        self.candidate, self.storage = open_storage(str(candidate)), storage

    def size(self, name: str) -> int | None:
        found = self.candidate.size(name)
        return self.storage.size(name) if found is None else found

    def fetch(self, name: str, start: int) -> Iterator[bytes]:
        source = self.storage if self.candidate.size(name) is None else self.candidate
        return source.fetch(name, start)


class Fetcher:
    """``fetched`` counts the bytes that moved."""

    def __init__(self, storage: Source, folder: Path) -> None:
        self.storage, self.folder, self.fetched = storage, folder, 0
        self._counting = threading.Lock()

    def blob(self, name: str, size: int) -> Path:
        """The blob as a local file.

        Raises:
            Corrupt: not in the store, or not what its name says, also when fetched once more from the start.
        """
        whole = self.folder / name
        if whole.exists() and sha256_file(whole) == name:
            return whole
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{name}.part"
        for _ in range(2):  # a bad part of an earlier try must not block us for ever
            self._fetch(name, size, part)
            if part.stat().st_size == size and sha256_file(part) == name:
                return part.replace(whole)
            part.unlink()
        raise Corrupt(
            f"blob {name[:12]}: the store gave other bytes than were published; run autoglm verify there"
        )

    def blobs(self, sizes: Mapping[str, int]) -> list[Path]:
        """Several at a time, in the order given; as :meth:`blob`."""
        with ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
            return list(pool.map(self.blob, sizes.keys(), sizes.values()))

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fetch(self, name: str, size: int, part: Path) -> None:
        found = self.storage.size(f"blobs/{name}")
        if found != size:
            raise Corrupt(f"blob {name[:12]}: expected {size} bytes, the store has {found or 'none'}")
        with part.open("ab") as file:
            for data in self.storage.fetch(f"blobs/{name}", file.tell()):
                file.write(data)
                file.flush()
                with self._counting:
                    self.fetched += len(data)
