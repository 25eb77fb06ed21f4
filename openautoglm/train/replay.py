"""Training on from the parent with the new documents and a few old ones of each class, so that it does not forget.

    result = learn(job, params.continual, seen, root / "models/checkpoint", root / "reports/training.jsonl")

What to replay is a function of the old documents alone, not of how they arrived, so nothing has to be kept between
runs but what the corpus holds; the chosen ids and their fingerprint stand in training.json. Every rank reads the same
smaller corpus, so several processes train what one would.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from openautoglm.corpus.document import Corpus
from openautoglm.files import fingerprint
from openautoglm.graph import GraphBatch
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.params import ContinualParams
from openautoglm.train.feature_store import FeatureStore
from openautoglm.train.features import Extractor
from openautoglm.train.job import Hold, Job
from openautoglm.train.lift import Whole, quantise
from openautoglm.train.prepare import load_documents
from openautoglm.train.run import train

Choice = Callable[[list[int], int], list[int]]  # rows of one class, how many → those to replay


@dataclass(frozen=True)
class Buffer:
    """What is replayed: ``doc_ids``, sorted."""

    doc_ids: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        return fingerprint(list(self.doc_ids))

    def __repr__(self) -> str:
        return f"Buffer({len(self.doc_ids)} documents, {self.fingerprint[:12]})"


def learn(
    job: Job, continual: ContinualParams, seen: Collection[str], checkpoint: Path, report: Path
) -> dict[str, Any]:
    """Train on documents of batches that are not in ``seen``, with a buffer of the others; as :func:`train` otherwise.

    Raises:
        UserError, TrainingFailed: as :func:`train`.
    """
    assert job.parent is not None, "replay trains on from a parent"
    corpus, graphs = load_documents(job)
    splits, batches = corpus.column("split"), corpus.column("batch")
    old = [i for i, split in enumerate(splits) if split == "train" and batches[i] in seen]
    choice = (
        by_hash(corpus) if continual.replay_choice == "reservoir" else by_features(job, corpus, graphs, old)
    )
    kept = balanced(corpus, old, continual.replay_per_class, choice)
    left_out = set(old) - set(kept)
    rows = [row for row in range(len(corpus)) if row not in left_out]
    ids = corpus.column("doc_id")
    buffer = Buffer(tuple(sorted(ids[row] for row in kept)))
    more = {
        "mode": "replay",
        "corpus": corpus.fingerprint,
        "graphs": graphs.fingerprint,
        "batches": sorted(set(batches)),
        "replayed": list(buffer.doc_ids),
        "replay_fingerprint": buffer.fingerprint,
    }
    folder = job.runs.parent / "replay"
    try:
        part = _written(job, corpus, graphs, rows, folder)
        chosen = replace(part, layers=continual.replay_layers, hold=_hold(continual, buffer))
        return train(chosen.sealed(), checkpoint, report, more)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hold(continual: ContinualParams, buffer: Buffer) -> Hold:
    """What weighs nothing is left out, so that it costs nothing either."""
    if continual.penalty == "none" or not continual.penalty_weight:
        return Hold()
    return Hold(continual.penalty, continual.penalty_weight, buffer.doc_ids)


def balanced(corpus: Corpus, rows: Sequence[int], per_class: int, choice: Choice) -> list[int]:
    """At most ``per_class`` of ``rows`` for each label, sorted."""
    labels = corpus.column("label")
    of_label: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        of_label[labels[row]].append(row)
    return sorted(row for label in sorted(of_label) for row in choice(of_label[label], per_class))


def by_hash(corpus: Corpus) -> Choice:
    """A reservoir without a history: the smallest hashes of the ids. Whatever arrives later, it is a fair sample."""
    ids = corpus.column("doc_id")
    return lambda rows, count: sorted(rows, key=lambda row: fingerprint(ids[row].encode()))[:count]


def by_features(job: Job, corpus: Corpus, graphs: GraphBatch, rows: Sequence[int]) -> Choice:
    """Herding (iCaRL, Rebuffi et al. 2017, algorithm 4) by the parent's features."""
    assert job.parent is not None
    parent = Checkpoint.load(job.parent)
    extractor = Extractor.of_checkpoint(parent, job.params.weights, job.params.precision)
    store = FeatureStore.of(job.runs.parent / "features", extractor)
    places = np.array(rows, np.int64)  # an empty list has no type that Arrow takes
    texts, chosen = corpus.table["text"].take(places).to_pylist(), graphs.select(places)
    keys = dict(zip(rows, extractor.keys(texts, chosen), strict=True))
    store.fill(extractor, list(keys.values()), texts, chosen)

    def choice(rows: list[int], count: int) -> list[int]:
        rows = sorted(rows, key=lambda row: keys[row])
        return [rows[place] for place in herd(quantise(store.take(keys[row] for row in rows)[:, 0]), count)]

    return choice


def herd(features: Whole, count: int) -> list[int]:
    """Rows of ``features`` [D, H] whose running mean stays nearest to the mean of all, in the order of their choice."""
    values = features.astype(np.float64)
    mean, total, chosen = values.mean(axis=0), np.zeros(values.shape[1]), list[int]()
    for number in range(1, min(count, len(values)) + 1):
        distance = np.square(mean - (total + values) / number).sum(axis=1)
        distance[chosen] = np.inf
        chosen.append(int(distance.argmin()))
        total += values[chosen[-1]]
    return chosen


def _written(job: Job, corpus: Corpus, graphs: GraphBatch, rows: list[int], folder: Path) -> Job:
    Corpus(corpus.table.take(rows)).save(folder / "corpus")
    graphs.select(rows).save(folder / "graphs")
    return replace(job, corpus=folder / "corpus", graphs=folder / "graphs")
