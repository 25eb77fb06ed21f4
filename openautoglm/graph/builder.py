"""A corpus of texts to a GraphBatch, over as many processes as pay for themselves.

    builder = GraphBuilder.from_params(params.graph)
    graphs, builder = builder.fit_build(texts, doc_ids, train=[True, False, …])
    builder.build(["a new text"])                # the same parser and the same NPMI table

Texts are cut into chunks of a fixed size whatever the number of processes, and chunks are put together in order: the
result does not depend on who parsed what.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openautoglm.errors import ParamsError
from openautoglm.graph.batch import Array, GraphBatch, check_vocabulary
from openautoglm.graph.flat import FlatGraphs, Parser
from openautoglm.graph.npmi import Cooccurrence
from openautoglm.graph.parser import FastParser
from openautoglm.graph.semantic_graph import RELATIONS
from openautoglm.processors import processors

if TYPE_CHECKING:
    # pydantic costs a tenth of a second that `autoglm predict` need not pay
    from openautoglm.params import GraphParams

CHUNK = 2_000  # documents a task
PAYS_FROM = 8_000_000  # characters: below, starting processes costs more than it saves (about 3 s of parsing)
NEAR = RELATIONS.index("near")


@dataclass(frozen=True)
class _Chunk:
    """The parsed graphs of some texts, as numpy arrays; each relation once."""

    node_counts: Array
    edge_counts: Array
    node_type: Array
    node_span: Array
    edge_index: Array
    edge_type: Array
    heads: list[str]
    positions: Array


@dataclass(frozen=True)
class GraphBuilder:
    """What it takes to parse a text today as the training texts were parsed."""

    parser: Parser
    cooccurrence: Cooccurrence | None = None

    @classmethod
    def from_params(cls, params: GraphParams) -> GraphBuilder:
        """Raises ParamsError: the spaCy model is not installed."""
        return cls(_make_parser({"parser": params.parser, "model": params.spacy_model}))

    @classmethod
    def load(cls, vocabulary: Path) -> GraphBuilder:
        """From the ``vocabulary.json`` beside stored graphs, or a copy of it.

        Raises:
            UserError: missing, or of another version's types.
            ParamsError: its parser needs something that is not installed.
        """
        raw = check_vocabulary(vocabulary)
        table = Cooccurrence.from_json(raw["npmi"]) if raw.get("npmi") else None
        return cls(_make_parser(raw.get("recipe", {})), table)

    def vocabulary(self) -> dict[str, Any]:
        """What :meth:`GraphBatch.save` writes so that :meth:`load` finds it."""
        npmi = self.cooccurrence.to_json() if self.cooccurrence is not None else None
        return {"recipe": self.parser.recipe, "npmi": npmi}

    def build(
        self, texts: Sequence[str], doc_ids: Sequence[str] | None = None, workers: int | None = None
    ) -> GraphBatch:
        """Parse ``texts``; ``workers``: processes, None decides by the amount of text."""
        return self._assemble(self._parse(texts, workers), doc_ids)

    def fit_build(
        self,
        texts: Sequence[str],
        doc_ids: Sequence[str],
        train: Sequence[bool],
        window: int,
        minimum: float,
        min_count: int,
        workers: int | None = None,
    ) -> tuple[GraphBatch, GraphBuilder]:
        """Parse once, count co-occurrence where ``train`` says so, draw its edges everywhere."""
        chunks = self._parse(texts, workers)
        shards = list(_training_nodes(chunks, np.asarray(train, bool)))
        fitted = replace(self, cooccurrence=Cooccurrence.fit(shards, window, minimum, min_count))
        return fitted._assemble(chunks, doc_ids), fitted

    def _parse(self, texts: Sequence[str], workers: int | None) -> list[_Chunk]:
        parts = [list(texts[first : first + CHUNK]) for first in range(0, len(texts), CHUNK)]
        if workers is None:
            workers = processors() if sum(map(len, texts)) >= PAYS_FROM else 1
        workers = min(workers, len(parts))
        if workers > 1:
            try:
                return self._parse_apart(parts, workers)
            except BrokenProcessPool:
                pass  # a calling script without `if __name__ == "__main__"`, or out of memory: slower, same result
        return [_parse_chunk(self.parser, part) for part in parts]

    def _parse_apart(self, parts: list[list[str]], workers: int) -> list[_Chunk]:
        spawn = multiprocessing.get_context("spawn")  # fork would copy torch's and prefect's threads half-way
        recipe = self.parser.recipe
        with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start, initargs=(recipe,)) as pool:
            return list(pool.map(_parse_part, parts))

    def _assemble(self, chunks: list[_Chunk], doc_ids: Sequence[str] | None) -> GraphBatch:
        if not chunks:
            return GraphBatch.from_graphs([], doc_ids)
        table = self.cooccurrence
        batches = [_to_batch(chunk, table) for chunk in chunks]
        whole = GraphBatch.concatenate(batches)
        names = list(doc_ids) if doc_ids is not None else [str(number) for number in range(len(whole))]
        assert len(names) == len(whole), "one doc_id a text"
        return replace(whole, doc_ids=names)


def _make_parser(recipe: dict[str, Any]) -> Parser:
    kind = recipe.get("parser")
    if kind == "fast":
        return FastParser(recipe.get("segmenter"))
    if kind == "spacy":
        from openautoglm.graph.spacy_parser import SpacyParser

        return SpacyParser.load(recipe["model"])
    raise ParamsError(f"graph.parser: fast or spacy, found {kind!r}")


_parser: Parser | None = None  # of a worker process


def _start(recipe: dict[str, Any]) -> None:
    global _parser
    _parser = _make_parser(recipe)


def _parse_part(texts: list[str]) -> _Chunk:
    assert _parser is not None
    return _parse_chunk(_parser, texts)


def _parse_chunk(parser: Parser, texts: list[str]) -> _Chunk:
    flat = FlatGraphs()
    parser.parse_into(texts, flat)
    return _Chunk(
        node_counts=np.array(flat.node_counts, np.int64),
        edge_counts=np.array(flat.edge_counts, np.int64),
        node_type=np.array(flat.node_type, np.uint8),
        node_span=np.array(flat.node_span, np.int32).reshape(-1, 2),
        edge_index=np.array([flat.edge_src, flat.edge_dst], np.int32),
        edge_type=np.array(flat.edge_type, np.uint8),
        heads=flat.heads,
        positions=np.array(flat.positions, np.int64),
    )


def _training_nodes(chunks: list[_Chunk], train: Array) -> Iterator[tuple[Array, Array, list[str]]]:
    first = 0
    for chunk in chunks:
        count = len(chunk.node_counts)
        document = np.repeat(np.arange(count), chunk.node_counts)
        kept = np.flatnonzero(train[first : first + count][document])
        yield document[kept], chunk.positions[kept], [chunk.heads[node] for node in kept.tolist()]
        first += count


def _to_batch(chunk: _Chunk, table: Cooccurrence | None) -> GraphBatch:
    """A chunk's relations, then its co-occurrences, document by document."""
    documents = len(chunk.node_counts)
    edge_index, edge_type, edge_counts = chunk.edge_index, chunk.edge_type, chunk.edge_counts
    weight = np.ones(len(edge_type), np.float32)
    if table is not None and len(table.pairs):
        of_node = np.repeat(np.arange(documents), chunk.node_counts)
        starts = np.cumsum(chunk.node_counts) - chunk.node_counts
        first, second, near = table.edges(of_node, chunk.positions, chunk.heads)
        of_near = of_node[first]
        local = np.stack([first, second]) - starts[of_near]
        of_edge = np.concatenate([np.repeat(np.arange(documents), edge_counts), of_near])
        order = np.argsort(of_edge, kind="stable")
        edge_index = np.concatenate([edge_index, local], axis=1)[:, order]
        edge_type = np.concatenate([edge_type, np.full(len(near), NEAR, np.uint8)])[order]
        weight = np.concatenate([weight, near])[order]
        edge_counts = np.bincount(of_edge, minlength=documents)
    return GraphBatch.from_relations(
        chunk.node_counts, edge_counts, chunk.node_type, chunk.node_span, edge_index, edge_type, weight
    )
