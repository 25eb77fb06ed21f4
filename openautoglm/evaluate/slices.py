"""Parts of the exam that are worth a score of their own: short and long texts, small and large graphs, new classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from openautoglm.evaluate.metrics import Bools, Ints, Row, share

# the buckets are fixed, so that two releases are cut alike
WORDS = (1, 6, 11, 21, 51, 129)
NODES = (0, 1, 4, 8, 16, 41)


def buckets(values: Ints, starts: tuple[int, ...], unit: str) -> Iterator[tuple[str, Bools]]:
    """(name, mask [D]) of each bucket that is not empty: ``6-10 words``."""
    place = np.searchsorted(np.array(starts), values, side="right") - 1
    for number, start in enumerate(starts):
        end = starts[number + 1] - 1 if number + 1 < len(starts) else None
        name = f"{start}+" if end is None else str(start) if end == start else f"{start}-{end}"
        if (mask := place == number).any():
            yield f"{name} {unit}", mask


def groups(values: list[str]) -> Iterator[tuple[str, Bools]]:
    """(value, mask [D]) of each distinct value, sorted."""
    array = np.array(values, dtype=object)
    for value in sorted(set(values)):
        yield value, array == value


def slice_rows(cuts: dict[str, list[tuple[str, Bools]]], hits: Bools, others: dict[str, Bools]) -> list[Row]:
    """One row a slice: ``by`` (what was cut), ``slice``, ``count``, ``accuracy``, and ``<other>`` accuracies beside it."""
    return [
        {
            "by": by,
            "slice": name,
            "count": int(mask.sum()),
            "accuracy": share(hits[mask]),
            **{other: share(right[mask]) for other, right in others.items()},
        }
        for by, parts in cuts.items()
        for name, mask in parts
    ]
