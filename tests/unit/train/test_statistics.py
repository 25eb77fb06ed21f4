"""The sums of a ridge head: what they add up to, what is solved from them, and what is on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from openautoglm.train.lift import Whole
from openautoglm.train.statistics import FOLDS, STRENGTHS, Statistics

LABELS = ("b", "a", "c")


def drawn(documents: int, width: int = 12, seed: int = 0) -> tuple[Whole, list[str], np.ndarray]:
    """Random features with a weak hint of the label, the labels, and the fold of each document."""
    random = np.random.default_rng(seed)
    features = random.integers(0, 4096, (documents, width)).astype(np.int16)
    number = random.integers(0, 3, documents)
    features[np.arange(documents), number] = 4095
    return features, [LABELS[n] for n in number], random.integers(0, FOLDS, documents)


def test_what_they_are() -> None:
    features, labels, folds = drawn(40)
    found = Statistics.empty(12).plus(features, labels, folds)
    exact = features.astype(np.int64)
    for fold in range(FOLDS):
        assert (found.gram[fold] == exact[folds == fold].T @ exact[folds == fold]).all()
    assert (found.gram.sum(axis=0) == exact.T @ exact).all()
    of_b = np.array(labels) == "b"
    assert (found.sums["b"].sum(axis=0) == exact[of_b].sum(axis=0)).all()
    assert found.counts["b"].tolist() == [(of_b & (folds == fold)).sum() for fold in range(FOLDS)]
    assert found.labels == ["a", "b", "c"]
    assert repr(found) == "Statistics(40 documents, 3 labels, 12 features)"


def test_the_ridge_is_the_textbook_one() -> None:
    features, labels, folds = drawn(60)
    statistics = Statistics.empty(12).plus(features, labels, folds)
    weights, strength = statistics.solve()
    x = features.astype(np.float64)
    y = np.array([[label == name for name in ("a", "b", "c")] for label in labels], dtype=np.float64)
    ridge = strength * np.trace(x.T @ x) / 12
    assert weights == pytest.approx(np.linalg.solve(x.T @ x + ridge * np.eye(12), x.T @ y), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_strength_is_the_best_in_cross_validation(seed: int) -> None:
    features, labels, folds = drawn(300, 40, seed)
    statistics = Statistics.empty(40).plus(features, labels, folds)
    x = features.astype(np.float64)
    y = np.array([[label == name for name in ("a", "b", "c")] for label in labels], dtype=np.float64)
    energy = np.trace(x.T @ x) / 40
    errors = dict.fromkeys(STRENGTHS, 0.0)
    for strength in STRENGTHS:
        for held in (folds == fold for fold in range(FOLDS)):
            gram = x[~held].T @ x[~held] + strength * energy * np.eye(40)
            weights = np.linalg.solve(gram, x[~held].T @ y[~held])
            errors[strength] += np.square(x[held] @ weights - y[held]).sum()
    assert statistics.solve()[1] == min(errors, key=errors.__getitem__)


def test_nothing_to_learn_from_asks_for_a_strong_one() -> None:
    random = np.random.default_rng(3)
    features = random.integers(0, 4096, (40, 200)).astype(np.int16)
    labels = [LABELS[n] for n in random.integers(0, 3, 40)]
    statistics = Statistics.empty(200).plus(features, labels, random.integers(0, FOLDS, 40))
    assert statistics.solve()[1] >= STRENGTHS[-3]


def test_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    statistics = Statistics.empty(12).plus(*drawn(40))
    statistics.save(tmp_path / "s.safetensors", [["key", "label", 2]])
    found, extra = Statistics.load(tmp_path / "s.safetensors")
    assert extra == [["key", "label", 2]]
    assert (found.gram == statistics.gram).all()
    assert found.labels == statistics.labels
    assert all((found.sums[label] == statistics.sums[label]).all() for label in found.labels)
    assert (found.solve()[0] == statistics.solve()[0]).all()


def test_an_empty_one_comes_back_too(tmp_path: Path) -> None:
    Statistics.empty(7).save(tmp_path / "s.safetensors")
    found, _ = Statistics.load(tmp_path / "s.safetensors")
    assert (found.documents, found.width) == (0, 7)


@pytest.mark.parametrize("other", ['"folds":4', '"fold":2'])
def test_of_other_folds_does_not_come_back(tmp_path: Path, other: str) -> None:
    path = tmp_path / "s.safetensors"
    Statistics.empty(7).plus(np.ones((4, 7), np.int16), ["a"] * 4, np.arange(4) % FOLDS).save(path)
    tensors = load_file(path)
    note = tensors["note"].tobytes().replace(b'"folds":2', other.encode())
    save_file({**tensors, "note": np.frombuffer(note, np.uint8)}, path)
    with pytest.raises(ValueError, match=r"expected sums in 2 folds, found (4|others)"):
        Statistics.load(path)
