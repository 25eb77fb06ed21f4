"""Laws of the graph store and the fast parser, over any unicode."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from openautoglm.graph import (
    EDGE_TYPES,
    NODE_TYPES,
    RELATIONS,
    FastParser,
    GraphBatch,
    GraphBuilder,
    as_lines,
    as_svg,
    parse,
)

WORDS = [
    "card",
    "Card",
    "not",
    "the",
    "I",
    "if",
    "because",
    "to",
    "transfer",
    "arrived",
    "why",
    "don't",
    "and",
    "of",
]
WORDS += [
    "10",
    "$5",
    "a@b.co",
    "www.x.org",
    "http://",
    ".",
    ",",
    "\n\n",
    "Apple",
    "卡",
    "不",
    "カード",
    "é",
    "🙂",
    "@",
    "'",
    "-",
]
PHRASES = st.lists(st.sampled_from(WORDS), max_size=25).flatmap(
    lambda words: st.sampled_from(["", " "]).map(lambda space: space.join(words))
)
TEXTS = st.text(max_size=80) | st.text(st.characters(categories=None), max_size=30) | PHRASES


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_nodes_lie_in_the_text_and_edges_in_the_nodes(text: str) -> None:
    graph = parse(text)
    assert bool(graph.nodes) == bool(text.strip())
    previous = 0
    for node in graph.nodes:
        assert previous <= node.start < node.end <= len(text)  # in reading order, never two at one place
        assert text[node.start : node.end].strip()
        assert node.type < len(NODE_TYPES)
        previous = node.end
    for edge in graph.edges:
        assert edge.src != edge.dst
        assert 0 <= edge.src < len(graph.nodes)
        assert 0 <= edge.dst < len(graph.nodes)
        assert edge.type < len(RELATIONS)
    assert len(set(graph.edges)) == len(graph.edges)


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_deterministic_and_drawable(text: str) -> None:
    graph = parse(text)
    assert graph == parse(text)
    assert as_svg(text, graph).endswith("</svg>")
    assert len(as_lines(text, graph)) >= len(graph.edges)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=6), st.data())
def test_store_select_and_load(texts: list[str], data: st.DataObject) -> None:
    builder = GraphBuilder(FastParser())
    ids = [str(number) for number in range(len(texts))]
    graphs, fitted = builder.fit_build(texts, ids, [True] * len(texts), 5, -1.0, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graphs"
        graphs.save(path, data.draw(st.integers(1, 4)), fitted.vocabulary())
        assert GraphBatch.load(path).fingerprint == graphs.fingerprint
        assert GraphBuilder.load(path / "vocabulary.json").build(texts).fingerprint == graphs.fingerprint
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=8)) if texts else []
    chosen = graphs.select(rows)
    assert [chosen.graph(place) for place in range(len(rows))] == [graphs.graph(row) for row in rows]
    owner = graphs.node_document()
    joint = graphs.edge_index + np.repeat(graphs.node_ptr[:-1], np.diff(graphs.edge_ptr))
    assert np.array_equal(owner[joint[0]], owner[joint[1]])
    assert (graphs.edge_type < len(EDGE_TYPES)).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_a_document_does_not_see_its_neighbours(texts: list[str]) -> None:
    batch = GraphBuilder(FastParser()).build(texts)
    assert [batch.graph(row) for row in range(len(texts))] == [parse(text) for text in texts]
