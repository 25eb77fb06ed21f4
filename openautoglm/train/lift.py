"""Features → what an analytic head reads: whole numbers, so that sums over documents are exact in any order.

:func:`quantise` brings features to unit length in whole numbers of 1/16384, :func:`lift` multiplies those with signs:
sums of whole numbers below 2^24, exact in float32 in any order. So a statistic over them depends on the documents alone.

lift(quantise(features), signs)                            # [D, H] float32, [H, M] of ±1 → [D, M + 1] int16
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Whole = NDArray[np.int16]
UNIT = 1 << 14  # a feature of 1.0; a sum of signs times features stays below sqrt(H) · 2^14, far from 2^24
LIFTED = 1 << 10  # a lifted feature of 1.0
LEVELS = (1 << 12) - 1  # 12 bits


def quantise(features: Floats) -> Whole:
    """[D, H] to unit length, in whole numbers of 1/16384."""
    lengths = np.sqrt(np.square(features, dtype=np.float64).sum(axis=1, keepdims=True))
    whole: Whole = np.rint(features * (UNIT / np.maximum(lengths, 1e-6))).astype(np.int16)
    return whole


def lift(features: Whole, signs: Floats) -> Whole:
    """relu(features · signs) [D, M + 1] in 12 bits, 1.0 being 1024; the last column is 1.0, for the bias."""
    sums = features.astype(np.float32) @ signs  # exact: whole numbers below 2^24
    lifted = np.clip(np.rint(sums * (LIFTED / UNIT)), 0, LEVELS).astype(np.int16)
    return np.concatenate([lifted, np.full((len(lifted), 1), LIFTED, np.int16)], axis=1)
