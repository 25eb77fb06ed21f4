"""What a parser writes to: growing flat arrays of integers, no object per node."""

from __future__ import annotations

from array import array
from typing import Protocol

from openautoglm.graph.semantic_graph import Edge, Node, SemanticGraph


class FlatGraphs:
    """Graphs of several texts, one after the other; each relation stands once.

    node_counts, edge_counts: per text; node_type, heads, positions: per node; node_span: two numbers a node;
    edge_src, edge_dst (numbers local to the text), edge_type: per edge. ``heads`` holds the lower-case head word of a
    phrase, ``""`` for a node that has none; ``positions`` how many words of the text stand before a node's end.
    """

    __slots__ = (
        "edge_counts",
        "edge_dst",
        "edge_src",
        "edge_type",
        "heads",
        "node_counts",
        "node_span",
        "node_type",
        "positions",
    )

    def __init__(self) -> None:
        self.node_counts = array("i")
        self.edge_counts = array("i")
        self.node_type = array("B")
        self.node_span = array("i")
        self.heads: list[str] = []
        self.positions = array("i")
        self.edge_src = array("i")
        self.edge_dst = array("i")
        self.edge_type = array("B")

    def only_graph(self) -> SemanticGraph:
        """The graph of the one text that was parsed."""
        assert len(self.node_counts) == 1
        nodes = zip(self.node_span[::2], self.node_span[1::2], self.node_type, strict=True)
        edges = zip(self.edge_src, self.edge_dst, self.edge_type, strict=True)
        return SemanticGraph(
            nodes=tuple(Node(*node) for node in nodes),
            edges=tuple(Edge(*edge) for edge in edges),
        )


class Parser(Protocol):
    """Anything that turns texts into graphs of the types in ``NODE_TYPES`` and ``RELATIONS``.

    The same text gives the same graph; spans are exact substrings of the text; a text that is not empty and not only
    white space gives at least one node.
    """

    @property
    def recipe(self) -> dict[str, object]:
        """What must be equal for two parsers to give equal graphs, as JSON."""
        ...

    def parse_into(self, texts: list[str], flat: FlatGraphs) -> None:
        """Append the graphs of ``texts``, in order."""
        ...
