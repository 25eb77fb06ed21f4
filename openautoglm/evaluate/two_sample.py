"""Are two sets of feature vectors from one distribution? Maximum mean discrepancy with a permutation test.

MMD² = mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y), k = exp(−‖a − b‖² / median squared distance) (Gretton et al.
2012, JMLR 13, the biased estimate and the median heuristic). What chance gives is read off the same matrix with the
labels "old" and "new" shuffled, so the test is exact at any size and asks nothing of the features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
SHUFFLES = 999


@dataclass(frozen=True)
class TwoSample:
    """``mmd``: MMD². ``by_chance``: what the same documents reach with a chance of ``chance``, were there no drift."""

    mmd: float
    by_chance: float
    p_value: float


def two_sample(
    reference: NDArray[Any], newest: NDArray[Any], chance: float, seed: int, shuffles: int = SHUFFLES
) -> TwoSample:
    """Features [R, H] and [N, H], neither empty; the same input and seed give the same answer."""
    pooled = np.concatenate([reference, newest]).astype(np.float64)
    pooled /= np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
    distances = np.maximum(2.0 - 2.0 * (pooled @ pooled.T), 0.0)
    middle = float(np.median(distances[np.triu_indices(len(pooled), 1)]))
    kernel = np.exp(-distances / max(middle, 1e-12))
    of_old = np.zeros((len(pooled), shuffles + 1), dtype=bool)
    of_old[: len(reference)] = True
    of_old[:, 1:] = np.random.default_rng(seed).permuted(of_old[:, 1:], axis=0)
    # with w = ±1/size, MMD² is wᵀKw: all shuffles in one product
    weights = np.where(of_old, 1.0 / len(reference), -1.0 / len(newest))
    found: Reals = np.einsum("ij,ij->j", weights, kernel @ weights)
    observed, shuffled = float(found[0]), np.sort(found[1:])
    reached = int((shuffled >= observed - 1e-12).sum())  # equal but for the order of a sum
    place = min(int(np.ceil((1.0 - chance) * (shuffles + 1))) - 1, shuffles - 1)
    return TwoSample(observed, float(shuffled[place]), (1 + reached) / (1 + shuffles))
