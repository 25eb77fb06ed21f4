from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openautoglm.corpus.labels import edits, misspelt_labels, rare_labels

MANY = {"order_cancel": 80, "order_amend": 60, "refund_ask": 90}


def misspelt(extra: dict[str, int], min_per_class: int = 5) -> dict[str, str]:
    counts = MANY | extra
    return misspelt_labels(counts, counts, min_per_class)


@pytest.mark.parametrize(
    "wrong", ["order_cancle", "order_cancell", "order_cance", "Order Cancel", "oder_cancle"]
)
def test_slips_of_the_fingers_are_seen(wrong: str) -> None:
    assert misspelt({wrong: 2}) == {wrong: "order_cancel"}


@pytest.mark.parametrize("wrong", ["Refund-Ask", "refund ask", "REFUND_ASK ", "refund  ask"])
def test_a_label_in_another_case_is_wrong_while_it_is_rare(wrong: str) -> None:
    assert misspelt({wrong: 9}) == {wrong: "refund_ask"}
    assert misspelt({wrong: 10}) == {}, "more than a tenth of refund_ask's 90"


@pytest.mark.parametrize(
    "counts",
    [
        {"1": 500, "-1": 300, "0": 400},
        {"1": 500, "-1": 6, "+1": 7},
        {"C": 900, "C++": 6, "C#": 7},
        {"+": 900, "-": 8},
        {"100": 900, "-100": 2},
        {"c_code": 900, "c#_code": 2},
        {"a": 900, "_": 6, "-": 6, "??": 6},
    ],
)
def test_signs_are_names(counts: dict[str, int]) -> None:
    assert misspelt_labels(counts, counts, 5) == {}


@given(st.dictionaries(st.text("aA1+-_ #", min_size=1, max_size=4), st.integers(1, 999)))
def test_no_label_is_meant_to_be_a_rarer_one(counts: dict[str, int]) -> None:
    for wrong, right in misspelt_labels(counts, counts, 5).items():
        assert counts[wrong] <= counts[right]
        assert counts[wrong] < 5 or 10 * counts[wrong] <= counts[right]


@pytest.mark.parametrize("fine", ["order_cancle_request", "payment", "refund_asks_of_old"])
def test_a_rare_label_far_from_others_is_no_misspelling(fine: str) -> None:
    assert misspelt({fine: 2}) == {}


def test_a_label_with_documents_of_its_own_is_no_misspelling() -> None:
    assert misspelt({"order_cancle": 5}) == {}


def test_numbers_are_names() -> None:
    counts = {"level_1": 50, "level_2": 2, "1": 40, "2": 1}
    assert misspelt_labels(counts, counts, 5) == {}


def test_rare_counts_training_documents_only() -> None:
    assert rare_labels({"a": 9, "b": 4}, {"a": 9, "b": 40, "c": 30}, 5) == {"b": 4, "c": 0}


def test_edits_of_known_words() -> None:
    assert edits("late", "laet") == 1  # neighbours swapped
    assert edits("kitten", "sitting") == 3
    assert edits("", "abc") == 3


@given(st.text("ab_", max_size=6), st.text("ab_", max_size=6))
def test_edits_is_a_distance(a: str, b: str) -> None:
    assert edits(a, b) == edits(b, a)
    assert (edits(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= edits(a, b) <= max(len(a), len(b))
