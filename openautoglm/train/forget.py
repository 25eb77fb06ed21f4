"""Taking documents that are gone from the corpus out of every cache that still holds something of them.

keep_only(job)            # after the inbox lost them and the pipeline ran: its head was solved from sums without them

What is left behind is, bit for bit, what there would be if they had never come. What a fine-tuned backbone took from
them no subtraction removes: where the parent was trained on them, only training again without them does.
"""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import compress

from openautoglm.train.content import content_keys
from openautoglm.train.feature_store import FeatureStore
from openautoglm.train.job import Job
from openautoglm.train.memory import Memory
from openautoglm.train.prepare import load_documents


def keep_only(job: Job) -> int:
    """Take out of every cache beside ``job.runs`` what the job's corpus does not hold; returns how many features went.

    For when the corpus has been made anew without the documents that are to go. Needs no model: a memory that counts
    a document too many, or that nobody can read, is dropped, and made anew when its model returns. Training states go as a whole.
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
        memory = Memory.read(path)
        if memory is None or not memory.documents <= learnt:
            path.unlink()
    kept, gone = {key for keys in variants for key in keys}, 0
    for folder in root.iterdir() if root.is_dir() else ():
        gone += FeatureStore(folder).keep_only(kept)
    return gone
