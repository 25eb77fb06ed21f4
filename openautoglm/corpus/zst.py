"""Reading ``.zst``: fsspec's reader cannot be iterated by line, stops after the first frame, and takes a cut for the end."""

from __future__ import annotations

import io
from typing import IO, Any

import zstandard

CHUNK = 1 << 17  # compressed bytes read at a time


class _Frames(io.RawIOBase):
    """The bytes of all frames of ``file``, one behind the other."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._frame = self._fresh()
        self._inside = False
        self._rest, self._ready = b"", b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises EOFError: the file ends inside a frame."""
        view = memoryview(buffer)
        while not self._ready:
            data = self._rest or self._file.read(CHUNK)
            if not data and self._inside:
                raise EOFError("the file breaks off")
            if not data:
                return 0
            self._ready, self._rest, self._inside = self._frame.decompress(data), b"", True
            if self._frame.eof:
                self._rest, self._frame, self._inside = self._frame.unused_data, self._fresh(), False
        count = min(len(view), len(self._ready))
        view[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def _fresh(self) -> zstandard.ZstdDecompressionObj:
        return zstandard.ZstdDecompressor().decompressobj()


def unpacked(file: IO[bytes]) -> IO[bytes]:
    """``file``'s bytes decompressed, streamed. Reading raises EOFError where it breaks off, ZstdError where it is none."""
    return io.BufferedReader(_Frames(file), CHUNK)
