"""The out-of-scope threshold of a checkpoint, set on the valid split: a part of what was trained, as its temperature is.

fit_scope(checkpoint, root / ".autoglm/features", corpus, graphs, share=0.95).save(checkpoint.path / SCOPE)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from openautoglm.corpus.document import Corpus
from openautoglm.corpus.split import in_hash_order
from openautoglm.graph import GraphBatch
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.model.scope import Scope
from openautoglm.train.feature_store import FeatureStore
from openautoglm.train.features import Extractor
from openautoglm.train.machine import one_thread

MOST = 300  # valid documents that it is set on: the share kept is then off by about a point


def fit_scope(
    checkpoint: Checkpoint,
    cache: Path,
    corpus: Corpus,
    graphs: GraphBatch,
    share: float,
    precision: str = "auto",
    oos_label: str | None = None,
) -> Scope:
    """The threshold that keeps ``share`` (0-1) of the valid documents whose class the checkpoint knows.

    ``oos_label`` is no class, also where a parent took it for one.

    Which documents and in which order follows from their ids: the order of arrival leaves no trace in a release.
    """
    known = set(checkpoint.config.labels) - {oos_label}
    columns = (corpus.column(name) for name in ("split", "label", "doc_id"))
    found = [
        (doc_id, row)
        for row, (split, label, doc_id) in enumerate(zip(*columns, strict=True))
        if split == "valid" and label in known
    ]
    rows = np.array([row for _, row in in_hash_order(found)[:MOST]], np.int64)
    if not len(rows):
        return Scope.fit(np.zeros((0, len(known)), np.float32), share)
    texts = [text or "" for text in corpus.table["text"].take(rows).to_pylist()]
    extractor = Extractor.of_checkpoint(checkpoint, precision=precision)
    features = FeatureStore.of(cache, extractor).recall(extractor, texts, graphs.select(rows))
    with one_thread(), torch.inference_mode():
        logits = checkpoint.head()(torch.from_numpy(features[:, 0])).numpy()
    finite = np.isfinite(logits).all(axis=1, keepdims=True)
    return Scope.fit(np.where(finite, logits, np.float32(0)), share)
