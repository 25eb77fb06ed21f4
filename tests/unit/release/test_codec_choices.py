"""What the other tests cannot see from outside: which codec a large block gets, where groups are cut, what a reader refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from openautoglm.errors import Corrupt, ReleaseError
from openautoglm.release import codec, grouping
from openautoglm.release.blocks import MIN_ROW, blocks
from openautoglm.release.delta import apply, diff
from openautoglm.release.grouping import GROUP
from openautoglm.release.rebuild import _unpack
from openautoglm.release.weights import MAX_HEADER, TensorEntry, Weights
from tests.unit.release.samples import DENSE_PAYLOAD, model, write


def trained(count: int, seed: int = 0) -> tuple[bytes, bytes]:
    """bf16 weights, and the same after a step of nearly constant absolute size."""
    random = np.random.default_rng(seed)
    base = (random.normal(size=count) * 0.05).astype("<f4")
    new = base + (random.normal(size=count) * 5e-5).astype("<f4")
    first, second = ((values.view("<u4") + 0x8000 >> 16).astype("<u2").tobytes() for values in (base, new))
    return first, second


def test_a_large_block_is_grouped_by_exponent_where_that_is_smaller() -> None:
    base, new = trained(3 * codec.SAMPLE)
    form = codec.Form(2, 7, 0)
    code, payload = codec.encode(new, base, form)
    assert codec.NAMES[code] == "xg"
    planes = codec._planes(np.frombuffer(new, "<u2"), np.frombuffer(base, "<u2"), form)
    ungrouped = codec._grouped(np.frombuffer(new, "<u2"), np.frombuffer(base, "<u2"), codec.Form(2, None, 0))
    assert len(payload) < 0.85 * min(len(planes), len(ungrouped))


@pytest.mark.parametrize(
    ("counts", "groups"),
    [
        ([GROUP, GROUP], [(0, GROUP), (GROUP, 2 * GROUP)]),
        ([GROUP - 1, 1, GROUP], [(0, GROUP), (GROUP, 2 * GROUP)]),
        ([GROUP - 1, GROUP], [(0, 2 * GROUP - 1)]),  # the first alone is too few, and then none are left
        ([GROUP, GROUP - 1], [(0, 2 * GROUP - 1)]),  # too few would be left
        ([0, 3 * GROUP, 0, GROUP, 0], [(0, 3 * GROUP), (3 * GROUP, 4 * GROUP)]),
        ([5], [(0, 5)]),
        ([0], []),
    ],
)
def test_groups_are_cut_as_the_format_says(counts: list[int], groups: list[tuple[int, int]]) -> None:
    assert list(grouping._cuts(np.array(counts))) == groups


def test_a_block_is_one_group_up_to_2047_elements() -> None:
    """Section 4 of the format."""
    base = np.where(np.arange(2 * GROUP) % 2, 0x3F80, 0x4000).astype("<u2")
    assert grouping.Order.of(base[:-1], 7).groups == ((0, 2 * GROUP - 1),)
    assert grouping.Order.of(base, 7).groups == ((0, GROUP), (GROUP, 2 * GROUP))


def test_nothing_may_follow_the_last_group() -> None:
    base, new = trained(10_000)
    form = codec.Form(2, 7, 0)
    payload = codec._grouped(np.frombuffer(new, "<u2"), np.frombuffer(base, "<u2"), form)
    assert codec.decode(codec.XG, payload, base, len(base), form) == new
    with pytest.raises(Corrupt, match="1 bytes after the last group"):
        codec.decode(codec.XG, payload + b"\0", base, len(base), form)


@pytest.mark.parametrize(("changed", "name"), [(74, "rows"), (75, "planes")])
def test_untouched_rows_are_left_out_below_three_quarters(changed: int, name: str) -> None:
    base = np.zeros((100, 64), "<u1")
    new = base.copy()
    new[:changed] = 1
    code, payload = codec.encode(new.tobytes(), base.tobytes(), codec.Form(1, None, 64))
    assert codec.NAMES[code] == name
    assert codec.decode(code, payload, base.tobytes(), base.nbytes, codec.Form(1, None, 64)) == new.tobytes()


def test_the_bitmap_of_rows_may_name_no_row_beyond_the_block() -> None:
    base, new = (np.zeros(12 * 8, "<u2") for _ in range(2))
    new[:8] = 1
    form = codec.Form(2, 7, 8)
    bits = bytearray(2)
    bits[0], bits[1] = 0b1, 0b1000_0000  # row 15 of 12
    bitmap = codec._compress(bytes(bits))
    inner = codec._planes(new[:8], base[:8], codec.Form(2, 7, 0))
    bad = len(bitmap).to_bytes(4, "little") + bitmap + bytes([codec.PLANES]) + inner
    with pytest.raises(Corrupt, match="beyond the block's 12"):
        codec.decode(codec.ROWS, bad, base.tobytes(), base.nbytes, form)
    bits[1] = 0
    bitmap = codec._compress(bytes(bits))
    good = len(bitmap).to_bytes(4, "little") + bitmap + bytes([codec.PLANES]) + inner
    assert codec.decode(codec.ROWS, good, base.tobytes(), base.nbytes, form) == new.tobytes()


def entry(shape: tuple[int, ...], dtype: str = "BF16") -> TensorEntry:
    return TensorEntry("w", dtype, shape, 0, int(np.prod(shape)) * 2)


def test_blocks_hold_whole_rows_and_only_those_are_marked() -> None:
    row = 3 << 20  # bytes: 2 rows fit into a block, not 2.67
    cut = [(start, stop, form.row) for start, stop, form in blocks(entry((5, row // 2)), 5 * row)]
    assert cut == [(0, 2 * row, row // 2), (2 * row, 4 * row, row // 2), (4 * row, 5 * row, row // 2)]
    # rows of fewer than 8 integers are not worth a bit each
    assert [form.row for _, _, form in blocks(entry((10, MIN_ROW)), 20 * MIN_ROW)] == [MIN_ROW] == [8]
    assert [form.row for _, _, form in blocks(entry((10, 7)), 140)] == [0]
    # a row larger than a block, and a vector, are cut at 8 MiB
    for shape in ((2, 5 << 20), (10 << 20,)):
        cut = [(start, stop, form.row) for start, stop, form in blocks(entry(shape), 20 << 20)]
        assert cut == [(0, 8 << 20, 0), (8 << 20, 16 << 20, 0), (16 << 20, 20 << 20, 0)]
    # grown: the shared part ends where the base does
    assert [(a, b) for a, b, _ in blocks(entry((10, 8)), 64)] == [(0, 64), (64, 160)]


def test_a_payload_ends_with_its_last_block(tmp_path: Path) -> None:
    base, new = write(tmp_path / "b", model()), write(tmp_path / "n", model(steps=1))
    delta = diff(base, new, tmp_path / "d")
    where, known = delta.weights.by_name()[DENSE_PAYLOAD], Weights.open(base)
    with delta.weights.reader() as reader:
        longer = Longer(reader.read(where, 0, where.size) + b"\0")
        (target,) = (e for e in Weights.open(new).entries if e.name == "bert.dense.weight")
        before = known.by_name()["bert.dense.weight"]
        with known.reader() as old:
            jobs = list(_unpack(target, where, reader, before, old))
            assert b"".join(job() for job in jobs) == model(steps=1)["bert.dense.weight"][2]
            more = replace(where, size=where.size + 1)
            with pytest.raises(Corrupt, match="bytes after its last block"):
                list(_unpack(target, more, longer, before, old))  # type: ignore[arg-type]


class Longer:
    """A reader of one payload."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.weights = SimpleNamespace(path=Path("longer"))

    def read(self, entry: TensorEntry, start: int, size: int) -> bytes:
        return self.payload[start : start + size]


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, new = write(tmp_path / "b", model()), write(tmp_path / "n", model(steps=1))
    diff(base, new, tmp_path / "d")
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(ReleaseError, match="10 are free"):
        apply(base, tmp_path / "d", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "d", "n"]


def test_the_numbers_of_the_format() -> None:
    """docs/delta-format.md, sections 3 and 4: another number is another format."""
    assert (codec.BLOCK, GROUP, MIN_ROW, MAX_HEADER) == (8 * 1024 * 1024, 1024, 8, 16 * 1024 * 1024)
