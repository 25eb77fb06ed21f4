"""Laws of the model: what must not matter does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_training import toy_documents, toy_graph

from openautoglm.graph import GraphBatch, SemanticGraph
from openautoglm.model.autoglm import AutoGLMModel, build
from openautoglm.model.encode import EncodedCorpus, collate, encode

TEXTS = [d.text or "" for d in toy_documents(train=8, valid=0)] + ["empty words here", "apple", "pear plum"]


@pytest.fixture(scope="module")
def built() -> tuple[AutoGLMModel, object]:
    """Every gate open and every layer with something to say."""
    model, tokenizer = build("tiny", ["a", "b", "c"], seed=3, graph_size=16)
    torch.nn.init.constant_(model.fusion.gate, 0.8)
    return model.eval(), tokenizer


def _encode(tokenizer: object, texts: Sequence[str], graphs: Sequence[SemanticGraph]) -> EncodedCorpus:
    return encode(texts, GraphBatch.from_graphs(graphs), tokenizer, max_tokens=8)


@torch.no_grad()
def _logits(model: AutoGLMModel, corpus: EncodedCorpus, rows: Sequence[int]) -> torch.Tensor:
    logits: torch.Tensor = model(**collate(corpus, rows)).logits
    return logits


@pytest.fixture(scope="module")
def corpus(built: tuple[AutoGLMModel, object]) -> EncodedCorpus:
    return _encode(built[1], TEXTS, [toy_graph(text) for text in TEXTS])


def test_the_graph_says_something(built: tuple[AutoGLMModel, object], corpus: EncodedCorpus) -> None:
    model, _ = built
    with_graph = _logits(model, corpus, range(len(TEXTS)))
    model.use_graph = False
    without = _logits(model, corpus, range(len(TEXTS)))
    model.use_graph = True
    differs = (with_graph - without).abs().amax(1) > 1e-4
    assert differs.tolist() == ["empty" not in text for text in TEXTS]


def test_closed_gate_is_text_only(built: tuple[AutoGLMModel, object], corpus: EncodedCorpus) -> None:
    fresh, _ = build("tiny", ["a", "b", "c"], seed=3, graph_size=16)
    fresh.eval()
    assert fresh.fusion.gate.abs().sum() == 0
    with_graph = _logits(fresh, corpus, range(len(TEXTS)))
    fresh.use_graph = False
    assert torch.equal(with_graph, _logits(fresh, corpus, range(len(TEXTS))))


def test_batch_of_one_is_alone(built: tuple[AutoGLMModel, object], corpus: EncodedCorpus) -> None:
    model, _ = built
    together = _logits(model, corpus, range(len(TEXTS)))
    alone = torch.cat([_logits(model, corpus, [row]) for row in range(len(TEXTS))])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_order_of_the_batch(built: tuple[AutoGLMModel, object], corpus: EncodedCorpus) -> None:
    model, _ = built
    order = np.random.default_rng(1).permutation(len(TEXTS))
    expected = _logits(model, corpus, range(len(TEXTS)))[torch.from_numpy(order)]
    torch.testing.assert_close(_logits(model, corpus, order), expected, atol=1e-5, rtol=1e-5)


def test_order_of_nodes_and_edges(built: tuple[AutoGLMModel, object], corpus: EncodedCorpus) -> None:
    model, tokenizer = built
    random = np.random.default_rng(2)
    shuffled = [_shuffled(toy_graph(text), random) for text in TEXTS]
    found = _logits(model, _encode(tokenizer, TEXTS, shuffled), range(len(TEXTS)))
    torch.testing.assert_close(found, _logits(model, corpus, range(len(TEXTS))), atol=1e-5, rtol=1e-5)


def _shuffled(graph: SemanticGraph, random: np.random.Generator) -> SemanticGraph:
    order = random.permutation(len(graph.nodes)).tolist()
    place = {old: new for new, old in enumerate(order)}
    edges = [edge._replace(src=place[edge.src], dst=place[edge.dst]) for edge in graph.edges]
    return SemanticGraph(
        nodes=tuple(graph.nodes[old] for old in order),
        edges=tuple(edges[i] for i in random.permutation(len(edges)).tolist()),
    )


@pytest.mark.parametrize("rows", [[8], [9], [8, 9], [8, 8]])
def test_no_edges_or_no_nodes(
    built: tuple[AutoGLMModel, object], corpus: EncodedCorpus, rows: list[int]
) -> None:
    """Row 8 has neither nodes nor edges, row 9 a node and no edge; forward and backward stay finite."""
    model, _ = built
    labels = torch.zeros(len(rows), dtype=torch.int64)
    loss = model(**collate(corpus, rows), labels=labels).loss
    loss.backward()
    gradients = [p.grad for p in model.parameters()]
    model.zero_grad()
    assert torch.isfinite(loss)
    assert all(g is not None and bool(torch.isfinite(g).all()) for g in gradients)


def test_the_graph_sees_behind_the_window(built: tuple[AutoGLMModel, object]) -> None:
    """The backbone reads 8 word pieces; words after that reach the answer through the graph alone."""
    model, tokenizer = built
    texts = ["please could you tell me about the train", "please could you tell me about the bank"]
    found = _logits(model, _encode(tokenizer, texts, [toy_graph(t) for t in texts]), [0, 1])
    none = SemanticGraph(nodes=(), edges=())
    blind = _logits(model, _encode(tokenizer, texts, [none, none]), [0, 1])
    assert torch.equal(blind[0], blind[1])
    assert float((found[0] - found[1]).abs().max()) > 1e-5


def test_collate_places_every_piece(built: tuple[AutoGLMModel, object], corpus: EncodedCorpus) -> None:
    """A piece inside the window points at the token that it is; outside it points at nothing."""
    inputs = collate(corpus, range(len(TEXTS)))
    position = inputs["piece_pos"]
    inside = position > 0
    flat = inputs["input_ids"].reshape(-1)
    assert torch.equal(flat[position[inside] - 1], inputs["piece_ids"][inside])
    assert bool((inputs["attention_mask"].reshape(-1)[position[inside] - 1] == 1).all())
    assert int((~inside).sum()) > 0
    document_of_piece = inputs["batch"][inputs["piece_node"][inside]]
    width = inputs["input_ids"].shape[1]
    assert torch.equal((position[inside] - 1) // width, document_of_piece)


def test_grow_from_keeps_the_old_logits(corpus: EncodedCorpus) -> None:
    old, _ = build("tiny", ["b", "a"], seed=1, graph_size=16)
    torch.nn.init.constant_(old.fusion.gate, 0.5)
    new, _ = build("tiny", ["b", "a", "c"], seed=2, graph_size=16)
    new.grow_from(old)
    rows = range(len(TEXTS))
    before, after = _logits(old.eval(), corpus, rows), _logits(new.eval(), corpus, rows)
    # not bit for bit: some processors multiply by three columns in another order than by two
    torch.testing.assert_close(after[:, :2], before)
    moved, _ = build("tiny", ["a", "c", "b"], seed=2, graph_size=16)
    moved.grow_from(old)
    torch.testing.assert_close(_logits(moved.eval(), corpus, rows)[:, [2, 0]], before)


def test_weights_of_zero_cut_an_edge(built: tuple[AutoGLMModel, object], corpus: EncodedCorpus) -> None:
    model, tokenizer = built
    cut = replace(corpus.graphs, edge_weight=np.zeros_like(corpus.graphs.edge_weight))
    bare = [SemanticGraph(nodes=toy_graph(text).nodes, edges=()) for text in TEXTS]
    torch.testing.assert_close(
        _logits(model, replace(corpus, graphs=cut), range(len(TEXTS))),
        _logits(model, _encode(tokenizer, TEXTS, bare), range(len(TEXTS))),
        atol=1e-5,
        rtol=1e-5,
    )
