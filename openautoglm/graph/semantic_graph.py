"""One text as a graph: phrases are the nodes, typed relations the edges.

    graph = parse("My card has not arrived.")
    graph.phrases(text)        # ['card', 'not', 'arrived']

Two vocabularies hold for every parser, so that a model trained on the graphs of one reads those of another:

NODE_TYPES   what a phrase is. ``term``, ``label`` and ``document`` are kept for nodes of a whole corpus, which no parser
             makes: their numbers are part of every release's node embedding.
RELATIONS    how one phrase bears on another, in reading direction or from modifier to head.
EDGE_TYPES   RELATIONS plus a reverse ``~name`` for each directed one. A :class:`SemanticGraph` keeps each relation once;
             a ``GraphBatch`` holds both directions, because an attention layer only lets a target see its sources and
             the bias that it learns for "is the object of" is not the one for "has as object".

Numbers in stored graphs are positions in these tuples: append to them, never reorder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

NODE_TYPES = (
    "phrase",  # a run of content words
    "verb",  # an action or state
    "entity",  # a capitalised name
    "number",
    "money",
    "date",  # also times and durations' units such as weekdays and months
    "email",
    "url",
    "negation",  # not, never, no, cannot …
    "wh",  # what, when, how …
    "word",  # a function word, only where a text has nothing else
    "term",
    "label",
    "document",
)

RELATIONS = (
    "next",  # stands before, no connector between
    "subject",  # phrase → verb
    "object",  # verb → phrase
    "of",
    "at",  # in, at, on, into …
    "from",
    "to",
    "for",
    "with",
    "by",
    "about",
    "because",
    "if",  # if, unless, when it opens a clause
    "but",
    "and",
    "or",
    "than",  # than, like, as
    "before",
    "after",
    "is",
    "not",  # negation word → what it negates; and across it
    "asks",  # wh-word → what it asks about
    "clause",  # one clause → the next
    "sentence",  # one sentence → the next
    "same",  # two mentions with the same head word
    "near",  # seen together in the training texts (NPMI); its weight is that NPMI
)
SYMMETRIC = frozenset({"and", "or", "same", "near"})

_directed = tuple(name for name in RELATIONS if name not in SYMMETRIC)
EDGE_TYPES = RELATIONS + tuple(f"~{name}" for name in _directed)
"""Every edge type of a :class:`~openautoglm.graph.GraphBatch`: ``EDGE_TYPES[t]`` names the number ``t``."""

REVERSE = np.array(
    [
        EDGE_TYPES.index(name if name in SYMMETRIC else name.removeprefix("~") if "~" in name else f"~{name}")
        for name in EDGE_TYPES
    ],
    dtype=np.uint8,
)  # [len(EDGE_TYPES)]
"""``REVERSE[t]`` is the type of the same edge read from its target."""


class Node(NamedTuple):
    start: int  # characters; text[start:end] is the phrase, exactly
    end: int
    type: int


class Edge(NamedTuple):
    src: int  # number of a node
    dst: int
    type: int  # below len(RELATIONS): each relation stands here once, see GraphBatch for both directions
    weight: float = 1.0


@dataclass(frozen=True, repr=False)
class SemanticGraph:
    """The graph of one text. Nodes stand in reading order; edges run in the order in which they were found."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def phrases(self, text: str) -> list[str]:
        return [text[node.start : node.end] for node in self.nodes]

    def triples(self, text: str) -> list[tuple[str, str, str]]:
        """(source phrase, relation, target phrase), one a relation."""
        names: Sequence[str] = self.phrases(text)
        return [(names[edge.src], RELATIONS[edge.type], names[edge.dst]) for edge in self.edges]

    def __repr__(self) -> str:
        return f"SemanticGraph(nodes={len(self.nodes)}, edges={len(self.edges)})"
