"""Texts and graphs → the model's inputs: one tokenisation of a whole corpus, flat; batches are cut from it.

The graph's nodes are spans of characters, the backbone reads word pieces; here the two are matched once, for the
whole corpus, with two binary searches over global character positions. A serving node encodes its texts here as well
and has no torch, so only :func:`collate` imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openautoglm.graph import GraphBatch

if TYPE_CHECKING:
    from torch import Tensor

INPUT_NAMES = (
    "input_ids",
    "attention_mask",
    "piece_ids",
    "piece_node",
    "piece_pos",
    "node_type",
    "batch",
    "edge_index",
    "edge_type",
    "edge_weight",
)
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class EncodedCorpus:
    """D documents, flat. ``*_ptr`` [D+1] say where each document's part begins.

    token_ids: window of the backbone, special tokens included. piece_*: word pieces below each graph node:
    their id, the node (local to the document) and the position in the window, 0 where they lie outside of it.
    """

    token_ids: Ints
    token_ptr: Ints
    piece_ids: Ints
    piece_node: Ints
    piece_pos: Ints
    piece_ptr: Ints
    graphs: GraphBatch
    pad_id: int

    def __len__(self) -> int:
        return len(self.token_ptr) - 1

    def __repr__(self) -> str:
        return f"EncodedCorpus({len(self)} documents, {len(self.token_ids)} tokens, {len(self.piece_ids)} pieces)"

    @property
    def lengths(self) -> Ints:
        """Tokens in the window of each document, [D]."""
        return np.diff(self.token_ptr)


def encode(texts: Sequence[str], graphs: GraphBatch, tokenizer: Any, max_tokens: int) -> EncodedCorpus:
    """Tokenise ``texts`` (one per graph, same order) and align the word pieces with the graphs' nodes.

    ``tokenizer``: a fast one of transformers, or a :class:`~openautoglm.model.tokenizer.WordPieces`.
    """
    assert len(texts) == len(graphs)
    rust = tokenizer.backend_tokenizer
    rust.no_truncation()
    rust.no_padding()
    encodings = rust.encode_batch(list(texts), add_special_tokens=False)
    counts = np.array([len(found.ids) for found in encodings], dtype=np.int64)
    ids = _concat([found.ids for found in encodings])
    offsets = _concat([found.offsets for found in encodings]).reshape(-1, 2)
    token_ids, token_ptr, room = _windows(ids, counts, tokenizer, max_tokens)
    pieces = _align(texts, graphs, counts, offsets, room)
    return EncodedCorpus(
        token_ids=token_ids,
        token_ptr=token_ptr,
        piece_ids=ids[pieces.index],
        piece_node=pieces.node,
        piece_pos=pieces.position,
        piece_ptr=pieces.ptr,
        graphs=graphs,
        pad_id=int(tokenizer.pad_token_id or 0),
    )


def collate(corpus: EncodedCorpus, rows: Sequence[int] | Ints) -> dict[str, Tensor]:
    """:func:`collate_arrays` as tensors."""
    import torch

    return {name: torch.from_numpy(array) for name, array in collate_arrays(corpus, rows).items()}


def collate_arrays(
    corpus: EncodedCorpus, rows: Sequence[int] | Ints, width: int | None = None
) -> dict[str, NDArray[Any]]:
    """The model's inputs for ``rows``: B documents, padded to their longest window or to ``width``; the graph parts stay flat.

    Returns:
        input_ids, attention_mask [B, T] int64; piece_ids, piece_node, piece_pos [P] int64, where piece_pos is
        1 + b·T + t, or 0 outside the window; node_type, batch [N] int64; edge_index [2, E] int64;
        edge_type [E] int64; edge_weight [E] float32.
    """
    rows = np.asarray(rows, dtype=np.int64)
    lengths = corpus.lengths[rows]
    size, width = len(rows), width or int(lengths.max())
    input_ids = np.full((size, width), corpus.pad_id, dtype=np.int64)
    mask = np.arange(width) < lengths[:, None]
    input_ids[mask] = corpus.token_ids[_ranges(corpus.token_ptr, rows)]

    graphs = corpus.graphs.select(rows)
    node_start = graphs.node_ptr[:-1]
    document = np.arange(size)
    pieces = _ranges(corpus.piece_ptr, rows)
    piece_document = np.repeat(document, np.diff(corpus.piece_ptr)[rows])
    position = corpus.piece_pos[pieces]
    edge_document = np.repeat(document, np.diff(graphs.edge_ptr))
    arrays = {
        "input_ids": input_ids,
        "attention_mask": mask.astype(np.int64),
        "piece_ids": corpus.piece_ids[pieces],
        "piece_node": corpus.piece_node[pieces] + node_start[piece_document],
        "piece_pos": np.where(position > 0, 1 + piece_document * width + position, 0),
        "node_type": graphs.node_type.astype(np.int64),
        "batch": np.repeat(document, np.diff(graphs.node_ptr)),
        "edge_index": graphs.edge_index.astype(np.int64) + node_start[edge_document],
        "edge_type": graphs.edge_type.astype(np.int64),
        "edge_weight": graphs.edge_weight.astype(np.float32),
    }
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


@dataclass(frozen=True)
class _Pieces:
    index: Ints
    node: Ints
    position: Ints
    ptr: Ints


def _windows(ids: Ints, counts: Ints, tokenizer: Any, max_tokens: int) -> tuple[Ints, Ints, Ints]:
    """What the backbone reads: [CLS] + the first pieces + [SEP]. Returns ids, ptr, pieces inside per document."""
    begin, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    room = np.minimum(counts, max_tokens - 2)
    ptr = _ptr(room + 2)
    windows = np.empty(int(ptr[-1]), dtype=np.int64)
    windows[ptr[:-1]], windows[ptr[1:] - 1] = begin, end
    inside = np.ones(len(windows), dtype=bool)
    inside[ptr[:-1]] = inside[ptr[1:] - 1] = False
    windows[inside] = ids[_ranges_of(_ptr(counts)[:-1], room)]
    return windows, ptr, room


def _align(texts: Sequence[str], graphs: GraphBatch, counts: Ints, offsets: Ints, room: Ints) -> _Pieces:
    """Pieces that overlap each node's span, in node order."""
    documents = len(texts)
    base = _ptr(np.array([len(text) + 1 for text in texts], dtype=np.int64))[
        :-1
    ]  # global character positions
    piece_ptr = _ptr(counts)
    piece_document = np.repeat(np.arange(documents), counts)
    starts, ends = offsets[:, 0] + base[piece_document], offsets[:, 1] + base[piece_document]
    node_document = graphs.node_document()
    spans = graphs.node_span.astype(np.int64) + base[node_document][:, None]
    first = np.searchsorted(ends, spans[:, 0], side="right")  # first piece that ends after the node begins
    last = np.searchsorted(starts, spans[:, 1], side="left")  # first piece that starts after the node ends
    width = np.maximum(last - first, 0)
    index = _ranges_of(first, width)
    local = index - piece_ptr[:-1][piece_document[index]]
    inside = local < room[piece_document[index]]
    node = np.repeat(np.arange(len(spans)) - graphs.node_ptr[:-1][node_document], width)
    per_document = np.zeros(documents, dtype=np.int64)
    np.add.at(per_document, node_document, width)
    # a piece's place in the window is 1 behind [CLS]; 0 says "outside", [CLS] itself is never a node's piece
    return _Pieces(index, node, np.where(inside, local + 1, 0), _ptr(per_document))


def _concat(lists: Sequence[Any]) -> Ints:
    flat: Ints = np.array([item for found in lists for item in found], dtype=np.int64)
    return flat


def _ptr(counts: Ints) -> Ints:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])


def _ranges(ptr: Ints, rows: Ints) -> Ints:
    return _ranges_of(ptr[rows], ptr[rows + 1] - ptr[rows])


def _ranges_of(starts: Ints, lengths: Ints) -> Ints:
    """``concatenate([arange(s, s + n) for s, n in zip(starts, lengths)])`` without the loop."""
    total = _ptr(lengths)
    result: Ints = np.repeat(starts - total[:-1], lengths) + np.arange(int(total[-1]))
    return result
