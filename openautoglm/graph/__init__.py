"""Texts as semantic graphs: phrases joined by typed relations."""

from openautoglm.graph.batch import GraphBatch
from openautoglm.graph.semantic_graph import (
    EDGE_TYPES,
    NODE_TYPES,
    RELATIONS,
    REVERSE,
    Edge,
    Node,
    SemanticGraph,
)

__all__ = ["EDGE_TYPES", "NODE_TYPES", "RELATIONS", "REVERSE", "Edge", "GraphBatch", "Node", "SemanticGraph"]
