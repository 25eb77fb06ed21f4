from __future__ import annotations

from pathlib import Path

import pytest

from openautoglm.corpus import Corpus, Document
from openautoglm.errors import UserError
from openautoglm.files import fingerprint_dir
from openautoglm.graph import GraphBatch, GraphBuilder, parse
from openautoglm.params import Params
from tasks.graph import graph

TEXTS = ["my card has not arrived", "a refund for the shop", "", None, "the chip of a card"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    documents = [
        Document(f"d{number}", text, "x", "train" if number < 4 else "test", "b")
        for number, text in enumerate(TEXTS)
    ]
    Corpus.from_documents(documents).save(tmp_path / "data/validated")
    return tmp_path


def with_graph(**changes: object) -> Params:
    params = Params.load(Path(__file__).parents[3] / "params.yaml")
    first = params.train.model_copy(update={"parent": None})  # a run of this checkout pins one
    return params.model_copy(update={"graph": params.graph.model_copy(update=changes), "train": first})


def test_stores_a_graph_per_document(root: Path) -> None:
    facts = graph(with_graph(), root)
    graphs = GraphBatch.load(root / "data/graphs")
    assert graphs.doc_ids == [f"d{number}" for number in range(5)]
    assert [graphs.graph(row) for row in range(5)] == [parse(text or "") for text in TEXTS]
    assert (facts["documents"], facts["nodes"], facts["documents_without_nodes"]) == (5, 7, 2)
    assert facts["edges_not"] == 2
    assert facts["edges"] == sum(int(str(n)) for name, n in facts.items() if name.startswith("edges_"))


def test_again_gives_the_same_bytes(root: Path) -> None:
    graph(with_graph(), root)
    first = fingerprint_dir(root / "data/graphs")
    graph(with_graph(), root)
    assert fingerprint_dir(root / "data/graphs") == first


def test_new_texts_are_parsed_as_the_stored_ones(root: Path) -> None:
    graph(with_graph(npmi_min=-1.0, npmi_min_count=1), root)
    stored = GraphBatch.load(root / "data/graphs")
    builder = GraphBuilder.load(root / "data/graphs/vocabulary.json")
    assert "near" in stored.edge_type_counts()
    assert builder.build([TEXTS[0] or ""]).graph(0) == stored.graph(0)


def test_empty_documents_stop_when_told(root: Path) -> None:
    with pytest.raises(UserError, match="2 of 5 documents yield no phrase, such as d2, d3"):
        graph(with_graph(empty="stop"), root)
    assert not (root / "data/graphs").exists()


def test_the_order_of_arrival_leaves_no_trace_in_the_table(root: Path) -> None:
    graph(with_graph(npmi_min=-1.0, npmi_min_count=1), root)
    table = (root / "data/graphs/vocabulary.json").read_bytes()
    documents = list(Corpus.load(root / "data/validated").documents())
    Corpus.from_documents(documents[::-1]).save(root / "data/validated")
    graph(with_graph(npmi_min=-1.0, npmi_min_count=1), root)
    assert (root / "data/graphs/vocabulary.json").read_bytes() == table


def test_an_analytic_head_keeps_the_graphs_of_its_parent(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More documents arrive; those that were there keep their graphs, and the table stays the parent's."""
    first = with_graph(npmi_min=-1.0, npmi_min_count=1)
    graph(first, root)
    before = GraphBatch.load(root / "data/graphs")
    parent = root / "parent"
    parent.mkdir()
    table = (root / "data/graphs/vocabulary.json").read_bytes()
    (parent / "vocabulary.json").write_bytes(table)
    monkeypatch.setattr("tasks.parent.parent_dir", lambda params, root: parent)
    documents = list(Corpus.load(root / "data/validated").documents())
    more = [Document(f"e{n}", "a chip of a card for the shop", "x", "train", "c") for n in range(6)]
    Corpus.from_documents([*documents, *more]).save(root / "data/validated")
    params = first.model_copy(
        update={
            "train": first.train.model_copy(update={"parent": "v000001-0123456789ab"}),
            "continual": first.continual.model_copy(update={"mode": "analytic"}),
        }
    )
    graph(params, root)
    after = GraphBatch.load(root / "data/graphs")
    assert (root / "data/graphs/vocabulary.json").read_bytes() == table
    assert [after.graph(row) for row in range(5)] == [before.graph(row) for row in range(5)]
    graph(first, root)
    assert (root / "data/graphs/vocabulary.json").read_bytes() != table
