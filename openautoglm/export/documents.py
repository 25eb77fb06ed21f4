"""The documents that a converted model is tried on."""

from __future__ import annotations

import numpy as np

from openautoglm.corpus import Corpus
from openautoglm.graph import GraphBatch


def documents_to_try(
    corpus: Corpus, graphs: GraphBatch, out_of_scope: str | None, most: int
) -> tuple[list[str], list[str], list[str], GraphBatch]:
    """(doc_ids, texts, labels, graphs) of the test documents, evenly thinned out to ``most``; of all where none is for tests.

    Without those whose label is ``out_of_scope``, which belong to no class. By their ids: which document becomes the canary
    does not depend on the order in which they arrived.
    """
    assert corpus.column("doc_id") == graphs.doc_ids, "the graphs are those of the corpus"
    splits = np.where(np.array(corpus.column("label")) == out_of_scope, "out", corpus.column("split"))
    rows = np.flatnonzero(splits == "test") if (splits == "test").any() else np.flatnonzero(splits != "out")
    rows = rows[np.argsort(np.array(graphs.doc_ids, dtype=object)[rows], kind="stable")]
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int))]
    table = corpus.table.take(rows)
    doc_ids, texts, labels = (table[name].to_pylist() for name in ("doc_id", "text", "label"))
    return doc_ids, [text or "" for text in texts], labels, graphs.select(rows)
