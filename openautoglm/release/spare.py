"""Room for two small files, a log entry and a pointer, that a full disk cannot take away.

spare = Spare(Path("releases"))
spare.keep()                        # while there is room
with spare.in_use():                # when there may be none
    spare.take(error, data)

The files lie in the folder as .spare-0 and .spare-1. What is written takes the place of their bytes on the disk: blocks
that are freed first would be anybody's.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openautoglm.files import write_atomic

FILES, SIZE = 2, 64 << 10
FULL = (errno.ENOSPC, errno.EDQUOT)


class Spare:
    def __init__(self, folder: Path) -> None:
        self.files = [folder / f".spare-{number}" for number in range(FILES)]
        self._is_in_use = False

    def keep(self) -> None:
        """Make what is not there.

        Raises:
            OSError: the disk is full already.
        """
        for file in self.files:
            if not file.is_file() or file.stat().st_size != SIZE:  # was taken, by one that was killed at it
                write_atomic(file, b"\0" * SIZE)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        self._is_in_use = True
        try:
            yield
        finally:
            self._is_in_use = False

    def take(self, error: OSError, data: bytes) -> Path | None:
        """A file on disk that holds ``data``; None: ``error`` is not that of a full disk, or nothing is left."""
        file = next((file for file in self.files if file.is_file()), None)
        if not self._is_in_use or error.errno not in FULL or file is None:
            return None
        with file.open("r+b") as handle:
            handle.write(data)
            handle.truncate()
            os.fsync(handle.fileno())
        return file
