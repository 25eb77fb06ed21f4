"""Scores as plain functions of arrays: integer classes, boolean hits, probabilities. No model in sight.

Classes are numbers below ``len(names)``; ``actual`` and ``predicted`` are [D] int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Reals = NDArray[np.float64]
Row = dict[str, Any]
BINS = 15
SEED = 20250


def share(hits: Bools) -> float:
    """Accuracy (0-1); of nothing, 0."""
    return float(hits.mean()) if len(hits) else 0.0


def class_rows(actual: Ints, predicted: Ints, names: list[str]) -> list[Row]:
    """Per class: label, precision, recall, f1, support and how often it was predicted; 0 where undefined."""
    size = len(names)
    support = np.bincount(actual, minlength=size)
    answered = np.bincount(predicted, minlength=size)
    right = np.bincount(actual[actual == predicted], minlength=size)
    precision, recall = _ratio(right, answered), _ratio(right, support)
    f1 = _ratio(2 * right, support + answered)
    return [
        {
            "label": names[i],
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "support": int(support[i]),
            "predicted": int(answered[i]),
        }
        for i in range(size)
        if support[i] or answered[i]
    ]


def macro_f1(actual: Ints, predicted: Ints) -> float:
    """Mean F1 of the classes that occur as a label or as an answer (as scikit-learn's ``average="macro"``)."""
    cells, counts = np.unique(np.stack([actual, predicted]), axis=1, return_counts=True)
    return float(_macro_f1(cells, counts[None, :])[0]) if len(actual) else 0.0


def macro_f1_interval(
    actual: Ints, predicted: Ints, resamples: int, confidence: float
) -> tuple[float, float]:
    """Percentile bootstrap (Efron 1979): resampling documents is a multinomial draw over the confusion cells."""
    if not len(actual):
        return 0.0, 0.0
    cells, counts = np.unique(np.stack([actual, predicted]), axis=1, return_counts=True)
    draws = np.random.default_rng(SEED).multinomial(len(actual), counts / counts.sum(), size=resamples)
    return _percentiles(_macro_f1(cells, draws), confidence)


def _macro_f1(cells: Ints, counts: NDArray[Any]) -> Reals:
    """cells [2, K] (actual, predicted), counts [R, K] of R samples → [R]."""
    classes = np.unique(cells)
    is_actual = (cells[0][:, None] == classes).astype(np.float64)  # [K, classes]
    is_predicted = (cells[1][:, None] == classes).astype(np.float64)
    counts = counts.astype(np.float64)
    total = counts @ (is_actual + is_predicted)
    f1 = _ratio(2 * counts @ (is_actual * is_predicted), total)
    result: Reals = f1.sum(axis=1) / np.maximum((total > 0).sum(axis=1), 1)
    return result


def reliability(confidence: Reals, hits: Bools, bins: int = BINS) -> list[Row]:
    """Equal-width bins (low, high] of the top probability: mean confidence, accuracy, count; empty ones left out."""
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return [
        {
            "confidence": float(confidence[place == b].mean()),
            "accuracy": float(hits[place == b].mean()),
            "count": int((place == b).sum()),
        }
        for b in np.unique(place)
    ]


def ece(rows: list[Row]) -> float:
    """Expected calibration error of :func:`reliability` rows (Guo et al. 2017, equation 3)."""
    total = sum(row["count"] for row in rows)
    gap = sum(row["count"] * abs(row["accuracy"] - row["confidence"]) for row in rows)
    return float(gap / max(total, 1))


def confusions(actual: Ints, predicted: Ints, names: list[str]) -> list[Row]:
    """Every wrong pair with its count and its share of the actual class, the most frequent first."""
    wrong = actual != predicted
    support = np.bincount(actual, minlength=len(names))
    pairs, counts = np.unique(np.stack([actual[wrong], predicted[wrong]]), axis=1, return_counts=True)
    rows = [
        {"actual": names[a], "predicted": names[p], "count": int(n), "share": float(n / support[a])}
        for (a, p), n in zip(pairs.T.tolist(), counts.tolist(), strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["count"], -row["share"], row["actual"], row["predicted"]))


def wilson(hits: int, total: int, confidence: float) -> tuple[float, float]:
    """Score interval of a share (Wilson 1927); unlike the normal one it holds near 0 and 1."""
    if not total:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (hits + z * z / 2) / (total + z * z)
    half = z * (hits * (total - hits) / total + z * z / 4) ** 0.5 / (total + z * z)
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class Comparison:
    """Ours against another model on the same documents; ``difference`` is ours - theirs, with its interval."""

    documents: int
    ours: float
    theirs: float
    wins: int
    losses: int
    low: float
    high: float

    @property
    def difference(self) -> float:
        return (self.wins - self.losses) / self.documents


def paired_bootstrap(ours: Bools, theirs: Bools, resamples: int, confidence: float) -> Comparison | None:
    """Percentile interval of the difference in accuracy, documents resampled in pairs (Koehn 2004, EMNLP).

    Per document the difference is 1, 0 or -1, so a resample is one multinomial draw of how many of each: the same
    distribution as drawing documents, in O(resamples). Nothing to compare on gives None.
    """
    documents = len(ours)
    if not documents:
        return None
    wins, losses = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    odds = np.array([wins, losses, documents - wins - losses]) / documents
    draws = np.random.default_rng(SEED).multinomial(documents, odds, size=resamples)
    low, high = _percentiles((draws[:, 0] - draws[:, 1]) / documents, confidence)
    return Comparison(documents, share(ours), share(theirs), wins, losses, low, high)


def _percentiles(values: Reals, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Reals:
    result: Reals = np.zeros(np.shape(part), dtype=np.float64)
    np.divide(part, whole, out=result, where=whole > 0)
    return result
