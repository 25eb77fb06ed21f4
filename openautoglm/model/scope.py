"""Whether a text belongs to any class at all: a score of its logits, and a threshold that in-scope texts keep.

    scope = Scope.fit(logits_of_valid, share=0.95)
    scope.holds(score(logits))                    # [D] bool, False for what belongs to no class

The score is the log-sum-exp of the logits, the negative free energy at temperature 1 (Liu et al. 2020, arXiv
2010.03759): it needs nothing but the logits, so it is the same behind torch and onnxruntime. Measured on frozen MiniLM
and the analytic head, 62 classes of BANKING77, AUROC and recall with 95 % of the in-scope texts kept: the 15 classes
held out 0.90 and 52 %, against 0.88 and 30 % for the relative Mahalanobis distance (Ren et al. 2021, arXiv 2106.09022);
texts of R8 0.975 and 95 %, where the distance comes to 1.000 and 100 %. Texts near to the classes are the hard case.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from openautoglm.errors import Corrupt
from openautoglm.files import load_json, save_json

Real = TypeVar("Real", np.float32, np.float64)
SCOPE = "scope.json"
DIGITS = 4  # of a threshold; finer is the machine's rounding


@dataclass(frozen=True)
class Scope:
    """``threshold``: scores below it belong to no class; None where ``documents`` valid texts are too few to set one.

    ``share``: of in-scope texts (0-1) that it keeps.
    """

    threshold: float | None
    share: float
    documents: int

    @classmethod
    def fit(cls, logits: NDArray[Any], share: float) -> Scope:
        """From logits [D, C] of in-scope texts that nothing was trained on.

        The k-th smallest of n scores, k = ⌊(1 − share)(n + 1)⌋: a new text of the same kind falls below it with a
        chance of at most 1 − share, however small n is (split conformal, Angelopoulos and Bates 2021, arXiv
        2107.07511). Where k is 0 no threshold can promise that.
        """
        scores = np.sort(score(logits))
        k = int((1.0 - share) * (len(scores) + 1) + 1e-9)  # 0.05 · 20 is not quite 1
        if not k:
            return cls(None, share, len(scores))
        threshold = np.floor(scores[k - 1] * 10**DIGITS) / 10**DIGITS  # down: rounding rejects nobody
        return cls(float(threshold), share, len(scores))

    @classmethod
    def load(cls, path: Path) -> Scope:
        """Raises:
        Corrupt: the file is no scope.
        """
        try:
            return cls(**load_json(path))
        except (TypeError, ValueError) as error:
            raise Corrupt(f"{path}: not the threshold that train sets: {error}") from None

    def save(self, path: Path) -> None:
        save_json(path, asdict(self))

    def holds(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[D]: in scope or not; everything is while there is no threshold."""
        kept: NDArray[np.bool_] = scores >= (-np.inf if self.threshold is None else self.threshold)
        return kept


def softmax(logits: NDArray[Real]) -> NDArray[Real]:
    """Logits [D, C] → [D, C] probabilities, in the arithmetic that the logits are in."""
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-np.inf))
    shares: NDArray[Real] = exponents / exponents.sum(axis=-1, keepdims=True)
    return shares


def score(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Logits [D, C] → [D] log-sum-exp, in float64; higher is surer to belong to a class."""
    values = logits.astype(np.float64)
    highest = values.max(axis=1, keepdims=True, initial=-np.inf)
    scores: NDArray[np.float64] = highest[:, 0] + np.log(np.exp(values - highest).sum(axis=1))
    return scores
