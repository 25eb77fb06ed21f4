"""Differences grouped by the base's exponent, one pcodec chunk a group.

An optimiser's step has a nearly constant absolute size, so its size in units of the last place, and the chance that a
bf16 value moves at all, depends on the exponent of the value it moves. The receiver holds the base, so that context is
free: both sides put the differences in the same order (ascending exponent, file order within it) and cut it into the
same groups. Measured on a full fine-tune in bf16: 14.6 times smaller than the file, against 11.4 without the grouping.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pcodec import ChunkConfig, DeltaSpec, ModeSpec, PagingSpec  # type: ignore[import-untyped]
from pcodec.wrapped import FileCompressor, FileDecompressor  # type: ignore[import-untyped]

from openautoglm.errors import Corrupt

VERSION = "1"  # pcodec's major version: its format
LEVEL = 8
GROUP = 1024  # differences a group has at least; a smaller rest joins the group before it
TILE = 1 << 16  # elements sorted at a time: their order fits 16 bits each and the second-level cache
MARGIN = 1 << 16  # bytes of a chunk beside its packed numbers: its bins and offsets

Unsigned = npt.NDArray[Any]  # of u2, u4 or u8


def encode(delta: Unsigned, base: Unsigned, mantissa: int | None) -> bytes:
    """Chunks of all groups, one after the other; their lengths follow from ``base``."""
    order = Order.of(base, mantissa)
    signed = order.gather(delta).view(f"<i{delta.itemsize}")
    file = FileCompressor()
    parts = [file.write_header()]
    for start, stop in order.groups:
        chunk = file.chunk_compressor(signed[start:stop], _config(stop - start))
        parts += [chunk.write_meta(), chunk.write_page(0)]
    return b"".join(parts)


def decode(payload: bytes, base: Unsigned, mantissa: int | None) -> Unsigned:
    """The differences in file order.

    Raises:
        Corrupt: ``payload`` is not exactly these groups' chunks.
    """
    order = Order.of(base, mantissa)
    try:
        return order.scatter(_decode_groups(payload, order.groups, base))
    except Corrupt:
        raise
    except BaseException as error:
        # pcodec raises RuntimeError on bad input, and a Rust panic arrives as a BaseException of its own
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise Corrupt(f"pcodec: {str(error)[:200]}") from None
        raise


@dataclass(frozen=True)
class Order:
    """Ascending exponent, file order within one; sorted tile by tile, which is three times faster than all at once.

    ``tiles`` holds for each tile of TILE elements the order within it, ``moves`` the (start within the sorted tile,
    start in the whole order, count) of each of its exponents; ``groups`` the [start, stop) of each group in the whole.
    """

    tiles: tuple[npt.NDArray[np.uint16], ...]
    moves: tuple[tuple[tuple[int, int, int], ...], ...]
    groups: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, base: Unsigned, mantissa: int | None) -> Order:
        if mantissa is None or len(base) < 2 * GROUP:
            return cls((), (), ((0, len(base)),) if len(base) else ())
        exponents = _exponents(base, mantissa)
        kinds = np.arange(1 << (base.itemsize * 8 - 1 - mantissa), dtype=exponents.dtype)
        tiles, bounds = [], np.empty((-(-len(base) // TILE), len(kinds) + 1), np.intp)
        for number, bound in enumerate(bounds):
            tile = exponents[number * TILE : (number + 1) * TILE]
            order = np.argsort(tile, kind="stable")
            tiles.append(order.astype(np.uint16))  # kept as they are, they cost more than the sorting
            bound[:-1], bound[-1] = np.searchsorted(tile, kinds, sorter=order), len(tile)
        starts, counts = bounds[:, :-1], bounds[:, 1:] - bounds[:, :-1]
        totals = counts.sum(axis=0)
        # where each tile's share of each exponent begins: all smaller exponents, then the tiles before
        places = np.cumsum(totals) - totals + np.cumsum(counts, axis=0) - counts
        there = np.nonzero(counts)
        each = list(zip(starts[there].tolist(), places[there].tolist(), counts[there].tolist(), strict=True))
        ends = np.cumsum(np.count_nonzero(counts, axis=1)).tolist()
        moves = [tuple(each[start:stop]) for start, stop in pairwise([0, *ends])]
        return cls(tuple(tiles), tuple(moves), tuple(_cuts(totals)))

    def gather(self, values: Unsigned) -> Unsigned:
        if not self.tiles:
            return values
        out = np.empty_like(values)
        for number, (tile, moves) in enumerate(zip(self.tiles, self.moves, strict=True)):
            part = values[number * TILE : (number + 1) * TILE].take(tile)
            for here, there, count in moves:
                out[there : there + count] = part[here : here + count]
        return out

    def scatter(self, values: Unsigned) -> Unsigned:
        """The inverse of gather."""
        if not self.tiles:
            return values
        out = np.empty_like(values)
        for number, (tile, moves) in enumerate(zip(self.tiles, self.moves, strict=True)):
            part = np.empty(len(tile), values.dtype)
            for here, there, count in moves:
                part[here : here + count] = values[there : there + count]
            out[number * TILE : (number + 1) * TILE][tile.astype(np.intp)] = part
        return out


def _decode_groups(payload: bytes, groups: tuple[tuple[int, int], ...], base: Unsigned) -> Unsigned:
    out = np.empty(len(base), f"<i{base.itemsize}")
    file, position = FileDecompressor.new(payload)
    for start, stop in groups:
        # bounded slices: a copy of the whole rest for every group would be quadratic
        reach = position + MARGIN + (stop - start) * (base.itemsize + 1)
        chunk, used = file.chunk_decompressor(payload[position:reach], f"i{base.itemsize * 8}")
        position += used
        progress, used = chunk.read_page_into(payload[position:reach], stop - start, out[start:stop])
        position += used
        if progress.n_processed != stop - start or not progress.finished:
            raise Corrupt(f"pcodec: {progress.n_processed} of {stop - start} differences in a group")
    if position != len(payload):
        raise Corrupt(f"pcodec: {len(payload) - position} bytes after the last group")
    return out.view(base.dtype)


def _exponents(base: Unsigned, mantissa: int) -> npt.NDArray[Any]:
    bits = base.itemsize * 8 - 1 - mantissa
    exponent = (base >> base.dtype.type(mantissa)) & base.dtype.type((1 << bits) - 1)
    small: Unsigned = exponent.astype(np.uint8 if bits <= 8 else np.uint16)
    return small


def _cuts(counts: npt.NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    start, stop, total = 0, 0, int(counts.sum())
    for count in counts.tolist():
        stop += count
        if stop - start >= GROUP and (total - stop >= GROUP or stop == total):
            yield start, stop
            start = stop
    if stop > start:
        yield start, stop


def _config(count: int) -> ChunkConfig:
    # the differences are noise around zero: no pattern between neighbours and no common divisor to search for
    return ChunkConfig(
        compression_level=LEVEL,
        mode_spec=ModeSpec.classic(),
        delta_spec=DeltaSpec.no_op(),
        paging_spec=PagingSpec.exact_page_sizes([count]),
    )
