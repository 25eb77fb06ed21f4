"""Sufficient statistics of a ridge head: sums that are exact, so that order and batching leave no trace.

Features are whole numbers of 12 bits (:mod:`openautoglm.train.lift`), so every product is below 2^24 and float64
sums them without rounding up to 2^29 documents. Adding documents in any order, in any batches, or removing some again,
gives the same bytes as never having done otherwise. That is what makes forgetting exact.

Source: RanPAC (McDonnell et al. 2023, arXiv 2307.02251) for the head; it chooses the strength on one held-out part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from openautoglm.files import canonical_json, write_atomic
from openautoglm.train.lift import Whole

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# ridge as a share of the mean feature energy; tried from the middle downhill, as the error has one valley
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
START = 3
# parts of all sums, each held out once to choose the strength. A fold costs a fit a strength: four took 0.5 s a batch more,
# and chose among 4 to 77 classes of BANKING77 the same or a neighbour, in a flat valley
FOLDS = 2


@dataclass(frozen=True, eq=False)
class Statistics:
    """gram [F, M, M]: Σ φφᵀ of each of the F folds. sums {label: [F, M]}: Σ φ of the label's documents. counts {label: [F]}."""

    gram: Floats
    sums: Mapping[str, Floats]
    counts: Mapping[str, Ints]

    @classmethod
    def empty(cls, width: int) -> Statistics:
        return cls(np.zeros((FOLDS, width, width)), {}, {})

    def __repr__(self) -> str:
        return f"Statistics({self.documents} documents, {len(self.labels)} labels, {self.width} features)"

    @property
    def labels(self) -> list[str]:
        return sorted(self.counts)

    @property
    def documents(self) -> int:
        return int(sum(counts.sum() for counts in self.counts.values()))

    @property
    def width(self) -> int:
        return int(self.gram.shape[-1])

    def plus(self, features: Whole, labels: Sequence[str], folds: Ints) -> Statistics:
        """With these documents: features [D, M], a label each, and the fold [D] that each is in."""
        return self._moved(features, labels, folds, 1)

    def minus(self, features: Whole, labels: Sequence[str], folds: Ints) -> Statistics:
        """Without these documents, exactly as if they had never been added."""
        return self._moved(features, labels, folds, -1)

    def _moved(self, features: Whole, labels: Sequence[str], folds: Ints, sign: int) -> Statistics:
        gram = self.gram.copy()
        sums = {label: found.copy() for label, found in self.sums.items()}
        counts = {label: found.copy() for label, found in self.counts.items()}
        names = np.asarray(labels, dtype=object)
        for part in range(FOLDS):
            rows = folds == part
            chosen, its_names = features[rows].astype(np.float64), names[rows]
            (np.add if sign > 0 else np.subtract)(gram[part], chosen.T @ chosen, out=gram[part])
            for label in sorted(set(its_names)):
                mine = its_names == label
                sums.setdefault(label, np.zeros((FOLDS, self.width)))[part] += sign * chosen[mine].sum(axis=0)
                counts.setdefault(label, np.zeros(FOLDS, np.int64))[part] += sign * int(mine.sum())
        left = [label for label, found in counts.items() if found.any()]
        return Statistics(gram, {k: sums[k] for k in left}, {k: counts[k] for k in left})

    def solve(self) -> tuple[Floats, float]:
        """Ridge weights [M, C] in the order of :attr:`labels`, and the strength used.

        That is the one with the smallest squared error in cross-validation: each fold by what is fitted on the others.
        The error needs the statistics alone: ‖Y‖² − 2 tr(WᵀC) + tr(WᵀGW).
        """
        targets = np.stack([self.sums[label] for label in self.labels], axis=-1)  # [F, M, C]
        whole = self.gram.sum(axis=0)
        energy = max(float(np.trace(whole)) / self.width, 1.0)
        # one thread: the same bits whatever the number of cores
        with threadpool_limits(1, user_api="blas"):
            strength = self._strength(whole, targets, energy)
            return _ridge(whole, targets.sum(axis=0), strength * energy), strength

    def _strength(self, whole: Floats, targets: Floats, energy: float) -> float:
        of_all = targets.sum(axis=0)
        errors: dict[int, float] = {}

        def of_fold(fold: int, strength: float) -> float:
            weights = _ridge(whole - self.gram[fold], of_all - targets[fold], strength * energy)
            return float(np.sum(weights * (self.gram[fold] @ weights - 2.0 * targets[fold])))

        def error(index: int) -> float:
            if index not in errors:
                errors[index] = sum(of_fold(fold, STRENGTHS[index]) for fold in range(FOLDS))
            return errors[index]

        best = START
        while True:
            near = [i for i in (best, best - 1, best + 1) if 0 <= i < len(STRENGTHS)]
            if (found := min(near, key=error)) == best:
                return STRENGTHS[best]
            best = found

    def save(self, path: Path, extra: object = None) -> None:
        """One safetensors file, there whole or not at all: a triangle of each gram, the sums, and JSON in bytes.

        ``extra`` (a JSON value) comes back from :meth:`load`: in one file it cannot be that of other sums.
        """
        note = canonical_json({"labels": self.labels, "folds": FOLDS, "extra": extra})
        tensors = {
            "gram": _packed(self.gram),
            "sums": np.array([self.sums[label] for label in self.labels]).reshape(-1, FOLDS, self.width),
            "counts": np.array([self.counts[label] for label in self.labels], np.int64).reshape(-1, FOLDS),
            "note": np.frombuffer(note, np.uint8),
        }
        write_atomic(path, save(tensors))

    @classmethod
    def load(cls, path: Path) -> tuple[Statistics, object]:
        """What :meth:`save` wrote, and its ``extra``.

        Raises:
            ValueError: sums in other folds, as an earlier version wrote them.
        """
        tensors = load_file(path)
        sums, counts = tensors["sums"], tensors["counts"]
        width = sums.shape[-1]
        gram = _unpacked(tensors["gram"], width)
        note = json.loads(tensors["note"].tobytes())
        if note.get("folds") != FOLDS:
            raise ValueError(f"{path}: expected sums in {FOLDS} folds, found {note.get('folds', 'others')}")
        labels = note["labels"]
        found = cls(gram, dict(zip(labels, sums, strict=True)), dict(zip(labels, counts, strict=True)))
        return found, note["extra"]


def _packed(gram: Floats) -> Floats:
    """The lower triangles [F, M (M + 1) / 2] of symmetric matrices [F, M, M]; row by row, which is ten times an index's speed."""
    return np.stack([np.concatenate([row[: i + 1] for i, row in enumerate(part)]) for part in gram])


def _unpacked(packed: Floats, width: int) -> Floats:
    gram, first = np.zeros((len(packed), width, width)), 0
    for i in range(width):
        gram[:, i, : i + 1] = gram[:, : i + 1, i] = packed[:, first : first + i + 1]
        first += i + 1
    return gram


def _ridge(gram: Floats, target: Floats, ridge: float) -> Floats:
    """(gram + ridge · 1)⁻¹ target; what was in ``gram`` is lost."""
    from scipy.linalg import cho_factor, cho_solve

    gram[np.diag_indices_from(gram)] += ridge
    # symmetric, so its transpose is itself, and in LAPACK's order: nothing is copied
    factor = cho_factor(gram.T, lower=True, overwrite_a=True, check_finite=False)
    weights: Floats = cho_solve(factor, target, check_finite=False)
    return weights
