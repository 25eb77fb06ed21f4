"""The format as published: golden files of version 2 stay readable, and docs/delta-format.md is what the code does."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from openautoglm.release import codec
from openautoglm.release.container import FIELDS, MODES
from openautoglm.release.delta import Delta, apply, diff
from tests.golden import make_delta
from tests.golden.make_delta import pair
from tests.unit.release.samples import write

HERE = Path(__file__).parent
DOC = (HERE.parents[1] / "docs/delta-format.md").read_text()
WRITERS = {"pcodec": "1.1.0", "zstandard": "0.25.0"}  # what the golden files were written with


@pytest.mark.parametrize(("base", "delta"), [("base", "delta-2"), (None, "anchor-2")])
def test_golden_files_are_read(base: str | None, delta: str, tmp_path: Path) -> None:
    source = HERE / f"{base}.safetensors" if base else None
    apply(source, HERE / f"{delta}.safetensors", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (HERE / "target.safetensors").read_bytes()


same_writers = pytest.mark.skipif(
    {name: version(name) for name in WRITERS} != WRITERS, reason="other versions may pack tighter"
)


@same_writers
def test_golden_files_are_written(tmp_path: Path) -> None:
    base, target = (
        write(tmp_path / name, tensors, {"format": "pt"}) for name, tensors in zip("bt", pair(), strict=True)
    )
    diff(base, target, tmp_path / "d")
    diff(None, target, tmp_path / "a")
    for mine, golden in (("b", "base"), ("t", "target"), ("d", "delta-2"), ("a", "anchor-2")):
        assert (tmp_path / mine).read_bytes() == (HERE / f"{golden}.safetensors").read_bytes(), golden


def test_golden_files_have_it_all() -> None:
    delta = Delta.load(HERE / "delta-2.safetensors")
    codes = set()
    with delta.weights.reader() as reader:
        for entry in delta.weights.entries:
            payload = reader.read(entry, 0, entry.size)
            while payload:
                codes.add(codec.NAMES[payload[0]])
                payload = payload[5 + int.from_bytes(payload[1:5], "little") :]
    assert codes == set(codec.NAMES)
    assert {change.mode for change in delta.changes.values()} == set(MODES)


def example(name: str) -> bytes:
    lines = re.search(rf"```hex {name}\n(.*?)```", DOC, re.DOTALL)[1].splitlines()  # type: ignore[index]
    data = b""
    for line in lines:
        assert int(line[:4], 16) == len(data), line
        data += bytes.fromhex(line[6:53])
    return data


def test_the_example_on_the_page(tmp_path: Path) -> None:
    for name in ("base", "target", "delta"):
        (tmp_path / name).write_bytes(example(name))
    apply(tmp_path / "base", tmp_path / "delta", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == example("target")


@same_writers
def test_the_example_is_written() -> None:
    assert "\n".join(make_delta.example()) in DOC


def test_the_tables_on_the_page() -> None:
    assert {name for name in FIELDS if f"| `{name}` |" in DOC} == FIELDS
    assert {name for name in MODES if f"| `{name}` |" in DOC} == set(MODES)
    assert all(f"| {code} | {name} |" in DOC for code, name in enumerate(codec.NAMES))
    rows = re.findall(r"^\| \S+ \| `([0-9a-f]{4})` \| `([0-9a-f]{4})` \|$", DOC, re.MULTILINE)
    assert len(rows) == 5
    form = codec.Form(2, 7, 0)
    for bits, ordered in rows:
        assert codec._ordered(np.array([int(bits, 16)], "<u2"), form)[0] == int(ordered, 16)
    step = codec.difference(np.array([0x3F81, 0x8000], "<u2"), np.array([0x3F80, 0x0000], "<u2"), form)
    assert codec._zigzag(step, form).tolist() == [2, 1]
