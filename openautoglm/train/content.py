"""Names of documents by what they say: the key of everything that is computed once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from openautoglm.files import canonical_json
from openautoglm.graph import GraphBatch


def content_keys(texts: Sequence[str], graphs: GraphBatch | None) -> list[str]:
    """32 hex digits a document: of its text, and of its graph where there are ``graphs``."""
    parts = _graph_bytes(graphs) if graphs is not None else [b""] * len(texts)
    return [
        hashlib.sha256(text.encode("utf-8", errors="replace") + b"\0" + part).hexdigest()[:32]
        for text, part in zip(texts, parts, strict=True)
    ]


def _graph_bytes(graphs: GraphBatch) -> list[bytes]:
    node, edge = graphs.node_ptr.tolist(), graphs.edge_ptr.tolist()
    result = []
    for row in range(len(graphs)):
        nodes, edges = slice(node[row], node[row + 1]), slice(edge[row], edge[row + 1])
        arrays = (
            graphs.node_type[nodes],
            graphs.node_span[nodes],
            graphs.edge_index[:, edges],
            graphs.edge_type[edges],
            graphs.edge_weight[edges],
        )
        sizes = canonical_json([array.size for array in arrays])
        result.append(sizes + b"".join(np.ascontiguousarray(array).tobytes() for array in arrays))
    return result
