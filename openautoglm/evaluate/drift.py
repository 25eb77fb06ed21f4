"""Drift of the newest batch: what validate measured, its embeddings, and how sure the champion is of it.

    drift = measure(parent, corpus, graphs, exam, learnt, validation, params.evaluate, seed)
    drift.save(root / "reports/drift.json")
    drifted(root / "reports/drift.json")          # [] or the measures over their bounds

Embeddings and confidence are the champion's, the model in service, on texts that it was not trained on: the test
documents of earlier batches against those of the newest one, with more of the newest where it has few of them and the
champion has not learnt them. A model is surer of what it was trained on, and that is no drift.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from openautoglm.corpus import Corpus
from openautoglm.corpus.drift import psi_of_values
from openautoglm.corpus.split import in_hash_order
from openautoglm.evaluate.evaluation import rounded
from openautoglm.evaluate.exam import Exam
from openautoglm.evaluate.predict import Reader, Reading
from openautoglm.evaluate.scope import chosen
from openautoglm.evaluate.two_sample import two_sample
from openautoglm.files import load_json, save_json
from openautoglm.graph import GraphBatch
from openautoglm.model.scope import softmax
from openautoglm.params import EvaluateParams

FEWEST = 50  # texts a side; below it the index of ten bins is chance
ENOUGH = (
    100  # texts of the newest batch, for which training documents are read where the test split has fewer
)
MOST = 400  # texts a side; more find shifts that matter to nobody


@dataclass(frozen=True)
class Measure:
    """``value`` above ``bound`` is drift; ``text`` says in one sentence what was found."""

    name: str
    value: float
    bound: float
    drifted: bool
    text: str


@dataclass(frozen=True)
class Drift:
    """``batch``: the newest one, None where there is no earlier one. ``note``: why something was not measured."""

    batch: str | None
    champion: str | None
    documents: int
    reference_documents: int
    new_labels: tuple[str, ...]
    measures: tuple[Measure, ...]
    note: str = ""

    @property
    def drifted(self) -> list[str]:
        return [measure.name for measure in self.measures if measure.drifted]

    def save(self, path: Path) -> None:
        """The same corpus, champion and seed give the same bytes."""
        save_json(path, rounded({**asdict(self), "drifted": self.drifted}))


def drifted(path: Path) -> list[Measure]:
    """The measures of ``reports/drift.json`` that are over their bounds; none where the file is not there."""
    if not path.is_file():
        return []
    return [Measure(**row) for row in load_json(path)["measures"] if row["drifted"]]


def measure(
    parent: Reader | None,
    corpus: Corpus,
    graphs: GraphBatch,
    exam: Exam,
    learnt: Collection[str] | None,
    validation: Mapping[str, Any],
    params: EvaluateParams,
    seed: int = 0,
    champion: str | None = None,
) -> Drift:
    """``validation``: reports/validation.json. ``learnt``: batches that the champion was trained on, None where
    that is not known. ``champion``: its release id."""
    found = of_words(validation, params)
    batches = list(dict.fromkeys(corpus.column("batch")))
    if found.batch is None or len(batches) < 2:
        return replace(found, note="There is no earlier batch to compare with.")
    if parent is None or exam.parent_reading is None:
        return replace(found, note="There is no champion yet, so nothing was measured on a model.")
    seen = learnt is None or batches[-1] in learnt
    old, new = _readings(parent, corpus, graphs, exam, batches[-1], seen)
    found = replace(found, champion=champion)
    if min(len(old), len(new)) < FEWEST:
        return replace(
            found,
            note=f"The champion read {len(new)} new and {len(old)} earlier texts that it had not learnt; "
            f"embeddings and confidence are compared from {FEWEST} on.",
        )
    measures = (of_embeddings(old, new, params.drift_chance, seed), of_confidence(old, new, params.drift_psi))
    return replace(found, measures=found.measures + measures)


def of_words(validation: Mapping[str, Any], params: EvaluateParams) -> Drift:
    """What validate measured, without a model: labels, lengths, words."""
    shift: Mapping[str, Any] = validation.get("drift") or {}
    if not shift:
        return Drift(None, None, 0, 0, (), ())
    psi = f"population stability index; from {params.drift_psi:g} on it counts as drift"
    new = tuple(shift["new_labels"])
    words = ", ".join(shift["new_words"][:5])
    measures = (
        _over("labels", shift["label_psi"], params.drift_psi, f"Mix of the labels known before: {psi}."),
        _over("lengths", shift["length_psi"], params.drift_psi, f"Words a text: {psi}."),
        _over(
            "words",
            shift["oov"],
            params.drift_oov,
            f"{shift['oov']:.1%} of the words are new{f', most often {words}' if words else ''}.",
        ),
    )
    return Drift(shift["batch"], None, shift["documents"], shift["reference_documents"], new, measures)


def of_embeddings(old: Reading, new: Reading, chance: float, seed: int) -> Measure:
    found = two_sample(old.features, new.features, chance, seed)
    text = (
        f"Distance of the embeddings (MMD²) of {len(new)} new and {len(old)} earlier texts; batches of the same kind "
        f"stay below {found.by_chance:.4f} with {1 - chance:.0%} certainty (p = {found.p_value:.3f})."
    )
    return _over("embeddings", found.mmd, found.by_chance, text)


def of_confidence(old: Reading, new: Reading, bound: float) -> Measure:
    before, after = (softmax(reading.logits.astype(np.float64)).max(axis=1) for reading in (old, new))
    text = (
        f"The champion is {after.mean():.1%} sure of its answers to the new texts, {before.mean():.1%} to earlier "
        f"ones; population stability index of the two distributions."
    )
    return _over("confidence", psi_of_values(before, after), bound, text)


def _over(name: str, value: float, bound: float, text: str) -> Measure:
    return Measure(name, float(value), float(bound), bool(value > bound), text)


def _readings(
    parent: Reader, corpus: Corpus, graphs: GraphBatch, exam: Exam, newest: str, learnt: bool
) -> tuple[Reading, Reading]:
    """The champion's (earlier, newest) readings of texts that it has not learnt."""
    assert exam.parent_reading is not None
    rows: dict[bool, list[tuple[str, int]]] = {False: [], True: []}
    columns = (exam.test.column(name) for name in ("doc_id", "batch"))
    for row, (doc_id, batch) in enumerate(zip(*columns, strict=True)):
        rows[batch == newest].append((doc_id, row))
    old, new = (
        exam.parent_reading.take([row for _, row in in_hash_order(rows[is_new])[:MOST]])
        for is_new in (False, True)
    )
    if len(new) < ENOUGH:
        more = _unlearnt(corpus, newest, ("valid",) if learnt else ("valid", "train"))[: ENOUGH - len(new)]
        documents = chosen(corpus, graphs, np.array(more, np.int64))
        new = new.plus(parent.read(*documents))
    return old, new


def _unlearnt(corpus: Corpus, batch: str, splits: tuple[str, ...]) -> list[int]:
    """Rows of a batch in these splits, by a hash of their ids."""
    columns = (corpus.column(name) for name in ("doc_id", "batch", "split"))
    found = [
        (doc_id, row)
        for row, (doc_id, its_batch, split) in enumerate(zip(*columns, strict=True))
        if its_batch == batch and split in splits
    ]
    return [row for _, row in in_hash_order(found)]
