"""Texts joined with their graphs, many documents at a time, each with the bits that it has alone.

    path = GraphPath(model, device)
    path(corpus, rows, text, states)                       # [R, H]

What a matrix product gives for a row may depend on how many rows it has. So the documents of a group share a graph of a
fixed number of nodes, of which those that no document needs belong to nobody's text in the last row.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from openautoglm.graph import Edge, GraphBatch, Node, SemanticGraph
from openautoglm.model.alone import TORCH
from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.encode import INPUT_NAMES, EncodedCorpus, collate_arrays
from openautoglm.train.machine import one_thread

TEXTS = 16  # rows of a group, the last one nobody's
NODES = 128  # of a group; twice as many, and twice again, for a document that has more
GRAPH_INPUTS = tuple(name for name in INPUT_NAMES if name not in ("input_ids", "attention_mask"))
Rows = NDArray[np.int64]


class GraphPath:
    """The graph encoder and the fusion of ``model``, copied to ``device``."""

    def __init__(self, model: AutoGLMModel, device: torch.device) -> None:
        self.device, self.hidden = device, int(model.config.backbone_config["hidden_size"])
        self.words = model.word_embeddings.weight.detach().to(device)  # [V, W]
        parts = copy.deepcopy(model.graph_encoder), copy.deepcopy(model.fusion)
        self._joined = self._traced(_Joined(*parts).to(device).eval())
        with one_thread():
            self._most = TEXTS - 1 if self._is_alike() else 1  # documents a group

    @torch.inference_mode()
    def __call__(self, corpus: EncodedCorpus, rows: Rows, text: Tensor, states: Tensor) -> Tensor:
        """text [R, H] and states [R, T, H] of the documents ``rows`` → the two joined with their graphs, [R, H]."""
        fused = torch.empty_like(text)
        for nodes, places in _groups(np.diff(corpus.graphs.node_ptr)[rows], self._most):
            fused[places] = self._group(corpus, rows[places], text[places], states[places], nodes)
        return fused

    def _group(self, corpus: EncodedCorpus, rows: Rows, text: Tensor, states: Tensor, nodes: int) -> Tensor:
        arrays = collate_arrays(corpus, rows, width=states.size(1))
        spare = nodes - len(arrays["node_type"])
        arrays["node_type"] = np.pad(arrays["node_type"], (0, spare))
        arrays["batch"] = np.pad(arrays["batch"], (0, spare), constant_values=TEXTS - 1)
        padded = torch.cat([text, text.new_zeros(TEXTS - len(rows), self.hidden)])
        graph = (torch.from_numpy(arrays[name]).to(self.device) for name in GRAPH_INPUTS)
        fused: Tensor = self._joined(self.words, padded, states, *graph)
        return fused[: len(rows)]

    @torch.inference_mode()
    def _is_alike(self) -> bool:
        """Whether a document's bits do not depend on its place and neighbours here."""
        random = torch.Generator().manual_seed(0)
        graphs = [
            SemanticGraph(
                tuple(Node(0, 1, 0) for _ in range(count)),
                tuple(Edge(node - 1, node, node % 3) for node in range(1, count)),
            )
            for count in range(1, 10)
        ]
        pieces = np.arange(45)
        corpus = EncodedCorpus(
            token_ids=np.zeros(9 * 8, np.int64),
            token_ptr=np.arange(10) * 8,
            piece_ids=pieces,
            piece_node=np.concatenate([np.arange(count) for count in range(1, 10)]),
            piece_pos=pieces % 8,
            piece_ptr=np.cumsum(np.arange(10)),
            graphs=GraphBatch.from_graphs(graphs),
            pad_id=0,
        )
        text = torch.randn(9, self.hidden, generator=random).to(self.device)
        states = torch.randn(9, 8, self.hidden, generator=random).to(self.device)
        order = np.array([8, 3, 5, 0, 7])
        return all(
            torch.equal(
                self._group(corpus, np.arange(9), text, states, nodes)[order],
                self._group(corpus, order, text[order], states[order], nodes),
            )
            for nodes in (NODES, 2 * NODES)
        )

    def _traced(self, joined: _Joined) -> Any:
        """Traced: for graphs this small Python took four times as long as the arithmetic, and held up the other threads."""
        pair = torch.tensor([[0, 1], [1, 0]])
        example = (
            self.words,
            torch.zeros(TEXTS, self.hidden),
            torch.zeros(2, 4, self.hidden),
            *(torch.tensor([1, 2, 3]), torch.tensor([0, 1, 1]), torch.tensor([2, 3, 0])),
            *(torch.zeros(NODES, dtype=torch.int64), torch.arange(NODES) % TEXTS),
            *(pair, torch.zeros(2, dtype=torch.int64), torch.ones(2)),
        )
        with TORCH, warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # about the tracer's age
            inputs = tuple(part.to(self.device) for part in example)
            traced = torch.jit.trace(joined, inputs, check_trace=False)  # type: ignore[no-untyped-call]
            return torch.jit.freeze(traced)


class _Joined(nn.Module):
    """What :class:`AutoGLMModel` makes of texts' features and their graphs; inputs as :data:`GRAPH_INPUTS`."""

    def __init__(self, encoder: nn.Module, fusion: nn.Module) -> None:
        super().__init__()
        self.encoder, self.fusion = encoder, fusion

    def forward(self, words: Tensor, text: Tensor, states: Tensor, *graph: Tensor) -> Tensor:
        parts = dict(zip(GRAPH_INPUTS, graph, strict=True))
        batch = parts.pop("batch")
        fused: Tensor = self.fusion(text, self.encoder(words, states, **parts), batch)
        return fused


def _groups(counts: Rows, most: int) -> Iterator[tuple[int, Rows]]:
    """(nodes of the group, places of its documents): documents of ``counts`` [R] nodes each, at most ``most`` a group.

    How many nodes the group has follows from a document's own number, never from its neighbours.
    """
    room = np.maximum(NODES, 2 ** np.ceil(np.log2(np.maximum(counts, 1))).astype(np.int64))
    for nodes in np.unique(room):
        group: list[int] = []
        filled = 0
        for place in np.flatnonzero(room == nodes):
            if group and (len(group) == most or filled + counts[place] > nodes):
                yield int(nodes), np.array(group)
                group, filled = [], 0
            group.append(int(place))
            filled += int(counts[place])
        yield int(nodes), np.array(group)
