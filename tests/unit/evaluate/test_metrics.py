"""Scores against values worked out by hand, and the bootstrap where the answer is known."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from openautoglm.evaluate import metrics as m
from openautoglm.model.scope import softmax

NAMES = ["a", "b", "c"]
ACTUAL = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 2, 1])


def test_class_rows_by_hand():
    a, b, c = m.class_rows(ACTUAL, PREDICTED, NAMES)
    assert (a["precision"], a["recall"], a["f1"]) == pytest.approx((1.0, 2 / 3, 0.8))
    assert (b["precision"], b["recall"], b["f1"]) == pytest.approx((1 / 3, 1 / 2, 0.4))
    assert (c["precision"], c["recall"], c["f1"], c["support"], c["predicted"]) == (0.0, 0.0, 0.0, 1, 1)


def test_a_class_that_never_occurs_has_no_row():
    assert [row["label"] for row in m.class_rows(np.array([0]), np.array([0]), NAMES)] == ["a"]


def test_macro_f1_by_hand_and_as_scikit_learn():
    assert m.macro_f1(ACTUAL, PREDICTED) == pytest.approx((0.8 + 0.4 + 0.0) / 3)
    random = np.random.default_rng(0)
    actual, predicted = random.integers(0, 9, 200), random.integers(0, 9, 200)
    assert m.macro_f1(actual, predicted) == pytest.approx(f1_score(actual, predicted, average="macro"))


def test_macro_f1_interval_holds_the_score():
    low, high = m.macro_f1_interval(ACTUAL, PREDICTED, 500, 0.95)
    assert 0.0 <= low < m.macro_f1(ACTUAL, PREDICTED) < high <= 1.0


def test_ece_known_case():
    # two bins: 0.55 sure and half right; 0.95 sure and always right (Guo et al.: weighted by their documents)
    confidence = np.array([0.55, 0.55, 0.95, 0.95, 0.95, 0.95])
    hits = np.array([True, False, True, True, True, True])
    rows = m.reliability(confidence, hits)
    assert [row["count"] for row in rows] == [2, 4]
    assert m.ece(rows) == pytest.approx(2 / 6 * 0.05 + 4 / 6 * 0.05)


@pytest.mark.parametrize("edge", [1 / 15, 10 / 15, 1.0])
def test_a_bin_includes_its_upper_edge(edge: float):
    rows = m.reliability(np.array([edge - 0.01, edge]), np.array([True, True]))
    assert len(rows) == 1


def test_sure_and_right_is_calibrated_perfectly():
    assert m.ece(m.reliability(np.ones(5), np.ones(5, dtype=bool))) == 0.0


def test_softmax_survives_large_logits():
    found = softmax(np.array([[1000.0, 0.0], [0.0, 0.0]], dtype=np.float32))
    assert found.tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_confusions_most_frequent_first():
    actual, predicted = np.array([0, 0, 1, 2, 2, 2]), np.array([1, 1, 0, 2, 0, 2])
    rows = m.confusions(actual, predicted, NAMES)
    assert [(r["actual"], r["predicted"], r["count"]) for r in rows] == [
        ("a", "b", 2),
        ("b", "a", 1),
        ("c", "a", 1),
    ]
    assert rows[2]["share"] == pytest.approx(1 / 3)


def test_wilson_against_published_values():
    assert m.wilson(9, 10, 0.95) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert m.wilson(10, 10, 0.95)[1] == pytest.approx(1.0)
    assert m.wilson(0, 0, 0.95) == (0.0, 1.0)


def test_bootstrap_of_the_same_answers_is_zero():
    hits = np.array([True, False, True])
    found = m.paired_bootstrap(hits, hits, 100, 0.95)
    assert found is not None
    assert (found.difference, found.low, found.high, found.wins, found.losses) == (0.0, 0.0, 0.0, 0, 0)


def test_bootstrap_of_a_clearly_better_one_is_positive():
    ours, theirs = np.ones(200, dtype=bool), np.arange(200) % 5 > 0
    found = m.paired_bootstrap(ours, theirs, 1000, 0.95)
    assert found is not None
    assert found.difference == pytest.approx(0.2)
    assert 0.13 < found.low < 0.2 < found.high < 0.27


def test_bootstrap_agrees_with_drawing_documents():
    random = np.random.default_rng(1)
    ours, theirs = random.random(300) < 0.8, random.random(300) < 0.75
    found = m.paired_bootstrap(ours, theirs, 4000, 0.95)
    draws = random.integers(0, 300, (4000, 300))
    low, high = np.quantile((ours[draws].mean(1) - theirs[draws].mean(1)), [0.025, 0.975])
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.006)


def test_bootstrap_repeats_itself():
    ours, theirs = np.arange(50) % 3 > 0, np.arange(50) % 4 > 0
    assert m.paired_bootstrap(ours, theirs, 100, 0.9) == m.paired_bootstrap(ours, theirs, 100, 0.9)


def test_an_empty_exam_breaks_nothing():
    none, hits = np.array([], dtype=np.int64), np.array([], dtype=bool)
    assert m.paired_bootstrap(hits, hits, 10, 0.9) is None
    assert m.macro_f1(none, none) == 0.0
    assert m.macro_f1_interval(none, none, 10, 0.9) == (0.0, 0.0)
    assert m.confusions(none, none, NAMES) == []
    assert m.ece(m.reliability(np.array([]), hits)) == 0.0
    assert softmax(np.zeros((0, 3), dtype=np.float32)).shape == (0, 3)
