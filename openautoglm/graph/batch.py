"""Many graphs as flat arrays: the stored corpus and a batch of 32 are the same noun.

    graphs = GraphBatch.load(Path("data/graphs"))      # 10k documents in milliseconds
    graphs.select([3, 1, 4])                           # rows in this order

Document d owns the nodes ``node_ptr[d]:node_ptr[d + 1]`` and the edges ``edge_ptr[d]:edge_ptr[d + 1]``; node numbers
in ``edge_index`` start at 0 in every document. On disk: ``graphs-00000.safetensors`` … (one shard each, same arrays),
``strings.parquet`` (doc_id per graph) and ``vocabulary.json`` (the names of the types).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as dump_tensors

from openautoglm.errors import UserError
from openautoglm.files import fingerprint, fresh_dir, load_json, save_json
from openautoglm.graph.semantic_graph import (
    EDGE_TYPES,
    NODE_TYPES,
    RELATIONS,
    REVERSE,
    Edge,
    Node,
    SemanticGraph,
)

Array = npt.NDArray[Any]
VOCABULARY = "vocabulary.json"
_ARRAYS = {
    "node_ptr": np.int64,
    "edge_ptr": np.int64,
    "node_type": np.uint8,
    "node_span": np.int32,
    "edge_index": np.int32,
    "edge_type": np.uint8,
    "edge_weight": np.float32,
}


@dataclass(frozen=True, repr=False, eq=False)
class GraphBatch:
    node_ptr: Array  # [D + 1] int64
    edge_ptr: Array  # [D + 1] int64
    node_type: Array  # [N] uint8, index into NODE_TYPES
    node_span: Array  # [N, 2] int32, characters of the document's text
    edge_index: Array  # [2, E] int32, (source, target), numbers local to the document
    edge_type: Array  # [E] uint8, index into EDGE_TYPES
    edge_weight: Array  # [E] float32
    doc_ids: list[str]  # [D]

    @classmethod
    def from_graphs(cls, graphs: Iterable[SemanticGraph], doc_ids: Sequence[str] | None = None) -> GraphBatch:
        """Lay graphs out flat, each relation in both directions (see EDGE_TYPES)."""
        graphs = list(graphs)
        nodes = np.array([n for g in graphs for n in g.nodes], np.int32).reshape(-1, 3)
        edges = np.array([e[:3] for g in graphs for e in g.edges], np.int32).reshape(-1, 3)
        weights = np.array([e.weight for g in graphs for e in g.edges], np.float32)
        return cls.from_relations(
            node_counts=np.array([len(g.nodes) for g in graphs], np.int64),
            edge_counts=np.array([len(g.edges) for g in graphs], np.int64),
            node_type=nodes[:, 2],
            node_span=nodes[:, :2],
            edge_index=edges[:, :2].T,
            edge_type=edges[:, 2],
            edge_weight=weights,
            doc_ids=doc_ids,
        )

    @classmethod
    def from_relations(
        cls,
        node_counts: Array,
        edge_counts: Array,
        node_type: Array,
        node_span: Array,
        edge_index: Array,
        edge_type: Array,
        edge_weight: Array,
        doc_ids: Sequence[str] | None = None,
    ) -> GraphBatch:
        """Flat arrays in which each relation stands once, and counts [D] per document; adds the reverse edges.

        A document's edges come out as its relations in order, then their reverses in the same order.
        """
        documents = len(node_counts)
        edge_ptr = _pointers(2 * edge_counts)
        of = np.repeat(np.arange(documents), edge_counts)  # [E / 2] document of each relation
        forward = np.arange(len(of)) + edge_ptr[:-1][of] // 2
        both = np.concatenate([forward, forward + edge_counts[of]])  # [E] place of each edge

        def placed(first: Array, second: Array, dtype: Any) -> Array:
            out = np.empty((*first.shape[:-1], len(both)), dtype)
            out[..., both] = np.concatenate([first, second], axis=-1)
            return out

        edge_type = np.asarray(edge_type, np.uint8)
        return cls(
            node_ptr=_pointers(node_counts),
            edge_ptr=edge_ptr,
            node_type=np.ascontiguousarray(node_type, np.uint8),
            node_span=np.ascontiguousarray(node_span, np.int32),
            edge_index=placed(edge_index, edge_index[::-1], np.int32),
            edge_type=placed(edge_type, REVERSE[edge_type], np.uint8),
            edge_weight=placed(edge_weight, edge_weight, np.float32),
            doc_ids=list(doc_ids) if doc_ids is not None else [str(d) for d in range(documents)],
        )

    @classmethod
    def concatenate(cls, batches: Sequence[GraphBatch]) -> GraphBatch:
        """One after the other; no batch at all gives an empty one."""
        if len(batches) == 1:
            return batches[0]
        if not batches:
            return cls.from_graphs([])
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(b, name) for b in batches], axis=-1 if name == "edge_index" else 0)
            for name in _ARRAYS
            if not name.endswith("_ptr")
        }
        for name in ("node_ptr", "edge_ptr"):
            joined[name] = _pointers(np.concatenate([np.diff(getattr(b, name)) for b in batches]))
        return cls(**joined, doc_ids=[doc_id for b in batches for doc_id in b.doc_ids])

    def select(self, rows: Sequence[int] | Array) -> GraphBatch:
        """The graphs of these rows, in this order; a row may occur more than once."""
        rows = np.asarray(rows, np.int64)
        nodes, node_ptr = _gather(self.node_ptr, rows)
        edges, edge_ptr = _gather(self.edge_ptr, rows)
        return GraphBatch(
            node_ptr=node_ptr,
            edge_ptr=edge_ptr,
            node_type=self.node_type[nodes],
            node_span=self.node_span[nodes],
            edge_index=self.edge_index[:, edges],
            edge_type=self.edge_type[edges],
            edge_weight=self.edge_weight[edges],
            doc_ids=[self.doc_ids[row] for row in rows.tolist()],
        )

    def node_document(self) -> Array:
        """[N] int64: the row that each node belongs to (PyG's ``batch``)."""
        return np.repeat(np.arange(len(self)), np.diff(self.node_ptr))

    def graph(self, row: int) -> SemanticGraph:
        """One document's graph, each relation once again."""
        n, m = self.node_ptr[row : row + 2]
        e, f = self.edge_ptr[row : row + 2]
        f = (e + f) // 2  # the second half are the reverses
        spans, types = self.node_span[n:m].tolist(), self.node_type[n:m].tolist()
        edges = zip(
            *self.edge_index[:, e:f].tolist(),
            self.edge_type[e:f].tolist(),
            self.edge_weight[e:f].tolist(),
            strict=True,
        )
        return SemanticGraph(
            nodes=tuple(Node(start, end, kind) for (start, end), kind in zip(spans, types, strict=True)),
            edges=tuple(Edge(*edge) for edge in edges),
        )

    def save(
        self, path: Path, shard_documents: int = 20_000, vocabulary: dict[str, Any] | None = None
    ) -> None:
        """Replace the folder ``path``; the same graphs give the same bytes. ``vocabulary``: more keys for its file."""
        with fresh_dir(path) as folder:
            for number, first in enumerate(range(0, max(len(self), 1), shard_documents)):
                shard = self._slice(first, min(first + shard_documents, len(self)))
                tensors = {
                    name: np.ascontiguousarray(getattr(shard, name), kind) for name, kind in _ARRAYS.items()
                }
                (folder / f"graphs-{number:05d}.safetensors").write_bytes(dump_tensors(tensors))
            pq.write_table(
                pa.table({"doc_id": pa.array(self.doc_ids, pa.string())}), folder / "strings.parquet"
            )
            names = {"node_types": list(NODE_TYPES), "edge_types": list(EDGE_TYPES)}
            save_json(folder / VOCABULARY, {**(vocabulary or {}), **names})

    @classmethod
    def load(cls, path: Path) -> GraphBatch:
        """Raises UserError: no graphs there, or graphs of another version's types."""
        shards = sorted(path.glob("graphs-*.safetensors"))
        if not shards:
            raise UserError(
                f"{path}: no graphs found; run the graph stage first (autoglm run, or dvc repro graph)"
            )
        check_vocabulary(path / VOCABULARY)
        doc_ids = pq.ParquetFile(path / "strings.parquet").read(["doc_id"]).column("doc_id").to_pylist()
        parts, first = [], 0
        for shard in shards:
            tensors = load_tensors(shard.read_bytes())
            count = len(tensors["node_ptr"]) - 1
            parts.append(cls(**tensors, doc_ids=doc_ids[first : first + count]))
            first += count
        if first != len(doc_ids):
            raise UserError(f"{path}: {first} graphs but {len(doc_ids)} doc_ids; run the graph stage again")
        return cls.concatenate(parts)

    @property
    def fingerprint(self) -> str:
        """sha256 over doc_ids and arrays, whatever the shards were."""
        arrays = {
            name: fingerprint(getattr(self, name).astype(kind).tobytes()) for name, kind in _ARRAYS.items()
        }
        return fingerprint([self.doc_ids, arrays])

    def edge_type_counts(self) -> dict[str, int]:
        """Relations by name, each counted once, those that occur."""
        counts = np.bincount(self.edge_type, minlength=len(EDGE_TYPES))
        symmetric = REVERSE[: len(RELATIONS)] == np.arange(len(RELATIONS))
        counts = np.where(symmetric, counts[: len(RELATIONS)] // 2, counts[: len(RELATIONS)])
        return {name: int(count) for name, count in zip(RELATIONS, counts, strict=True) if count}

    def _slice(self, first: int, stop: int) -> GraphBatch:
        return self.select(np.arange(first, stop))

    def __len__(self) -> int:
        return len(self.node_ptr) - 1

    def __repr__(self) -> str:
        return f"GraphBatch(documents={len(self)}, nodes={len(self.node_type)}, edges={len(self.edge_type)})"


def check_vocabulary(path: Path) -> dict[str, Any]:
    """The content of a ``vocabulary.json`` whose type numbers mean what ours mean.

    Raises:
        UserError: it is missing, or it was written with other node or edge types.
    """
    try:
        vocabulary: dict[str, Any] = load_json(path)
    except (FileNotFoundError, ValueError):
        raise UserError(f"{path}: no readable graph vocabulary; run the graph stage again") from None
    for key, ours in (("node_types", NODE_TYPES), ("edge_types", EDGE_TYPES)):
        theirs = vocabulary.get(key, [])
        if tuple(theirs) != ours:
            raise UserError(
                f"{path}: {len(theirs)} {key} that are not this version's {len(ours)}; run the graph stage again"
            )
    return vocabulary


def _pointers(counts: Array) -> Array:
    out = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=out[1:])
    return out


def _gather(ptr: Array, rows: Array) -> tuple[Array, Array]:
    """Positions of the items of ``rows`` and the pointers of the result: [sum of lengths], [len(rows) + 1]."""
    lengths = ptr[rows + 1] - ptr[rows]
    out = _pointers(lengths)
    return np.arange(out[-1]) + np.repeat(ptr[rows] - out[:-1], lengths), out
