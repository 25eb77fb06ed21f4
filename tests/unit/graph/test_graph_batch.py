from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from openautoglm.errors import UserError
from openautoglm.files import fingerprint_dir
from openautoglm.graph import EDGE_TYPES, RELATIONS, REVERSE, Edge, GraphBatch, Node, SemanticGraph

SOME = SemanticGraph(
    (Node(0, 2, 0), Node(3, 4, 1), Node(5, 6, 2)), (Edge(0, 1, 1), Edge(1, 2, 2), Edge(0, 2, 25, 0.5))
)
SMALL = SemanticGraph((Node(0, 2, 0), Node(3, 4, 1)), (Edge(1, 0, 3),))
LONE = SemanticGraph((Node(1, 2, 3),), ())
EMPTY = SemanticGraph((), ())
GRAPHS = [SOME, EMPTY, SMALL, LONE, SOME]


@pytest.fixture
def batch() -> GraphBatch:
    return GraphBatch.from_graphs(GRAPHS, list("abcde"))


def test_both_directions_of_each_relation(batch: GraphBatch) -> None:
    assert batch.edge_index[:, :6].T.tolist() == [[0, 1], [1, 2], [0, 2], [1, 0], [2, 1], [2, 0]]
    names = [EDGE_TYPES[kind] for kind in batch.edge_type[:6]]
    assert names == ["subject", "object", "near", "~subject", "~object", "near"]
    assert batch.edge_weight[:6].tolist() == [1, 1, 0.5, 1, 1, 0.5]


def test_reverse_is_its_own_inverse() -> None:
    assert REVERSE[REVERSE].tolist() == list(range(len(EDGE_TYPES)))
    assert EDGE_TYPES[: len(RELATIONS)] == RELATIONS


def test_graphs_come_back(batch: GraphBatch) -> None:
    assert [batch.graph(row) for row in range(len(batch))] == GRAPHS


@pytest.mark.parametrize("rows", [[2, 0, 0, 1], [], [4], [1, 1]])
def test_select(batch: GraphBatch, rows: list[int]) -> None:
    chosen = batch.select(rows)
    assert [chosen.graph(row) for row in range(len(chosen))] == [GRAPHS[row] for row in rows]
    assert chosen.doc_ids == ["abcde"[row] for row in rows]
    assert chosen.node_ptr.dtype == np.int64
    assert chosen.edge_type.dtype == np.uint8


def test_joint_edges_stay_in_their_document(batch: GraphBatch) -> None:
    owner = batch.node_document()
    assert owner.tolist() == [0, 0, 0, 2, 2, 3, 4, 4, 4]
    joint = batch.edge_index + np.repeat(batch.node_ptr[:-1], np.diff(batch.edge_ptr))
    source, target = owner[joint]
    assert source.tolist() == target.tolist() == [0] * 6 + [2] * 2 + [4] * 6


@pytest.mark.parametrize("shard", [1, 2, 100])
def test_saved_and_loaded(batch: GraphBatch, tmp_path: Path, shard: int) -> None:
    batch.save(tmp_path / "graphs", shard)
    again = GraphBatch.load(tmp_path / "graphs")
    assert again.fingerprint == batch.fingerprint
    assert again.doc_ids == batch.doc_ids
    assert [again.graph(row) for row in range(len(again))] == GRAPHS


def test_same_graphs_same_bytes(batch: GraphBatch, tmp_path: Path) -> None:
    batch.save(tmp_path / "one", 2, {"recipe": {}})
    batch.select(range(5)).save(tmp_path / "two", 2, {"recipe": {}})
    assert fingerprint_dir(tmp_path / "one") == fingerprint_dir(tmp_path / "two")


def test_nothing_is_saved_and_loaded(tmp_path: Path) -> None:
    GraphBatch.from_graphs([]).save(tmp_path / "graphs")
    assert len(GraphBatch.load(tmp_path / "graphs")) == 0


def test_concatenated(batch: GraphBatch) -> None:
    parts = [batch.select([0, 1]), batch.select([]), batch.select([2, 3, 4])]
    assert GraphBatch.concatenate(parts).fingerprint == batch.fingerprint
    assert len(GraphBatch.concatenate([])) == 0


def test_relations_are_counted_once(batch: GraphBatch) -> None:
    assert batch.edge_type_counts() == {"subject": 2, "object": 2, "of": 1, "near": 2}


def test_no_graphs_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run the graph stage"):
        GraphBatch.load(tmp_path)


def test_types_of_another_version(batch: GraphBatch, tmp_path: Path) -> None:
    batch.save(tmp_path / "graphs")
    path = tmp_path / "graphs/vocabulary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "edge_types": ["next"]}))
    with pytest.raises(UserError, match="edge_types"):
        GraphBatch.load(tmp_path / "graphs")


def test_repr_shows_shapes(batch: GraphBatch) -> None:
    assert repr(batch) == "GraphBatch(documents=5, nodes=9, edges=14)"
