"""R and what follows from it, on numbers that a hand can check; groups; the gate that refuses to forget."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from test_gate import EVEN, PARAMS, SOUND, compared

from openautoglm.corpus import Corpus, Document
from openautoglm.evaluate.continual import (
    PREFIX,
    Chain,
    batch_scores,
    class_groups,
    group_masks,
    group_scores,
)
from openautoglm.evaluate.gate import verdict
from openautoglm.evaluate.metrics import Comparison


def row(*scores: float | None) -> dict[str, float]:
    found = {f"{PREFIX}b{number}": score for number, score in enumerate(scores) if score is not None}
    return {"accuracy": 0.5, **found}  # type: ignore[dict-item]


CHAIN = Chain.of([row(0.9), row(0.8, 0.7), row(0.85, 0.5, 0.6)])


def test_the_matrix() -> None:
    assert CHAIN.groups == ("b0", "b1", "b2")
    assert CHAIN.scores[2].tolist() == [0.85, 0.5, 0.6]
    assert np.isnan(CHAIN.scores[0, 1:]).all()
    assert repr(CHAIN) == "Chain(3 releases, 3 groups, average 0.650)"


def test_the_measures() -> None:
    found = CHAIN.summary()
    assert found["average_accuracy"] == pytest.approx((0.85 + 0.5 + 0.6) / 3)
    assert found["incremental_accuracy"] == pytest.approx((0.9 + 0.75 + 0.65) / 3)
    assert found["backward_transfer"] == pytest.approx(((0.85 - 0.9) + (0.5 - 0.7)) / 2)
    assert found["forgetting"] == pytest.approx(((0.9 - 0.85) + (0.7 - 0.5)) / 2)
    assert found["forward_transfer"] == 0.0


def test_forgetting_counts_from_the_best_and_can_be_negative() -> None:
    chain = Chain.of([row(0.5), row(0.9, 0.5), row(0.7, 0.8, 0.5)])
    assert chain.forgetting == pytest.approx(((0.9 - 0.7) + (0.5 - 0.8)) / 2)
    assert chain.backward_transfer == pytest.approx(((0.7 - 0.5) + (0.8 - 0.5)) / 2)


def test_forward_transfer_where_a_group_is_examined_before_it_is_learnt() -> None:
    chain = Chain(("b0", "b1"), np.array([[0.9, 0.4], [0.9, 0.8]]))
    assert chain.forward_transfer() == 0.0  # its first score is its own
    ahead = Chain(("b0", "b1"), np.array([[0.9, math.nan], [0.8, math.nan], [0.9, 0.8]]))
    assert ahead.forward_transfer() == 0.0, "nobody looked"


def test_a_release_without_new_classes_is_a_row() -> None:
    chain = Chain.of([row(0.9), row(0.8), row(0.7, 0.6)])
    assert chain.scores.shape == (3, 2)
    assert chain.forgetting == pytest.approx(0.2)


def test_a_row_of_batches_comes_before_one_of_classes() -> None:
    first = {"group/b0": 0.9, "batch/b0": 0.8}
    second = {"group/b0": 0.7, "batch/b0": 0.6, "batch/b1": 0.9, "before/b0": 0.8, "before/b1": 0.5}
    chain = Chain.of([first, second])
    assert chain.scores[:, 0].tolist() == [0.8, 0.6]
    assert chain.before == {"b1": 0.5}, "of b0, the second release was not its own"
    assert chain.forward_transfer() == pytest.approx(0.5)
    assert chain.backward_transfer == pytest.approx(-0.2)
    assert Chain.of([{"group/b0": 0.9}, second]).scores[:, 0].tolist() == [0.9, 0.6]


def test_the_chain_as_it_was() -> None:
    assert CHAIN.upto(2).groups == ("b0", "b1")
    assert CHAIN.upto(2).backward_transfer == pytest.approx(-0.1)
    assert CHAIN.upto(0).summary()["average_accuracy"] == 0.0
    assert CHAIN.losses()[2, :2].tolist() == pytest.approx([0.05, 0.2])
    assert np.isnan(CHAIN.losses()[0, 1])


def test_scores_of_the_documents_of_each_batch() -> None:
    right, before = np.array([True, False, True]), np.array([True, True, False])
    assert batch_scores(["a", "a", "b"], right, before) == {
        "batch/a": 0.5,
        "before/a": 1.0,
        "batch/b": 1.0,
        "before/b": 0.0,
    }
    assert list(batch_scores(["a"], right[:1], None)) == ["batch/a"]


def test_of_nothing() -> None:
    assert set(Chain.of([]).summary().values()) == {0.0}
    assert set(Chain.of([{"accuracy": 1.0}]).summary().values()) == {0.0}
    assert Chain.of([row(0.9)]).forgetting == 0.0


def test_groups_are_batches_of_first_appearance() -> None:
    rows = [
        ("a", "train", "b1"),
        ("x", "test", "b1"),
        ("b", "train", "b2"),
        ("a", "train", "b2"),
        ("x", "train", "b3"),
    ]
    corpus = Corpus.from_documents([Document(str(i), "t", *r) for i, r in enumerate(rows)])
    groups = class_groups(corpus)
    assert groups == {"a": "b1", "b": "b2", "x": "b3"}
    names, actual = ["a", "b", "x", "unheard"], np.array([0, 0, 1, 2, 3])
    masks = group_masks(actual, names, groups)
    assert {group: mask.tolist() for group, mask in masks.items()} == {
        "b1": [True, True, False, False, False],
        "b2": [False, False, True, False, False],
        "b3": [False, False, False, True, False],
    }
    right = np.array([True, False, True, False, True])
    assert group_scores(actual, right, names, groups) == {"group/b1": 0.5, "group/b2": 1.0, "group/b3": 0.0}


def forgetting(groups: dict[str, Comparison], bound: float = 0.03) -> dict:
    gates = verdict(replace(SOUND, groups=groups, max_forgetting=bound), PARAMS)
    return {gate["name"]: gate for gate in gates}["forgetting"]


def test_the_gate_names_what_would_be_forgotten() -> None:
    gate = forgetting({"b1": EVEN, "b2": compared(0, 40, -0.1, -0.06), "b3": compared(1, 201, -0.5, -0.3)})
    assert not gate["passed"]
    assert (gate["value"], gate["bound"]) == (-0.4, -0.03)
    assert "the classes of b3 −40.0, b2 −8.0; up to 3.0 may be lost." in gate["reason"]
    assert "b1" not in gate["reason"]


@pytest.mark.parametrize(
    "found",
    [
        compared(0, 15, -0.05, -0.01),  # exactly the bound
        compared(10, 30, -0.07, 0.01),  # beyond it, may be chance
        compared(0, 3, -1.0, -1.0, documents=3),  # three documents are no evidence
    ],
)
def test_the_gate_lets_pass(found: Comparison) -> None:
    gate = forgetting({"b1": found, "b2": EVEN})
    assert gate["passed"]
    assert "b1" in gate["reason"]


def test_the_gate_without_a_parent() -> None:
    gate = forgetting({})
    assert gate["passed"]
    assert gate["reason"] == "No class of a parent's to forget."
