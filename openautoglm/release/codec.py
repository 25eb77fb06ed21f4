"""One block of a tensor, as integers, against the block the receiver holds: the smallest of a few exact encodings.

A block is at most BLOCK bytes. What is coded is the difference of *ordered* bit patterns modulo 2^k: a float's sign and
magnitude are mapped to a line of integers on which neighbours are neighbours, so a small step is a small number and
NaN payloads, infinities and -0.0 come back as they were. Adding differences of floats would not be exact; this is.

    code  name    payload
    0     raw     the bytes themselves
    1     same    nothing: the block is the base's
    2     split   zstd of the bytes, all lowest bytes first, then all second ones, ...; needs no base
    3     planes  zstd of the zigzag differences, split likewise
    4     rows    which rows changed, and one of the above or below for those rows alone
    5     xg      differences grouped by the base's exponent, one pcodec chunk a group (grouping.py)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from openautoglm.errors import Corrupt
from openautoglm.release import grouping

BLOCK = 8 << 20  # bytes of the target; part of the format
RAW, SAME, SPLIT, PLANES, ROWS, XG = range(6)
NAMES = ("raw", "same", "split", "planes", "rows", "xg")
LEVEL = 1  # zstd: higher levels cost ten times the time for nothing (level 3 is larger than 1 on planes)
ROWS_BELOW = 0.75  # share of changed rows below which the others are left out
SAMPLE = 1 << 12  # integers on which two codecs are compared before one of them does the whole block

Unsigned = npt.NDArray[Any]  # of u1, u2, u4 or u8


@dataclass(frozen=True)
class Form:
    """What the integers of a block are: ``width`` bytes each, ``mantissa`` bits (None: not floats), ``row`` integers a row (0: no rows)."""

    width: int
    mantissa: int | None
    row: int

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(f"<u{self.width}")


def encode(new: bytes, base: bytes | None, form: Form) -> tuple[int, bytes]:
    """The smallest encoding of ``new``: its code and its payload. ``base`` has the same length, or is None."""
    if base is None:
        return _smaller((RAW, new), (SPLIT, _compress(_split(np.frombuffer(new, form.dtype)))))
    if new == base:
        return SAME, b""
    code, payload = _encode(np.frombuffer(new, form.dtype), np.frombuffer(base, form.dtype), form)
    return _smaller((code, payload), (RAW, new))


def decode(code: int, payload: bytes, base: bytes | None, size: int, form: Form) -> bytes | memoryview:
    """The inverse: exactly ``size`` bytes, whatever ``payload`` says.

    Raises:
        Corrupt: an unknown code, or a payload that does not decode to exactly this block.
    """
    if code == RAW:
        return payload if len(payload) == size else _refuse("raw", len(payload), size)
    if code == SPLIT:
        return _join(_decompress(payload, size), form).data.cast("B")
    if base is None:
        raise Corrupt(f"codec {code} needs a base that this block does not have")
    if code == SAME:
        return base if not payload else _refuse("same", len(payload), 0)
    return _decode(code, payload, np.frombuffer(base, form.dtype), form).data.cast("B")


def _encode(new: Unsigned, base: Unsigned, form: Form) -> tuple[int, bytes]:
    if form.row:
        changed = (new.reshape(-1, form.row) != base.reshape(-1, form.row)).any(axis=1)
        if changed.mean() < ROWS_BELOW:
            bitmap = _compress(np.packbits(changed, bitorder="little").tobytes())
            flat = Form(form.width, form.mantissa, 0)
            code, payload = _encode(_rows(new, changed, form), _rows(base, changed, form), flat)
            return ROWS, len(bitmap).to_bytes(4, "little") + bitmap + bytes([code]) + payload
    return _differences(new, base, form)


def _differences(new: Unsigned, base: Unsigned, form: Form) -> tuple[int, bytes]:
    if form.width == 1:  # pcodec packs no single bytes
        return PLANES, _planes(new, base, form)
    if len(new) > 2 * SAMPLE:
        head, _ = _differences(new[:SAMPLE], base[:SAMPLE], form)
        return head, (_grouped if head == XG else _planes)(new, base, form)
    return _smaller((XG, _grouped(new, base, form)), (PLANES, _planes(new, base, form)))


def _planes(new: Unsigned, base: Unsigned, form: Form) -> bytes:
    return _compress(_split(_zigzag(difference(new, base, form), form)))


def _grouped(new: Unsigned, base: Unsigned, form: Form) -> bytes:
    return grouping.encode(difference(new, base, form), base, form.mantissa)


def _decode(code: int, payload: bytes, base: Unsigned, form: Form) -> Unsigned:
    if code == PLANES:
        return restore(_unzigzag(_join(_decompress(payload, base.nbytes), form), form), base, form)
    if code == XG and form.width > 1:
        return restore(grouping.decode(payload, base, form.mantissa), base, form)
    if code == ROWS and form.row:
        return _decode_rows(payload, base, form)
    raise Corrupt(f"unknown codec {code} for integers of {form.width} bytes")


def _decode_rows(payload: bytes, base: Unsigned, form: Form) -> Unsigned:
    length, count = int.from_bytes(payload[:4], "little"), len(base) // form.row
    if 4 + length >= len(payload) or payload[4 + length] == ROWS:
        raise Corrupt(
            f"rows: a bitmap of {length} bytes and no codec after it in a payload of {len(payload)}"
        )
    bits = np.frombuffer(_decompress(payload[4 : 4 + length], (count + 7) // 8), np.uint8)
    changed = np.unpackbits(bits, bitorder="little").astype(bool)
    if changed[count:].any():
        raise Corrupt(f"rows: the bitmap names rows beyond the block's {count}")
    changed = changed[:count]
    new = base.copy()
    part = _decode(payload[4 + length], payload[5 + length :], _rows(base, changed, form), form)
    new.reshape(-1, form.row)[changed] = part.reshape(-1, form.row)
    return new


def difference(new: Unsigned, base: Unsigned, form: Form) -> Unsigned:
    """ordered(new) - ordered(base) modulo 2^k."""
    return np.subtract(_ordered(new, form), _ordered(base, form))


def restore(delta: Unsigned, base: Unsigned, form: Form) -> Unsigned:
    """The bit patterns whose ordered difference to ``base`` is ``delta``."""
    ordered = np.add(delta, _ordered(base, form))
    if form.mantissa is None:
        return ordered
    signs = _signs(ordered)  # the inverse of _ordered: a set top bit was a positive number
    return _flipped(ordered, np.invert(signs, out=signs))


def _ordered(bits: Unsigned, form: Form) -> Unsigned:
    """Floats as integers in the order of their values: negative ones have all bits flipped, others the sign bit."""
    return bits if form.mantissa is None else _flipped(bits, _signs(bits))


def _signs(bits: Unsigned) -> npt.NDArray[np.signedinteger[Any]]:
    """-1 where the top bit is set, 0 elsewhere."""
    signs: npt.NDArray[np.signedinteger[Any]] = bits.view(f"<i{bits.itemsize}") >> (bits.itemsize * 8 - 1)
    return signs


def _flipped(bits: Unsigned, signs: npt.NDArray[np.signedinteger[Any]]) -> Unsigned:
    """All bits flipped where ``signs`` is -1, the top one where it is 0; in the memory of ``signs``."""
    signs |= np.iinfo(signs.dtype).min
    signs ^= bits.view(signs.dtype)
    return signs.view(bits.dtype)


def _zigzag(delta: Unsigned, form: Form) -> Unsigned:
    folded: Unsigned = (delta << 1) ^ _signs(delta).view(form.dtype)
    return folded


def _unzigzag(folded: Unsigned, form: Form) -> Unsigned:
    one = form.dtype.type(1)
    delta: Unsigned = (folded >> one) ^ np.negative(folded & one)
    return delta


def _split(values: Unsigned) -> bytes:
    return values.view(np.uint8).reshape(len(values), -1).T.tobytes()


def _join(planes: bytes, form: Form) -> Unsigned:
    return np.frombuffer(planes, np.uint8).reshape(form.width, -1).T.copy().view(form.dtype).reshape(-1)


def _rows(values: Unsigned, changed: npt.NDArray[np.bool_], form: Form) -> Unsigned:
    return values.reshape(-1, form.row)[changed].reshape(-1)


def _compress(data: bytes) -> bytes:
    return bytes(zstandard.ZstdCompressor(level=LEVEL).compress(data))


def _decompress(data: bytes, size: int) -> bytes:
    """A zstd frame that says and holds exactly ``size`` bytes; nothing is allocated before it says so."""
    try:
        declared = zstandard.frame_content_size(data)
        if declared != size:
            _refuse("zstd", declared, size)
        out = zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Corrupt(f"zstd: {error}") from None
    return bytes(out) if len(out) == size else _refuse("zstd", len(out), size)


def _smaller(first: tuple[int, bytes], second: tuple[int, bytes]) -> tuple[int, bytes]:
    return second if len(second[1]) < len(first[1]) else first


def _refuse(name: str, found: int, expected: int) -> bytes:
    raise Corrupt(f"{name}: a payload for {found} bytes, expected {expected}")
