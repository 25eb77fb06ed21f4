"""Room for two small files, a log entry and a pointer, that a full disk cannot take away.

spare = Spare(Path("releases"))
spare.keep()                        # while there is room
with spare.in_use():                # when there may be none
    spare.take(error, path, data)

The files lie in the folder as .spare-0 and .spare-1. What is written takes the place of their bytes on the disk: blocks
that are freed first would be anybody's. A file system that never writes in place (btrfs, ZFS) frees them all the same.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openautoglm.files import write_atomic

FILES, SIZE = 2, 64 << 10
FULL = (errno.ENOSPC, errno.EDQUOT)


class Spare:
    def __init__(self, folder: Path) -> None:
        self.files = [folder / f".spare-{number}" for number in range(FILES)]
        self._users = 0

    def keep(self) -> None:
        """Make what is not there.

        Raises:
            OSError: the disk is full already.
        """
        for file in self.files:
            if not _is_whole(file):
                write_atomic(file, os.urandom(SIZE))  # zeros are no bytes to a disk that compresses
                file.chmod(0o664)  # of a store that a group publishes to

    @contextmanager
    def in_use(self) -> Iterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    def take(self, error: OSError, beside: Path, data: bytes) -> Path | None:
        """A file on disk that holds ``data``, hidden beside ``beside``; None: ``error`` is not that of a full disk, or
        nothing is left.
        """
        if not self._users or error.errno not in FULL:
            return None
        for file in filter(_is_whole, self.files):
            mine = beside.with_name(f".{beside.name}.{os.getpid()}-{threading.get_ident()}")
            try:
                os.rename(file, mine)  # whoever else wants it, takes the next
                with mine.open("r+b") as handle:
                    handle.write(data)
                    handle.truncate()
                    os.fsync(handle.fileno())
            except (FileNotFoundError, PermissionError):
                continue
            return mine
        return None


def _is_whole(file: Path) -> bool:
    """Whether it is there, all of it, and nothing else: one that a killed process took may be a part of the store by now."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return False
    return found.st_size == SIZE and found.st_nlink == 1
