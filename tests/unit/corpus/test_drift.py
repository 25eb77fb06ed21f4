from __future__ import annotations

import numpy as np
import pytest

from openautoglm.corpus import Corpus, Document
from openautoglm.corpus.drift import drift, psi


def corpus(batch: str, rows: list[tuple[str, str]]) -> Corpus:
    return Corpus.from_documents(
        [Document(f"{batch}{n}", t, lb, "train", batch) for n, (t, lb) in enumerate(rows)]
    )


def test_the_same_mix_has_no_drift() -> None:
    rows = [("where is my parcel", "late"), ("give me my money", "refund")] * 50
    found = drift(corpus("1", rows), corpus("2", rows), "2")
    assert (found.label_psi, found.length_psi, found.oov, found.new_labels) == (0.0, 0.0, 0.0, ())


def test_a_turned_mix_and_longer_texts_and_new_words_show() -> None:
    old = corpus("1", [("where is my parcel", "late")] * 90 + [("give me my money back", "refund")] * 10)
    new = corpus(
        "2", [("my scooter " * 20, "refund")] * 90 + [("where is it", "late")] * 10 + [("hi", "new")] * 5
    )
    found = drift(old, new, "2")
    assert found.label_psi > 1.0
    assert found.length_psi > 1.0
    assert found.new_labels == ("new",)
    assert found.new_words[:2] == ("scooter", "it")
    assert found.oov == pytest.approx((90 * 20 + 10 + 5) / (90 * 40 + 30 + 5), abs=1e-6)


def test_psi_by_hand() -> None:
    p, q = np.array([0.9, 0.1]), np.array([0.1, 0.9])
    by_hand = float(np.sum((q - p) * np.log(q / p)))
    assert psi(p * 1e7, q * 1e7) == pytest.approx(by_hand, rel=1e-4)
    assert psi([5, 5], [0, 0]) == 0.0


def test_a_small_batch_of_the_same_kind_is_not_told_off() -> None:
    """Thirty documents over 24 labels: the plain index is large by chance, ours stays below the default bound."""
    draw = np.random.default_rng(0)
    share = draw.dirichlet(np.full(24, 5.0))
    found = [psi(draw.multinomial(2000, share), draw.multinomial(30, share)) for _ in range(200)]
    assert np.quantile(found, 0.99) < 0.5


def test_scripts_without_spaces_are_compared_by_character() -> None:
    old, new = corpus("1", [("我的包裹在哪里", "late")]), corpus("2", [("包裹在我的家里", "late")])
    assert drift(old, new, "2").oov == pytest.approx(1 / 7, abs=1e-6)
