"""Files that mean harm, or were harmed: each a clear error, nothing written, memory bounded."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest

from openautoglm.errors import Corrupt, ReleaseError, WrongBase
from openautoglm.release import Release, codec, release
from openautoglm.release.delta import diff
from openautoglm.release.weights import Weights
from tests.unit.release.forgery import Pair, bomb, grown, made, refused, rewritten, undeclared
from tests.unit.release.samples import DENSE_PAYLOAD, model, write, write_raw


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return made(tmp_path)


def test_wrong_base(pair: Pair, tmp_path: Path) -> None:
    _, new, delta = pair
    refused(new, delta, WrongBase, "applies to weights")
    refused(None, delta, WrongBase, "no base was given")
    refused(write(tmp_path / "other", model(seed=5)), delta, WrongBase)
    retyped = {
        name: ("F16" if dtype == "BF16" else dtype, shape, data)
        for name, (dtype, shape, data) in model().items()
    }
    refused(write(tmp_path / "retyped", retyped), delta, WrongBase)
    # the same weights under another header would give another file
    refused(write(tmp_path / "metadata", model(), {"a": "b"}), delta, WrongBase, "another header")
    refused(tmp_path / "nowhere", delta, ReleaseError, "no such file")


def test_every_truncation(pair: Pair, tmp_path: Path) -> None:
    base, _, delta = pair
    data = delta.read_bytes()
    for length in [*range(64), *range(64, len(data), 97), len(data) - 1]:
        delta.write_bytes(data[:length])
        refused(base, delta)
    delta.write_bytes(data + b"\0")
    refused(base, delta)


def test_any_flipped_bit(pair: Pair) -> None:
    base, _, delta = pair
    data, choose = delta.read_bytes(), random.Random(1)
    header = 8 + int.from_bytes(data[:8], "little")
    places = [*range(header), *choose.sample(range(header, len(data)), 200)]
    for place in choose.sample(places, 700):
        changed = bytearray(data)
        changed[place] ^= 1 << choose.randrange(8)
        delta.write_bytes(changed)
        refused(base, delta)


def test_a_changed_payload_is_told_before_anything_is_built(pair: tuple[Path, Path, Path]) -> None:
    data = bytearray(pair[2].read_bytes())
    data[-1] ^= 1
    pair[2].write_bytes(data)
    refused(pair[0], pair[2], match="its payload is not the one that was written")


HEADERS = {
    "not JSON": b"{nonsense",
    "not UTF-8": b'{"\xff": {}}',
    "an array": b"[]",
    "deep": b'{"a":' + b"[" * 100_000,
    "long number": b'{"a":{"dtype":"U8","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,1]}}',
    "lone surrogate": b'{"\\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
    "same name twice": b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
    "unknown dtype": b'{"a":{"dtype":"P8","shape":[1],"data_offsets":[0,1]}}',
    "shape and range differ": b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}}',
    "negative": b'{"a":{"dtype":"U8","shape":[-1],"data_offsets":[1,0]}}',
    "a fraction": b'{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}',
    "true": b'{"a":{"dtype":"U8","shape":[true],"data_offsets":[0,1]}}',
    "huge product": b'{"a":{"dtype":"U8","shape":[4611686018427387904,4],"data_offsets":[0,1]}}',
    "many dimensions": b'{"a":{"dtype":"U8","shape":[' + b"1," * 99 + b'1],"data_offsets":[0,1]}}',
    "a gap": b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
    "beyond the end": b'{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}',
    "missing field": b'{"a":{"dtype":"U8","shape":[1]}}',
    "extra field": b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}',
    "metadata of numbers": b'{"__metadata__":{"a":1},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
    "metadata a list": b'{"__metadata__":[],"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
    "half a byte": b'{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}',
    "overlap": b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
}


@pytest.mark.parametrize("name", HEADERS)
def test_hostile_headers(name: str, tmp_path: Path, pair: Pair) -> None:
    bad = write_raw(tmp_path / "bad", HEADERS[name], b"\1")
    with pytest.raises(Corrupt):
        Weights.open(bad)
    refused(bad, pair[2])
    refused(pair[0], bad)
    with pytest.raises(Corrupt):
        diff(pair[0], bad, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_header_that_says_it_is_huge(tmp_path: Path, pair: Pair) -> None:
    for length in (2**63, 2**40, (16 << 20) + 1, 100):
        refused(pair[0], write_raw(tmp_path / "bad", b"{}", b"", length), match="header of")


def frame(code: int, payload: bytes, length: int | None = None) -> bytes:
    return struct.pack("<BI", code, len(payload) if length is None else length) + payload


DENSE = 96 * 128 * 2
PAYLOADS = {
    "empty": b"",
    "frame cut short": b"\3\0",
    "longer than the rest": frame(codec.PLANES, b"x", 99),
    "longer than the block": frame(codec.RAW, bytes(DENSE + 1)),
    "2^32 - 1": frame(codec.RAW, b"", 2**32 - 1),
    "unknown codec": frame(9, b"x"),
    "raw too short": frame(codec.RAW, b"x"),
    "same with a payload": frame(codec.SAME, b"x"),
    "split needs no base but must fit": frame(codec.SPLIT, bomb(10)),
    "zstd bomb": frame(codec.PLANES, bomb(1 << 28)),
    "zstd bomb without a size": frame(codec.PLANES, undeclared(1 << 24)),
    "zstd with more behind it": frame(codec.PLANES, bomb(DENSE) + b"x"),
    "no zstd": frame(codec.PLANES, b"nonsense"),
    "xg nonsense": frame(codec.XG, b"nonsense"),
    "xg empty": frame(codec.XG, b""),
    "rows without a bitmap": frame(codec.ROWS, b"\xff\xff\0\0"),
    "rows in rows": frame(codec.ROWS, struct.pack("<I", len(bomb(12))) + bomb(12) + b"\4"),
    "rows, bitmap bomb": frame(codec.ROWS, struct.pack("<I", len(bomb(1 << 24))) + bomb(1 << 24) + b"\3x"),
    "rows, wrong inner": frame(codec.ROWS, struct.pack("<I", len(bomb(12))) + bomb(12) + b"\3x"),
    "right but with more behind it": frame(codec.PLANES, bomb(DENSE)) + b"x",
    "right form, wrong bytes": frame(codec.PLANES, bomb(DENSE)),
}  # fmt: skip


@pytest.mark.parametrize("name", PAYLOADS)
def test_sealed_payloads(name: str, pair: Pair) -> None:
    rewritten(pair, payloads={DENSE_PAYLOAD: PAYLOADS[name]})
    assert grown(lambda: refused(pair[0], pair[2])) < 64 << 10, "KiB"


@pytest.mark.slow
def test_fuzzed_payloads_never_do_more_than_raise() -> None:
    choose = np.random.default_rng(0)
    base = choose.integers(0, 1 << 16, 20_000).astype("<u2")
    new = (base + choose.integers(0, 3, len(base))).astype("<u2")
    form = codec.Form(2, 7, 100)
    sound = {
        codec.PLANES: codec._planes(new, base, form),
        codec.XG: codec._grouped(new, base, form),
        codec.ROWS: codec._encode(np.where(np.arange(20_000) < 9_000, new, base).astype("<u2"), base, form)[
            1
        ],
    }
    for code, payload in sound.items():
        for _ in range(1500):
            bad = bytearray(payload)
            for _ in range(choose.integers(1, 4)):
                bad[choose.integers(len(bad))] = choose.integers(256)
            bad = bad[: choose.integers(1, len(bad) + 1)] if choose.random() < 0.3 else bad
            try:
                out = codec.decode(code, bytes(bad), base.tobytes(), base.nbytes, form)
            except Corrupt:
                continue
            assert len(out) == base.nbytes


def test_a_manifest_that_is_too_large_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "MAX_MANIFEST", 1000)
    with pytest.raises(Corrupt, match="a manifest of 1,001 bytes; none is larger than 1,000"):
        Release.parse(b"[" * 1001, "v000001.json")
