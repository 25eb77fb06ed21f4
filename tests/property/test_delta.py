"""The law of deltas, over all dtypes and bit patterns: apply(base, diff(base, new)) is new, the whole file, byte for byte."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openautoglm.release import codec
from openautoglm.release.delta import Delta, apply, diff
from openautoglm.release.weights import DTYPES, Weights, root
from tests.unit.release.samples import WIDTH, Tensor, write

NAMES = ["a", "b", "層.weight", "x/../y", "b.c", 'quote"d', " "]
# where bit patterns are awkward: zeros of both signs, smallest, infinities, quiet and signalling NaNs with payloads
SPECIAL = {
    1: [0x00, 0x80, 0x7F, 0xFF, 0x01],
    2: [0x0000, 0x8000, 0x0001, 0x7F80, 0xFF80, 0x7FC1, 0xFFFF, 0x7C00, 0xFC01],
    4: [0x00000000, 0x80000000, 0x00000001, 0x7F800000, 0xFF800000, 0x7FC00001, 0xFFFFFFFF, 0x7F800001],
    8: [0, 1 << 63, 1, 0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000001, (1 << 64) - 1],
}


@st.composite
def tensors(draw: st.DrawFn, dtype: str | None = None) -> Tensor:
    dtype = dtype or draw(st.sampled_from(sorted(WIDTH)))
    shape = tuple(draw(st.lists(st.integers(0, 12), max_size=3)))
    return dtype, shape, _bits(draw, dtype, int(np.prod(shape, dtype=int)))


def _bits(draw: st.DrawFn, dtype: str, count: int) -> bytes:
    size = count * WIDTH[dtype]
    if draw(st.booleans()):
        random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        return random.bytes(size)
    patterns = SPECIAL[DTYPES[dtype][1]]
    values = draw(st.lists(st.sampled_from(patterns), min_size=1, max_size=5))
    return np.resize(np.array(values, f"<u{DTYPES[dtype][1]}"), max(size, 1)).tobytes()[:size]


@st.composite
def models(draw: st.DrawFn) -> dict[str, Tensor]:
    return draw(st.dictionaries(st.sampled_from(NAMES), tensors(), max_size=5))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A base, and a target in which tensors stayed, moved, grew, were tied, renamed, retyped, added or dropped."""
    base, target = draw(models()), draw(models())
    for name, (dtype, shape, data) in base.items():
        fate = draw(st.sampled_from(["keep", "move", "grow", "rename", "drop", "tie", "other"]))
        if fate in ("keep", "tie"):
            target[name] = (dtype, shape, data)
        if fate in ("rename", "tie"):
            target[name + ".renamed"] = (dtype, shape, data)
        if fate == "move":
            target[name] = (dtype, shape, _moved(draw, data))
        if fate == "grow" and shape:
            rows = np.random.default_rng(1).bytes(len(data) // max(shape[0], 1) * 2 if shape[0] else 0)
            target[name] = (
                dtype,
                ((shape[0] + 2, *shape[1:]) if shape[0] else shape),
                _moved(draw, data) + rows,
            )
        if fate == "drop":
            target.pop(name, None)
    return base, target


def _moved(draw: st.DrawFn, data: bytes) -> bytes:
    moved = bytearray(data)
    for place in draw(st.lists(st.integers(0, max(len(data) - 1, 0)), max_size=4)) if data else []:
        moved[place] ^= draw(st.integers(1, 255))
    return bytes(moved)


@settings(max_examples=100, deadline=None)
@given(
    pairs(),
    st.none() | st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
    st.integers(0, 9),
)
def test_apply_inverts_diff(
    pair: tuple[dict[str, Tensor], dict[str, Tensor]], metadata: dict[str, str] | None, pad: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        base, new = (
            write(here / "base", pair[0], {"format": "pt"}),
            write(here / "new", pair[1], metadata, pad),
        )
        delta = diff(base, new, here / "delta")
        apply(base, here / "delta", here / "out")
        assert (here / "out").read_bytes() == new.read_bytes()
        assert (delta.base, delta.target) == (_root(base), _root(new))
        assert Delta.load(here / "delta") == delta
        # an anchor is the same law without a base
        diff(None, new, here / "anchor")
        apply(None, here / "anchor", here / "out2")
        assert (here / "out2").read_bytes() == new.read_bytes()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(WIDTH)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 3000),
    st.sampled_from([0, 8, 24]),
)
def test_every_codec_is_exact_on_any_bits(dtype: str, seed: int, count: int, row: int) -> None:
    _, width, mantissa = DTYPES[dtype]
    form = codec.Form(width, mantissa, row)
    size = count * max(row, 1) * width
    random = np.random.default_rng(seed)
    base = random.bytes(size)
    step = random.integers(0, 3, size // width).astype(f"<u{width}") * (random.random(size // width) < 0.2)
    new = (np.frombuffer(base, f"<u{width}") + step.astype(f"<u{width}")).tobytes()
    for target, known in ((new, base), (base, None), (random.bytes(size), base), (base, base)):
        code, payload = codec.encode(target, known, form)
        assert len(payload) <= size
        assert codec.decode(code, payload, known, size, form) == target


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32", "F64"])
def test_all_codecs_take_turns_and_are_exact(dtype: str) -> None:
    """Over 200,000 values, so that the exponent groups, the rows and the sampling are all at work."""
    _, width, mantissa = DTYPES[dtype]
    random = np.random.default_rng(3)
    base = random.integers(0, 1 << (8 * width - 1), 200_000, dtype=np.uint64).astype(f"<u{width}")
    new = base + random.integers(0, 5, len(base)).astype(base.dtype)
    for row in (0, 100):
        if row:
            new = np.where(np.arange(len(base)) // row % 3 == 0, new, base)
        form = codec.Form(width, mantissa, row)
        for encode in (codec._encode, lambda n, b, f: (codec.PLANES, codec._planes(n, b, f))):
            code, payload = encode(new, base, form)
            assert codec.decode(code, payload, base.tobytes(), base.nbytes, form) == new.tobytes()


def test_a_chain_of_deltas_is_the_direct_one(tmp_path: Path) -> None:
    from tests.unit.release.samples import model

    files = [write(tmp_path / f"v{step}", model(steps=step, rows=24 + 4 * step)) for step in range(4)]
    current = files[0]
    for step in (1, 2, 3):
        diff(files[step - 1], files[step], tmp_path / f"d{step}")
        apply(current, tmp_path / f"d{step}", tmp_path / f"out{step}")
        current = tmp_path / f"out{step}"
    assert current.read_bytes() == files[3].read_bytes()


def test_order_of_tensors_and_threads_do_not_change_what_is_said(tmp_path: Path) -> None:
    from tests.unit.release.samples import model

    base, new = model(), model(steps=1)
    shuffled = dict(sorted(new.items(), reverse=True))
    first = diff(write(tmp_path / "b", base), write(tmp_path / "n", new), tmp_path / "d1", threads=1)
    second = diff(tmp_path / "b", tmp_path / "n", tmp_path / "d2", threads=4)
    assert (tmp_path / "d1").read_bytes() == (tmp_path / "d2").read_bytes()
    third = diff(tmp_path / "b", write(tmp_path / "s", shuffled), tmp_path / "d3")
    assert first.target == second.target == third.target
    assert {name: change.hash for name, change in first.changes.items()} == {
        name: change.hash for name, change in third.changes.items()
    }


def test_opens_as_any_safetensors_file(tmp_path: Path) -> None:
    from safetensors import safe_open

    from tests.unit.release.samples import model

    diff(write(tmp_path / "b", model()), write(tmp_path / "n", model(steps=1)), tmp_path / "d")
    with safe_open(tmp_path / "d", "np") as file:
        assert list(file.metadata()) == ["autoglm.delta"]
        assert {file.get_tensor(name).dtype.name for name in file.keys()} == {"uint8"}  # noqa: SIM118


def _root(path: Path) -> str:
    weights = Weights.open(path)
    with weights.reader() as reader:
        return root(weights.entries, reader.hashes())
