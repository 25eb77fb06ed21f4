"""Which phrases are seen together more than chance: edges that one text alone cannot give.

    table = Cooccurrence.fit(train_graphs, window=10, minimum=0.3, min_count=5)

A pair's normalised pointwise mutual information is ``ln(p(a, b) / (p(a) p(b))) / -ln p(a, b)`` over documents (Bouma
2009): 1 when they only occur together, 0 when independent. Phrases are known by their head word, in the singular.
The table is fitted on the training split only; that is the caller's duty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from openautoglm.graph.relations import singular

Array = npt.NDArray[Any]


@dataclass(frozen=True, repr=False, eq=False)
class Cooccurrence:
    window: int  # words
    heads: tuple[str, ...]  # [H], sorted
    pairs: Array  # [P, 2] int64, numbers of heads, first below second, rows sorted
    weight: Array  # [P] float32, NPMI

    @classmethod
    def fit(
        cls, shards: list[tuple[Array, Array, list[str]]], window: int, minimum: float, min_count: int
    ) -> Cooccurrence:
        """Count over ``(document [N], position [N], heads [N])`` of each shard; documents of two shards never meet."""
        names = sorted({singular(head) for _, _, heads in shards for head in set(heads)} - {""})
        numbers = {name: number for number, name in enumerate(names)}
        size = max(len(names), 1)
        alone = np.zeros(size, np.int64)
        pairs: list[Array] = []
        documents = 0
        for document, position, heads in shards:
            head = _numbered(heads, numbers)
            first, second = _neighbours(document, position, head, window)
            documents += len(np.unique(document))
            seen = np.unique(document[head >= 0] * size + head[head >= 0])
            alone += np.bincount(seen % size, minlength=size)
            keys = _key(head[first], head[second], size)
            order = np.lexsort((keys, document[first]))
            keys, where = keys[order], document[first][order]
            fresh = np.ones(len(keys), bool)
            fresh[1:] = (keys[1:] != keys[:-1]) | (where[1:] != where[:-1])  # a pair counts once a document
            pairs.append(keys[fresh])
        keys, counts = np.unique(
            np.concatenate(pairs) if pairs else np.zeros(0, np.int64), return_counts=True
        )
        often = counts >= min_count
        keys, counts = keys[often], counts[often]
        a, b = keys // size, keys % size
        weight = _npmi(counts, alone[a], alone[b], max(documents, 1))
        kept = weight >= minimum
        return cls._of_names(window, names, np.stack([a[kept], b[kept]], axis=1), weight[kept])

    @classmethod
    def _of_names(cls, window: int, names: list[str], pairs: Array, weight: Array) -> Cooccurrence:
        """Keep only the names that some pair needs; order stays, so the pairs stay sorted."""
        used, renumbered = np.unique(pairs, return_inverse=True)
        return cls(
            window,
            tuple(names[number] for number in used.tolist()),
            renumbered.reshape(-1, 2).astype(np.int64),
            np.round(weight, 4).astype(np.float32),
        )

    def edges(self, document: Array, position: Array, heads: list[str]) -> tuple[Array, Array, Array]:
        """Pairs of nodes of the same document that the table joins: numbers in the flat array [K], [K], weights [K]."""
        head = _numbered(heads, {name: number for number, name in enumerate(self.heads)})
        first, second = _neighbours(document, position, head, self.window)
        size = max(len(self.heads), 1)
        table = self.pairs[:, 0] * size + self.pairs[:, 1]
        keys = _key(head[first], head[second], size)
        place = np.searchsorted(table, keys)
        place[place == len(table)] = 0
        known = table[place] == keys if len(table) else np.zeros(len(keys), bool)
        first, second, place = first[known], second[known], place[known]
        order = np.lexsort((second, first))
        return first[order], second[order], self.weight[place[order]]

    def to_json(self) -> dict[str, Any]:
        """A line a pair, for eyes and diffs: ``first head, tab, second head, tab, NPMI``."""
        rows = zip(self.pairs.tolist(), self.weight.tolist(), strict=True)
        return {
            "window": self.window,
            "pairs": [f"{self.heads[a]}\t{self.heads[b]}\t{weight:.4f}" for (a, b), weight in rows],
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Cooccurrence:
        rows = [row.split("\t") for row in raw["pairs"]]
        heads = sorted({head for row in rows for head in row[:2]})
        numbers = {head: number for number, head in enumerate(heads)}
        pairs = np.array([[numbers[a], numbers[b]] for a, b, _ in rows], np.int64).reshape(-1, 2)
        weight = np.array([float(row[2]) for row in rows], np.float32)
        return cls(int(raw["window"]), tuple(heads), pairs, weight)

    def __repr__(self) -> str:
        return f"Cooccurrence(heads={len(self.heads)}, pairs={len(self.pairs)}, window={self.window})"


def _npmi(together: Array, first: Array, second: Array, documents: int) -> Array:
    joint = together / documents
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(joint * documents * documents / (first * second)) / -np.log(joint)
    return np.where(joint >= 1.0, 1.0, value)  # a pair of every document: the limit


def _numbered(heads: list[str], numbers: dict[str, int]) -> Array:
    """[N] int64, -1 for a head that has no number."""
    cache = {head: numbers.get(singular(head), -1) for head in set(heads)}
    return np.fromiter((cache[head] for head in heads), np.int64, len(heads))


def _neighbours(document: Array, position: Array, head: Array, window: int) -> tuple[Array, Array]:
    """Node pairs (i < j) of one document, at most ``window`` words apart, with two different known heads."""
    # nodes stand at least one word apart, so j - i <= window; nodes without a head are left out first
    named = np.flatnonzero(head >= 0)
    document, position, head = document[named], position[named], head[named]
    found: list[tuple[Array, Array]] = []
    for step in range(1, min(window, max(len(named) - 1, 0)) + 1):
        near = (document[step:] == document[:-step]) & (position[step:] - position[:-step] <= window)
        near &= head[step:] != head[:-step]
        first = np.flatnonzero(near)
        if not len(first) and not np.any(document[step:] == document[:-step]):
            break
        found.append((named[first], named[first + step]))
    if not found:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing
    return np.concatenate([f for f, _ in found]), np.concatenate([s for _, s in found])


def _key(a: Array, b: Array, size: int) -> Array:
    return np.minimum(a, b) * size + np.maximum(a, b)
