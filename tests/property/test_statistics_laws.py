"""Laws of learning by sums: order, batches and what was once there leave no trace, down to the bytes on disk."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from openautoglm.files import fingerprint
from openautoglm.train.lift import UNIT, Whole, lift
from openautoglm.train.memory import Memory, folds
from openautoglm.train.statistics import Statistics

WIDTH = 9
LABELS = ("card", "Ünïcode", "a/b", "")
DOCUMENTS = st.lists(st.tuples(st.integers(0, 11), st.sampled_from(LABELS)), min_size=1, max_size=24)


def key_of(number: int) -> str:
    return fingerprint(number)[:32]


def features_of(keys: Sequence[str]) -> Whole:
    """Each key its own features, at the bounds of what there can be."""
    rows = [np.random.default_rng(int(key[:8], 16)).choice([0, 1, 4095], WIDTH) for key in keys]
    return np.array(rows, dtype=np.int16)


def bytes_of(memory: Memory) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        memory.save(Path(folder) / "memory")
        return (Path(folder) / "memory").read_bytes()


def batches_of(documents: list[tuple[int, str]], cuts: list[int]) -> list[list[tuple[str, str]]]:
    found = [(key_of(number), label) for number, label in documents]
    bounds = sorted({0, len(found), *(cut % (len(found) + 1) for cut in cuts)})
    return [found[a:b] for a, b in pairwise(bounds)]


@settings(deadline=None, max_examples=60)
@given(DOCUMENTS, st.lists(st.integers(0, 24), max_size=4), st.randoms(use_true_random=False))
def test_any_order_and_any_batches(documents, cuts, random) -> None:
    whole = Memory.empty(WIDTH).moved_to(Counter((key_of(n), label) for n, label in documents), features_of)
    random.shuffle(documents)
    memory, arrived = Memory.empty(WIDTH), Counter[tuple[str, str]]()
    for batch in batches_of(documents, cuts):
        arrived.update(batch)
        memory = memory.moved_to(arrived.copy(), features_of)
    assert bytes_of(memory) == bytes_of(whole)


@settings(deadline=None, max_examples=60)
@given(DOCUMENTS, DOCUMENTS)
def test_minus_is_never_had(kept, gone) -> None:
    rows = {name: [(key_of(n), label) for n, label in found] for name, found in (("k", kept), ("g", gone))}

    def parts(name: str) -> tuple[Whole, list[str], np.ndarray]:
        keys, labels = zip(*rows[name], strict=True)
        return features_of(keys), list(labels), folds(keys)

    never = Statistics.empty(WIDTH).plus(*parts("k"))
    without = Statistics.empty(WIDTH).plus(*parts("g")).plus(*parts("k")).minus(*parts("g"))
    assert without.labels == never.labels
    assert without.gram.tobytes() == never.gram.tobytes()
    assert without.solve()[0].tobytes() == never.solve()[0].tobytes()


@settings(deadline=None, max_examples=40)
@given(DOCUMENTS, DOCUMENTS)
def test_features_that_are_gone_cost_time_not_exactness(before, after) -> None:
    """The store lost a document that has to be taken out: the memory is made anew from those that are there."""
    documents = {
        name: Counter((key_of(n), label) for n, label in found)
        for name, found in (("b", before), ("a", after))
    }
    memory = Memory.empty(WIDTH).moved_to(documents["b"], features_of)
    there = {key for key, _ in documents["a"]}

    def some(keys: Sequence[str]) -> Whole:
        if set(keys) - there:
            raise KeyError
        return features_of(keys)

    found = memory.moved_to(documents["a"], some)
    assert bytes_of(found) == bytes_of(Memory.empty(WIDTH).moved_to(documents["a"], features_of))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 768), st.integers(0, 2**32 - 1))
def test_lifting_is_exact_whatever_stands_beside(hidden: int, seed: int) -> None:
    """Sums of whole numbers below 2^24: float32 gives what integers give, for features as large as they can be."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((5, hidden)) * random.choice([0.01, 1.0, 30.0], (5, hidden))
    whole = np.rint(values / np.linalg.norm(values, axis=1, keepdims=True) * UNIT).astype(np.int16)
    signs = random.choice([-1, 1], (hidden, 33))
    lifted = lift(whole, signs.astype(np.float32))
    exact = np.clip(np.rint(whole.astype(np.int64) @ signs / 16), 0, 4095)
    assert (lifted[:, :-1] == exact).all()
    assert (lifted[:, -1] == 1024).all()
    assert (lift(whole[2:3], signs.astype(np.float32)) == lifted[2:3]).all()
