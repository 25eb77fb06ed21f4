"""Taking documents out of what was learnt analytically, and out of every cache that holds them.

forgotten = forget(job, params.continual, ids)            # then take them out of the inbox and run the pipeline

What is left behind is, bit for bit, what there would be if they had never come. What a fine-tuned backbone took from
them no subtraction removes: where the parent was trained on them, only training again without them does.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import compress

from openautoglm.model.checkpoint import Checkpoint
from openautoglm.params import ContinualParams
from openautoglm.train.analytic import Lifter, extractor_of, remember
from openautoglm.train.feature_store import FeatureStore
from openautoglm.train.features import content_keys
from openautoglm.train.job import Job
from openautoglm.train.memory import Memory
from openautoglm.train.prepare import load_documents


@dataclass(frozen=True)
class Forgotten:
    """``documents`` were taken out; ``unknown`` ids are not in the corpus; ``memory`` is what remains."""

    documents: int
    unknown: tuple[str, ...]
    memory: Memory


def forget(job: Job, continual: ContinualParams, ids: Collection[str]) -> Forgotten:
    """Take the documents ``ids`` of the job's corpus out of its parent's memory and of all caches beside ``job.runs``.

    The corpus itself stays as it is: it is built from the inbox, which is its owner's to change.
    """
    corpus, graphs = load_documents(job)
    found, wanted = corpus.column("doc_id"), set(ids)
    parent = Checkpoint.load(job.parent) if job.parent else None
    extractor = extractor_of(job, parent, list(corpus.labels))
    root = job.runs.parent / "features"
    store = FeatureStore.of(root, extractor)
    lifter = Lifter.of(store, extractor, continual.features, job.params.seed)
    texts = [text or "" for text in corpus.column("text")]
    keys = extractor.keys(texts, graphs)
    rows = list(zip(keys, corpus.column("label"), corpus.column("split"), found, strict=True))
    left = Counter(
        (key, label) for key, label, split, doc_id in rows if split == "train" and doc_id not in wanted
    )
    memory = remember(lifter, left)
    for path in set(root.glob("*/memory-*.safetensors")) - {lifter.memory}:
        path.unlink()  # of another model; made anew from what is left, should that model return
    for folder in root.iterdir():
        for all_keys in (content_keys(texts, None), content_keys(texts, graphs)):
            FeatureStore(folder).purge(_only_of(all_keys, [doc_id in wanted for doc_id in found]))
    shutil.rmtree(job.runs.parent / "replay", ignore_errors=True)  # texts, left by a run that was killed
    return Forgotten(sum(doc_id in wanted for doc_id in found), tuple(sorted(wanted - set(found))), memory)


def keep_only(job: Job) -> int:
    """Take out of every cache beside ``job.runs`` what the job's corpus does not hold; returns how many features went.

    For when the corpus has been made anew without the documents that are to go. Needs no model: a memory that counts
    a document too many is dropped, and made anew when its model returns. Training states go as a whole.
    """
    corpus, graphs = load_documents(job)
    texts, root = [text or "" for text in corpus.column("text")], job.runs.parent / "features"
    shutil.rmtree(job.runs.parent / "replay", ignore_errors=True)
    shutil.rmtree(job.runs, ignore_errors=True)
    variants = content_keys(texts, None), content_keys(texts, graphs)
    labels = corpus.column("label")
    train = [split == "train" for split in corpus.column("split")]
    learnt = Counter(pair for keys in variants for pair in compress(zip(keys, labels, strict=True), train))
    for path in root.glob("*/memory-*.safetensors"):
        if not Memory.documents_of(path) <= learnt:
            path.unlink()
    kept, gone = {key for keys in variants for key in keys}, 0
    for folder in root.iterdir() if root.is_dir() else ():
        gone += FeatureStore(folder).keep_only(kept)
    return gone


def _only_of(keys: list[str], gone: list[bool]) -> set[str]:
    """Keys of documents that go, but for those that a document which stays has as well."""
    going, staying = (
        {key for key, goes in zip(keys, gone, strict=True) if goes == which} for which in (True, False)
    )
    return going - staying
