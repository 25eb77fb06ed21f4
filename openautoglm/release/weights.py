"""A safetensors file as bytes: its header read with suspicion, its tensors as ranges of integers.

Nothing here knows torch, and nothing is decoded to floats: bf16 is a 16-bit integer whose top bit is a sign. Reads are
positional, a block at a time, so that a file of any size is walked in the memory of one block (a memory map would
count every touched page as ours, and a file cut short under it would end the process instead of raising).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from blake3 import blake3

from openautoglm.errors import Corrupt
from openautoglm.files import canonical_json

MAX_HEADER = 16 << 20  # bytes; a header of 100,000 tensors is about 10 MB
MAX_DIMENSIONS = 64
# Bytes read at a time for hashing: more than a block, since glibc keeps for the next block what it has once seen freed in
# one piece; with less it gives the pages back and asks for them again, a tenth of the time of a delta
CHUNK = 12 << 20

# name in the header: (bits of an element, bytes of the integers it is read as, bits of a float's mantissa or None for
# patterns that are ordered as they stand)
DTYPES: Mapping[str, tuple[int, int, int | None]] = {
    "BOOL": (8, 1, None),
    "U8": (8, 1, None),
    "I8": (8, 1, None),
    "F4": (4, 1, None),
    "F6_E2M3": (6, 1, None),
    "F6_E3M2": (6, 1, None),
    "F8_E4M3": (8, 1, 3),
    "F8_E5M2": (8, 1, 2),
    "F8_E8M0": (8, 1, None),
    "U16": (16, 2, None),
    "I16": (16, 2, None),
    "F16": (16, 2, 10),
    "BF16": (16, 2, 7),
    "U32": (32, 4, None),
    "I32": (32, 4, None),
    "F32": (32, 4, 23),
    "U64": (64, 8, None),
    "I64": (64, 8, None),
    "F64": (64, 8, 52),
    "C64": (64, 4, 23),
}


@dataclass(frozen=True)
class TensorEntry:
    """Where a tensor lies: ``start`` and ``size`` in bytes, counted from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int

    @property
    def width(self) -> int:
        """Bytes of the integers this tensor is read as."""
        return DTYPES[self.dtype][1]

    @property
    def mantissa(self) -> int | None:
        return DTYPES[self.dtype][2]

    @property
    def row(self) -> int:
        """Bytes of one step along the first axis; 0 where a tensor has no rows or they do not end on integers."""
        if len(self.shape) < 2 or not self.size or self.size % self.shape[0]:
            return 0
        row = self.size // self.shape[0]
        return 0 if row % self.width else row

    def alike(self, other: TensorEntry) -> bool:
        return (self.dtype, self.shape) == (other.dtype, other.shape)


@dataclass(frozen=True)
class Weights:
    """A safetensors file: ``header`` is its exact bytes without the length, ``entries`` its tensors in file order."""

    path: Path
    header: bytes
    entries: tuple[TensorEntry, ...]
    metadata: Mapping[str, str]

    @classmethod
    def open(cls, path: Path) -> Weights:
        """Read and check the header of ``path``.

        Raises:
            Corrupt: not a safetensors file, cut short, or a header that contradicts itself or the file's length.
        """
        length = path.stat().st_size
        with path.open("rb") as file:
            prefix = file.read(8)
            size = int.from_bytes(prefix, "little")
            if len(prefix) < 8 or size > min(MAX_HEADER, length - 8):
                raise Corrupt(
                    f"{path.name}: not a whole safetensors file: header of {size} bytes in a file of {length}"
                )
            header = file.read(size)
        entries, metadata = parse_header(header, path.name)
        data = sum(entry.size for entry in entries)
        if 8 + size + data != length:
            raise Corrupt(
                f"{path.name}: cut short or padded: its header asks for {8 + size + data} bytes, found {length}"
            )
        return cls(path, header, entries, metadata)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return 8 + len(self.header) + sum(entry.size for entry in self.entries)

    def by_name(self) -> dict[str, TensorEntry]:
        return {entry.name: entry for entry in self.entries}

    def reader(self) -> Reader:
        return Reader(self)

    def __repr__(self) -> str:
        return f"Weights({self.path.name}: {len(self.entries)} tensors, {self.size:,} bytes)"


class Reader:
    """Positional reads of a tensor's bytes; safe to share between threads."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self._offset = 8 + len(weights.header)
        self._file = os.open(weights.path, os.O_RDONLY)

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def read(self, entry: TensorEntry, start: int, size: int) -> bytes:
        """``size`` bytes of the tensor from its byte ``start``; less than that is a file that changed under us."""
        assert 0 <= start <= start + size <= entry.size
        parts, position, left = [], self._offset + entry.start + start, size
        while left:  # one pread gives at most 2 GiB
            part = os.pread(self._file, left, position)
            if not part:
                raise Corrupt(f"{self.weights.path.name}: ends inside tensor {entry.name}")
            parts.append(part)
            position, left = position + len(part), left - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def chunks(self, entry: TensorEntry) -> Iterator[bytes]:
        for start in range(0, entry.size, CHUNK):
            yield self.read(entry, start, min(CHUNK, entry.size - start))

    def hashes(self) -> dict[str, bytes]:
        """blake3 of every tensor's bytes."""
        found = {}
        for entry in self.weights.entries:
            digest = blake3()
            for chunk in self.chunks(entry):
                digest.update(chunk)
            found[entry.name] = digest.digest()
        return found


def root(entries: tuple[TensorEntry, ...], hashes: Mapping[str, bytes]) -> str:
    """The identity of a set of tensors, whatever their order in the file: blake3 over sorted (name, dtype, shape, blake3)."""
    rows = sorted([entry.name, entry.dtype, list(entry.shape), hashes[entry.name].hex()] for entry in entries)
    return str(blake3(canonical_json(rows)).hexdigest())


def parse_header(header: bytes, where: str) -> tuple[tuple[TensorEntry, ...], dict[str, str]]:
    """The tensors of a safetensors header in file order, and its metadata.

    Raises:
        Corrupt: not UTF-8 JSON, a name twice, an unknown dtype, a shape that does not fit its range, gaps or overlaps.
    """
    if not header.startswith(b"{"):
        raise Corrupt(f"{where}: not a safetensors file: its header does not start with '{{'")
    try:
        value = json.loads(header.decode("utf-8"), object_pairs_hook=_no_repeats)
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"{where}: its header is not sound JSON: {str(error)[:200]}") from None
    metadata = value.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise Corrupt(f"{where}: __metadata__ must map names to strings")
    entries = sorted((_entry(name, fields, where) for name, fields in value.items()), key=_place)
    position = 0
    for entry in entries:
        if entry.start != position:
            raise Corrupt(
                f"{where}: tensor {entry.name!r} starts at byte {entry.start}, expected {position}: a gap or an overlap"
            )
        position += entry.size
    return tuple(entries), metadata


def _place(entry: TensorEntry) -> tuple[int, int, str]:
    return entry.start, entry.size, entry.name


def _entry(name: str, fields: Any, where: str) -> TensorEntry:
    fault = Corrupt(
        f"{where}: tensor {name[:200]!r}: expected dtype, shape and data_offsets that fit each other"
    )
    if not isinstance(fields, dict) or fields.keys() != {"dtype", "shape", "data_offsets"}:
        raise fault
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise Corrupt(
            f"{where}: tensor {name[:200]!r} has dtype {str(dtype)[:40]!r}; known: {', '.join(DTYPES)}"
        )
    if not _counts(shape) or len(shape) > MAX_DIMENSIONS or not _counts(offsets) or len(offsets) != 2:
        raise fault
    bits = math.prod(shape) * DTYPES[dtype][0]
    if bits % 8 or offsets[0] + bits // 8 != offsets[1]:
        raise fault
    return TensorEntry(name, dtype, tuple(shape), offsets[0], bits // 8)


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(part) is int and 0 <= part < 1 << 63 for part in value)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    for name in found:
        name.encode("utf-8")  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    return found
