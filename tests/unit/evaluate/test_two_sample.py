"""The permutation test: exact on data of one kind, and awake where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from openautoglm.evaluate.two_sample import two_sample


def cloud(count: int, seed: int, shift: float = 0.0, clusters: int = 5) -> np.ndarray:
    """Vectors about a few centres that are the same for every seed."""
    centres = np.random.default_rng(99).normal(size=(clusters, 32))
    random = np.random.default_rng(seed)
    found = centres[random.integers(clusters, size=count)] + 0.7 * random.normal(size=(count, 32))
    found[:, 0] += shift
    return found.astype(np.float32)


def test_data_of_one_kind_is_called_drifted_as_often_as_allowed() -> None:
    p_values = [two_sample(cloud(120, s), cloud(60, s + 1000), 0.05, s, 199).p_value for s in range(100)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.12
    assert 0.4 < np.mean(p_values) < 0.6


@pytest.mark.parametrize("seed", range(5))
def test_one_kind_and_another(seed: int) -> None:
    same = two_sample(cloud(300, seed), cloud(100, seed + 50), 0.001, seed)
    other = two_sample(cloud(300, seed), cloud(100, seed + 50, shift=1.5), 0.001, seed)
    assert same.mmd <= same.by_chance
    assert other.mmd > other.by_chance
    assert other.p_value == pytest.approx(0.001)


def test_some_clusters_missing_is_seen_too() -> None:
    found = two_sample(cloud(300, 0), cloud(300, 1)[:100] * 0 + cloud(100, 2, clusters=1), 0.01, 0)
    assert found.mmd > found.by_chance


def test_deterministic_and_indifferent_to_scale_and_duplicates() -> None:
    first = two_sample(cloud(80, 0), cloud(50, 1), 0.01, 7)
    assert two_sample(cloud(80, 0), cloud(50, 1), 0.01, 7) == first
    assert two_sample(5 * cloud(80, 0), 5 * cloud(50, 1), 0.01, 7).mmd == pytest.approx(first.mmd, rel=1e-4)
    alike = two_sample(np.ones((60, 4)), np.ones((60, 4)), 0.01, 0)
    assert (alike.mmd, alike.p_value) == (pytest.approx(0.0, abs=1e-12), 1.0)
