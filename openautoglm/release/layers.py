"""Which parts of a model two versions of its weights differ in.

for layer in compare(Path("v1.safetensors"), Path("v2.safetensors")):
    layer.name, layer.share        # ("backbone.encoder.layer.3", 0.42)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openautoglm.release.weights import CHUNK, Reader, TensorEntry, Weights

NUMBERED = re.compile(r"(.*?\.(?:layers?|blocks?|h)\.\d+)\.")


@dataclass(frozen=True)
class Layer:
    """Counts of numbers, not of tensors: ``changed`` of ``size`` have other bits, or are ``new``; some are ``gone``."""

    name: str
    size: int
    changed: int
    new: int = 0
    gone: int = 0

    @property
    def share(self) -> float:
        """Of the newer version's numbers, those that the older one does not have at that place (0-1)."""
        return (self.changed + self.new) / self.size if self.size else 0.0


def layer_of(tensor: str) -> str:
    """The part of a model that a tensor belongs to: a numbered layer, or else the first words of its name."""
    if match := NUMBERED.match(tensor):
        return match[1]
    parts = tensor.split(".")
    return ".".join(parts[:2] if len(parts) > 3 else parts[:1])


def compare(old: Path, new: Path) -> list[Layer]:
    """Every layer of either file, in the order of the newer one's names.

    Rows that were appended or cut are new or gone; a tensor of another shape or dtype is new as a whole.

    Raises:
        Corrupt: one of the two is not a sound safetensors file.
    """
    before, after = Weights.open(old), Weights.open(new)
    found: dict[str, Layer] = {}
    with before.reader() as old_reader, after.reader() as new_reader:
        for name, size, changed, added, gone in _tensors(old_reader, new_reader):
            layer = found.get(layer_of(name), Layer(layer_of(name), 0, 0))
            found[layer.name] = Layer(
                layer.name,
                layer.size + size,
                layer.changed + changed,
                layer.new + added,
                layer.gone + gone,
            )
    return sorted(found.values(), key=lambda layer: _natural(layer.name))


def _tensors(old: Reader, new: Reader) -> Iterator[tuple[str, int, int, int, int]]:
    """(name, numbers, changed, new, gone) of each tensor."""
    known, present = old.weights.by_name(), new.weights.by_name()
    for entry in new.weights.entries:
        before = known.get(entry.name)
        count = _count(entry)
        if before is None or not _comparable(before, entry):
            yield entry.name, count, 0, count, _count(before) if before else 0
            continue
        shared = min(before.size, entry.size)
        changed = sum(_differ(old, before, new, entry, start, shared) for start in range(0, shared, CHUNK))
        together = shared // entry.width
        yield entry.name, count, changed, count - together, _count(before) - together
    for name in known.keys() - present.keys():
        yield name, 0, 0, 0, _count(known[name])


def _differ(old: Reader, before: TensorEntry, new: Reader, entry: TensorEntry, start: int, stop: int) -> int:
    """Numbers whose bits differ, in one chunk from byte ``start``."""
    size, kind = min(CHUNK, stop - start), f"<u{entry.width}"
    a = np.frombuffer(old.read(before, start, size), kind)
    b = np.frombuffer(new.read(entry, start, size), kind)
    return int(np.count_nonzero(a != b))


def _comparable(before: TensorEntry, entry: TensorEntry) -> bool:
    """Same shape, or rows appended or cut: then equal positions mean equal things."""
    return before.dtype == entry.dtype and (
        before.shape == entry.shape or (bool(entry.shape) and before.shape[1:] == entry.shape[1:])
    )


def _count(entry: TensorEntry) -> int:
    return entry.size // entry.width


def _natural(name: str) -> list[tuple[int, int, str]]:
    """layer.2 before layer.10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in name.split(".")]
