"""What a chain of releases kept: scores of each group of classes after each batch, and what follows from them.

    chain = Chain.of([release.metrics for release in releases])
    chain.average_accuracy, chain.backward_transfer, chain.forgetting

R[i][j] is the accuracy on group j after release i; a group that is not there yet is NaN. Two kinds of groups stand in
an evaluation's flat metrics, so that the chain's matrix is read from the manifests alone:

    batch/<name>    the test documents that came with a batch; a split is never rolled again, so they stay the same
    group/<name>    the test documents of the classes that first came with a batch, whichever batch brought them
    before/<name>   batch/<name> of the version that was trained on from: R[j-1][j], since both sit the same exam; an
                    answer's last digits depend on its company, so that one on the edge may fall the other way

With T the last row, d(j) the row of group j's own batch, N groups (Lopez-Paz and Ranzato 2017, GEM, arXiv 1706.08840,
equations 2 to 4; forgetting: Chaudhry et al. 2018, arXiv 1801.10112, equation 3):

    average accuracy    1/N     sum over j          R[T][j]
    backward transfer   1/(N-1) sum over j < N      R[T][j] - R[d(j)][j]
    forward transfer    1/(N-1) sum over j > 1      R[d(j)-1][j] - b[j]       b: an untrained model, which answers nothing: 0
    forgetting          1/(N-1) sum over j < N      max over i < T of R[i][j] - R[T][j]
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from openautoglm.corpus import Corpus
from openautoglm.evaluate import metrics as m

PREFIX = "group/"  # of a group's accuracy in the flat metrics of an evaluation
BATCH, BEFORE = "batch/", "before/"


def class_groups(corpus: Corpus) -> dict[str, str]:
    """{label: batch that it first came with}, by the train split; a label that only other splits have by those."""
    found: dict[str, str] = {}
    for split in ("train", None):
        part = corpus.split(split) if split else corpus
        for label, batch in zip(part.column("label"), part.column("batch"), strict=True):
            found.setdefault(label, batch)
    return found


def group_masks(actual: m.Ints, names: Sequence[str], groups: Mapping[str, str]) -> dict[str, m.Bools]:
    """{group: which documents [D] are of its classes}, in the order in which the groups first came."""
    of_class = np.array([groups.get(name, "") for name in names], dtype=object)
    masks = {group: of_class[actual] == group for group in dict.fromkeys(groups.values())}
    return {group: mask for group, mask in masks.items() if mask.any()}


def group_scores(
    actual: m.Ints, right: m.Bools, names: Sequence[str], groups: Mapping[str, str]
) -> dict[str, float]:
    """Flat metrics, one a group; a row of R."""
    masks = group_masks(actual, names, groups)
    return {f"{PREFIX}{group}": m.share(right[mask]) for group, mask in masks.items()}


def batch_scores(batches: Sequence[str], right: m.Bools, before: m.Bools | None) -> dict[str, float]:
    """Flat metrics: accuracy on the documents of each batch, ours and that of the version ``before``.

    ``batches``: of each document [D]; ``right``, ``before``: whose answers are right [D], None: nobody was before.
    """
    of_batch, found = np.array(batches, dtype=object), dict[str, float]()
    for batch in dict.fromkeys(batches):
        mask = of_batch == batch
        found[f"{BATCH}{batch}"] = m.share(right[mask])
        if before is not None:
            found[f"{BEFORE}{batch}"] = m.share(before[mask])
    return found


@dataclass(frozen=True, eq=False)
class Chain:
    """``groups``: names in the order of their first appearance. ``scores`` [T, G]: R, NaN for what was not there.

    A group's own batch is the first with a score for it; a release without a new group is a row like any other.
    ``before``: accuracy on a group just before its own batch was learnt, where that was measured.
    """

    groups: tuple[str, ...]
    scores: m.Reals
    before: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Chain:
        """From the metrics of evaluations, oldest first; whatever is not a group's accuracy is passed over.

        A row tells the documents of each batch; one of an older version may know only the classes of each.
        """
        found = [_named(row, BATCH) or _named(row, PREFIX) for row in rows]
        groups = tuple(dict.fromkeys(group for row in found for group in row))
        scores = np.array([[row.get(group, math.nan) for group in groups] for row in found], dtype=np.float64)
        before: dict[str, float] = {}
        for row, known in zip(rows, found, strict=True):
            ahead = _named(row, BEFORE)
            for group in known.keys() - before.keys():
                before[group] = ahead.get(group, math.nan)
        before = {group: value for group, value in before.items() if not math.isnan(value)}
        return cls(groups, scores.reshape(len(found), len(groups)), before)

    def upto(self, rows: int) -> Chain:
        """The chain as it was after its first ``rows`` releases."""
        known = [j for j in range(len(self.groups)) if not np.isnan(self.scores[:rows, j]).all()]
        return Chain(tuple(self.groups[j] for j in known), self.scores[:rows, known], self.before)

    def __repr__(self) -> str:
        return f"Chain({len(self.scores)} releases, {len(self.groups)} groups, average {self.average_accuracy:.3f})"

    @property
    def average_accuracy(self) -> float:
        """Mean over the groups after the last batch."""
        return _mean(self.scores[-1]) if len(self.scores) else 0.0

    @property
    def incremental_accuracy(self) -> float:
        """Mean over the batches of the average accuracy after each."""
        return _mean(np.array([_mean(row) for row in self.scores]))

    @property
    def backward_transfer(self) -> float:
        """Mean over the groups before the last of R[T][j] − R[j][j]: negative where later batches cost what was known."""
        return _mean(np.array([self.scores[-1, j] - self.scores[i, j] for j, i in self._before_last()]))

    @property
    def forgetting(self) -> float:
        """Mean over the groups before the last of the best R[i][j] so far − R[T][j]."""
        return _mean(
            np.array([np.nanmax(self.scores[:-1, j]) - self.scores[-1, j] for j, _ in self._before_last()])
        )

    def forward_transfer(self) -> float:
        """Mean over the groups after the first of R[j−1][j] − b[j]; b, of a model that has learnt nothing, is 0.

        Of a model that can answer only what it has learnt it is 0; where the classes stay the same and the texts
        change, it says what earlier batches gave to later ones.
        """
        return _mean(np.array([self._ahead(j, i) for j, i in self._first() if i > 0]))

    def _ahead(self, group: int, row: int) -> float:
        """R[row − 1][group]; 0 where nobody looked: what was not learnt is not answered."""
        seen = float(self.scores[row - 1, group])
        return self.before.get(self.groups[group], 0.0 if math.isnan(seen) else seen)

    def losses(self) -> m.Reals:
        """[T, G]: what each release had lost of each group, against the best so far; NaN where there is no score."""
        best = np.fmax.accumulate(self.scores, axis=0) if len(self.scores) else self.scores
        return np.asarray(best - self.scores, dtype=np.float64)

    def summary(self) -> dict[str, float]:
        """Flat, for metrics and tables."""
        return {
            "average_accuracy": self.average_accuracy,
            "incremental_accuracy": self.incremental_accuracy,
            "backward_transfer": self.backward_transfer,
            "forgetting": self.forgetting,
            "forward_transfer": self.forward_transfer(),
        }

    def _first(self) -> list[tuple[int, int]]:
        """(group, the row of its first score), of those that have one."""
        return [
            (j, int(np.flatnonzero(~np.isnan(self.scores[:, j]))[0]))
            for j in range(len(self.groups))
            if not np.isnan(self.scores[:, j]).all()
        ]

    def _before_last(self) -> list[tuple[int, int]]:
        return [
            (j, i) for j, i in self._first() if i < len(self.scores) - 1 and not np.isnan(self.scores[-1, j])
        ]


def _named(row: Mapping[str, Any], prefix: str) -> dict[str, float]:
    return {key.removeprefix(prefix): float(value) for key, value in row.items() if key.startswith(prefix)}


def _mean(values: m.Reals) -> float:
    """Of what is there; 0 of nothing."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else 0.0
