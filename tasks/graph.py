"""graph: data/validated → data/graphs. Run with ``python -m tasks graph``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openautoglm.params import Params


def graph(params: Params, root: Path = Path(".")) -> Mapping[str, object]:
    """Parse every document into a semantic graph; count co-occurrence on the train split only.

    Where an analytic head learns on from a parent, the graphs are made as that parent's were: its features stay what
    they are, and documents that were parsed before keep their graphs whatever arrives after them.

    Raises:
        UserError: a document yields no node and ``graph.empty`` says stop.
        ParamsError: the spaCy model is not installed.
    """
    import numpy as np

    from openautoglm.corpus import Corpus
    from openautoglm.errors import UserError
    from openautoglm.graph import GraphBuilder

    chosen = params.graph
    corpus = Corpus.load(root / "data/validated")
    texts, doc_ids = [text or "" for text in corpus.column("text")], corpus.column("doc_id")
    inherited = _parents_vocabulary(params, root)
    if inherited:
        builder = GraphBuilder.load(inherited)
        graphs = builder.build(texts, doc_ids)
    else:
        graphs, builder = GraphBuilder.from_params(chosen).fit_build(
            texts=texts,
            doc_ids=doc_ids,
            train=[split == "train" for split in corpus.column("split")],
            window=chosen.npmi_window,
            minimum=chosen.npmi_min,
            min_count=chosen.npmi_min_count,
        )
    empty = [graphs.doc_ids[row] for row in np.flatnonzero(np.diff(graphs.node_ptr) == 0)]
    if empty and chosen.empty == "stop":
        raise UserError(
            f"graph: {len(empty)} of {len(graphs)} documents yield no phrase, such as {', '.join(empty[:3])}; "
            "remove them from the inbox or set graph.empty to keep",
            documents=empty,
        )
    graphs.save(root / "data/graphs", chosen.shard_documents, builder.vocabulary())
    nodes, relations = len(graphs.node_type), graphs.edge_type_counts()
    return {
        "documents": len(graphs),
        "nodes": nodes,
        "edges": sum(relations.values()),
        "nodes_per_document": nodes / max(len(graphs), 1),
        "documents_without_nodes": len(empty),
        "fingerprint": graphs.fingerprint,
        **{f"edges_{name}": count for name, count in relations.items()},
    }


def _parents_vocabulary(params: Params, root: Path) -> Path | None:
    """How the parent's texts were parsed, where its features are to stay what they are."""
    goes_on = params.train.parent is not None and params.train.start == "parent"
    if params.continual.mode != "analytic" or not goes_on:
        return None
    from openautoglm.graph.batch import VOCABULARY
    from tasks.parent import parent_dir

    folder = parent_dir(params, root)
    return folder / VOCABULARY if folder else None
