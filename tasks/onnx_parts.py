"""What export shares with those that come after it: the traces that are kept, and the documents to try a model on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openautoglm.export.trace import Kept


def traces(root: Path) -> Kept | None:
    """Traces of the code as it is; none where that is not known."""
    from openautoglm.export.trace import Kept
    from openautoglm.files import sha256_file

    code = root / ".autoglm/code/export.json"
    return Kept(root / ".autoglm/traces", sha256_file(code)) if code.is_file() else None


def exam_documents(
    root: Path, out_of_scope: str | None, most: int
) -> tuple[list[str], list[str], list[str], Any]:
    """(doc_ids, texts, labels, graphs) of the test documents, evenly thinned out to ``most``; of all where none is
    for tests.

    Without those that belong to no class. By their ids: which document becomes the canary does not depend on the order in which they arrived.
    """
    import numpy as np

    from openautoglm.corpus import Corpus
    from openautoglm.graph import GraphBatch

    corpus, graphs = Corpus.load(root / "data/validated"), GraphBatch.load(root / "data/graphs")
    assert corpus.column("doc_id") == graphs.doc_ids, "data/graphs follows data/validated"
    splits = np.where(np.array(corpus.column("label")) == out_of_scope, "out", corpus.column("split"))
    rows = np.flatnonzero(splits == "test") if (splits == "test").any() else np.flatnonzero(splits != "out")
    rows = rows[np.argsort(np.array(graphs.doc_ids, dtype=object)[rows], kind="stable")]
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int))]
    table = corpus.table.take(rows)
    doc_ids, texts, labels = (table[name].to_pylist() for name in ("doc_id", "text", "label"))
    return doc_ids, [text or "" for text in texts], labels, graphs.select(rows)
