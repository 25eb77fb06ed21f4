"""The out-of-scope score and its threshold: plain numbers, no model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openautoglm.errors import Corrupt
from openautoglm.model.scope import Scope, score


def logits(count: int, seed: int, sure: float = 8.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    found = random.normal(size=(count, 6))
    found[np.arange(count), random.integers(6, size=count)] += sure * random.random(count)
    return found.astype(np.float32)


def test_the_score_by_hand_and_far_from_overflow() -> None:
    assert score(np.array([[0.0, 0.0]])) == pytest.approx(np.log(2))
    assert score(np.array([[1000.0, 0.0], [-1000.0, -1000.0]])) == pytest.approx([1000.0, -1000 + np.log(2)])
    assert score(np.zeros((0, 3))).shape == (0,)


def test_adding_to_all_logits_adds_to_the_score() -> None:
    assert score(logits(50, 0) + 3) == pytest.approx(score(logits(50, 0)) + 3, abs=1e-5)


@pytest.mark.parametrize("share", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("count", [20, 100, 1000])
def test_new_texts_of_the_same_kind_are_kept_as_often_as_promised(share: float, count: int) -> None:
    """On average over many valid splits, also small ones."""
    kept = [
        Scope.fit(logits(count, seed), share).holds(score(logits(400, seed + 10_000))).mean()
        for seed in range(60)
    ]
    assert share - 0.01 < np.mean(kept) < share + 1 / count + 0.02


def test_too_few_documents_set_no_threshold_and_reject_nothing() -> None:
    scope = Scope.fit(logits(18, 0), 0.95)
    assert (scope.threshold, scope.documents) == (None, 18)
    assert scope.holds(score(logits(9, 1) - 1e6)).all()
    assert Scope.fit(logits(19, 0), 0.95).threshold is not None
    assert Scope.fit(logits(0, 0), 0.95).threshold is None


def test_the_order_of_the_documents_does_not_matter() -> None:
    found = logits(200, 3)
    assert Scope.fit(found, 0.95) == Scope.fit(found[::-1], 0.95)


def test_there_and_back(tmp_path: Path) -> None:
    scope = Scope.fit(logits(100, 0), 0.9)
    scope.save(tmp_path / "scope.json")
    assert Scope.load(tmp_path / "scope.json") == scope
    for wrong in ("{}", "[1]", "what"):
        (tmp_path / "scope.json").write_text(wrong)
        with pytest.raises(Corrupt, match=r"scope\.json"):
            Scope.load(tmp_path / "scope.json")
