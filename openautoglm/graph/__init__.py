"""Texts as semantic graphs: phrases joined by typed relations.

``parse(text)`` shows one graph; ``GraphBuilder`` makes the graphs of a corpus, and of a new text the same way.
"""

from openautoglm.graph.batch import GraphBatch
from openautoglm.graph.builder import GraphBuilder
from openautoglm.graph.flat import FlatGraphs, Parser
from openautoglm.graph.npmi import Cooccurrence
from openautoglm.graph.parser import FastParser
from openautoglm.graph.render import as_lines, as_svg
from openautoglm.graph.semantic_graph import (
    EDGE_TYPES,
    NODE_TYPES,
    RELATIONS,
    REVERSE,
    Edge,
    Node,
    SemanticGraph,
)

__all__ = [
    "EDGE_TYPES",
    "NODE_TYPES",
    "RELATIONS",
    "REVERSE",
    "Cooccurrence",
    "Edge",
    "FastParser",
    "FlatGraphs",
    "GraphBatch",
    "GraphBuilder",
    "Node",
    "Parser",
    "SemanticGraph",
    "as_lines",
    "as_svg",
    "parse",
]


def parse(text: str, parser: Parser | None = None) -> SemanticGraph:
    """The graph of one text, by the fast parser unless another is given. No co-occurrence: that needs a corpus."""
    flat = FlatGraphs()
    (parser or FastParser()).parse_into([text], flat)
    return flat.only_graph()
