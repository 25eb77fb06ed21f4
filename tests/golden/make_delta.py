"""The published format, held by bytes: run this once when a format is new, never to make a failing test pass.

python tests/golden/make_delta.py    writes the files, and prints the delta of the example in docs/delta-format.md
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from openautoglm.release.delta import diff  # noqa: E402
from tests.unit.release.samples import Tensor, bf16, write  # noqa: E402


def pair() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Small, but with every mode and every codec in it."""
    random = np.random.default_rng(2024)
    dense, table = random.normal(size=(96, 128)) * 0.05, random.normal(size=(300, 16)) * 0.05
    head = random.normal(size=(8, 16))
    moved = table.copy()
    moved[::7] += 1e-3
    bytes8 = random.integers(0, 4, 512, dtype=np.uint8)
    base: dict[str, Tensor] = {
        "dense": ("BF16", (96, 128), bf16(dense)),
        "table": ("BF16", (300, 16), bf16(table)),
        "head": ("BF16", (8, 16), bf16(head)),
        "old name": ("F32", (4,), np.arange(4, dtype="<f4").tobytes()),
        "codes": ("U8", (512,), bytes8.tobytes()),
        "kept": ("F16", (3,), b"\x00\x80\x01\x7e\x00\xfc"),
        "dropped": ("I64", (), bytes(8)),
    }
    tied = random.bytes(64)
    target: dict[str, Tensor] = {
        "dense": ("BF16", (96, 128), bf16(dense + random.normal(size=dense.shape) * 2e-4)),
        "table": ("BF16", (300, 16), bf16(moved)),
        "head": ("BF16", (10, 16), bf16(np.concatenate([head, random.normal(size=(2, 16))]))),
        "new name": base["old name"],
        "codes": ("U8", (512,), (bytes8 + (bytes8 == 1)).astype(np.uint8).tobytes()),
        "kept": base["kept"],
        "added": ("F32", (64,), np.zeros(64, "<f4").tobytes()),
        "tied.a": ("U8", (64,), tied),
        "tied.b": ("U8", (64,), tied),
        "none": ("F32", (0, 5), b""),
    }
    return base, target


def example() -> Iterator[str]:
    """The delta of section 6 of the page, as lines of hex."""
    with tempfile.TemporaryDirectory() as folder:
        base, target = (
            write(Path(folder) / bits, {"w": ("BF16", (4,), bytes.fromhex(bits))}, {"format": "pt"})
            for bits in ("803f00c0003f0000", "813f00c0003f0080")
        )
        diff(base, target, Path(folder) / "delta")
        data = (Path(folder) / "delta").read_bytes()
    length = int.from_bytes(data[:8], "little")
    end = 8 + length
    parts = [
        (0, 8, f"header: 0x{length:x} bytes"),
        (8, end, "header: the facts under one key, then the payloads; padded with spaces to 8 bytes"),
        (end, end + 1, "frame: codec 0 (raw: for 4 values nothing is smaller)"),
        (end + 1, end + 5, "frame: 8 bytes of payload"),
        (end + 5, len(data), "payload"),
    ]
    for start, stop, note in parts:
        for place in range(start, stop, 16):
            line = data[place : min(place + 16, stop)]
            text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
            yield f"{place:04x}  {line.hex(' '):<49}|{text:<16}|{'  ' + note if place == start else ''}"


if __name__ == "__main__":
    old, new = pair()
    write(HERE / "base.safetensors", old, {"format": "pt"})
    write(HERE / "target.safetensors", new, {"format": "pt"})
    diff(HERE / "base.safetensors", HERE / "target.safetensors", HERE / "delta-2.safetensors")
    diff(None, HERE / "target.safetensors", HERE / "anchor-2.safetensors")
    print("\n".join(example()))
