from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openautoglm.corpus.split import carve_split, hash_split, split_named, split_of_file, splits_to_carve


def test_known_ids_keep_their_split_for_ever() -> None:
    """Golden: a change here re-rolls every exam that was ever sat."""
    drawn = {doc_id: hash_split(doc_id, 0.1, 0.2) for doc_id in ("b1-0001", "b1-0002", "b1-0028", "b1-0038")}
    assert drawn == {"b1-0001": "test", "b1-0002": "train", "b1-0028": "valid", "b1-0038": "test"}


@given(st.lists(st.text(), unique=True, max_size=50), st.randoms(use_true_random=False))
def test_split_is_stable_and_independent_of_order(ids: list[str], draw: random.Random) -> None:
    before = {doc_id: hash_split(doc_id, 0.1, 0.2) for doc_id in ids}
    draw.shuffle(ids)
    assert {doc_id: hash_split(doc_id, 0.1, 0.2) for doc_id in ids} == before


@given(st.text())
def test_a_larger_test_share_moves_nothing_out_of_test(doc_id: str) -> None:
    if hash_split(doc_id, 0.1, 0.2) == "test":
        assert hash_split(doc_id, 0.1, 0.3) == "test"


def test_shares_hold_over_many() -> None:
    drawn = [hash_split(f"doc-{n}", 0.1, 0.2) for n in range(20_000)]
    assert drawn.count("test") / len(drawn) == pytest.approx(0.2, abs=0.01)
    assert drawn.count("valid") / len(drawn) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("val", "valid"),
        ("Dev", "valid"),
        (" validation ", "valid"),
        ("TEST", "test"),
        ("holdout", None),
        (3, None),
    ],
)
def test_names_of_splits(name: object, split: str | None) -> None:
    assert split_named(name) == split


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("x/train.jsonl", "train"),
        ("x/banking.train-00000-of-00002.jsonl.gz", "train"),
        ("validation.csv", "valid"),
        ("dev_1.csv", "valid"),
        ("train/day-1.csv", None),  # a file's name and not its folder's
        ("training-and-test.csv", None),
        ("contest.csv", None),
    ],
)
def test_splits_in_names_of_files(path: str, split: str | None) -> None:
    assert split_of_file(path) == split


def test_what_a_source_leaves_out_is_carved_from_its_train_split() -> None:
    assert splits_to_carve({"train", "test"}) == ("valid",)
    assert splits_to_carve({"test"}) == ()
    drawn = {carve_split(f"d{n}", ("valid",), 0.3, 0.3) for n in range(100)}
    assert drawn == {"train", "valid"}
