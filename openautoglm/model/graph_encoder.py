"""The graph path: node features from the backbone, typed-edge attention over them.

Relations enter as a bias per type and head and a small vector per type, not as per-relation weight matrices:
measured ten times faster than RGCN on short texts. Softmaxes run over a flat edge list and survive a graph
without edges; every size is explicit, so that the ONNX graph bakes none (docs/architecture.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import scatter

LOGIT_BOUND = (
    15.0  # e^15 sums over any graph in fp32; a bound, unlike a running maximum, needs no scatter-max in ONNX
)


def segment_weights(logits: Tensor) -> Tensor:
    """Unnormalised softmax weights; the caller divides by their sum per segment.

    ``tanh`` bounds the logits, so that no maximum per segment is needed for numerical safety.
    """
    return torch.exp(LOGIT_BOUND * torch.tanh(logits / LOGIT_BOUND))


def sum_last(x: Tensor) -> Tensor:
    """``x.sum(-1)``. In an exported graph a product with a column of ones: onnxruntime 1.31 leaves the last axis of an
    empty tensor unreduced in ReduceSum, and a batch may well have no edge."""
    if torch.onnx.is_in_onnx_export():
        return (x @ torch.ones(int(x.size(-1)), 1)).squeeze(-1)
    return x.sum(-1)


class TypedAttention(MessagePassing):
    """One layer: multi-head attention along typed, weighted edges, then a feed-forward block, both residual."""

    def __init__(self, size: int, heads: int, edge_types: int) -> None:
        super().__init__(aggr="add", node_dim=0)
        self.heads, self.width = heads, size // heads
        self.query = nn.Linear(size, size)
        self.key_value = nn.Linear(size, 2 * size)
        self.type_bias = nn.Embedding(edge_types, heads)
        self.type_value = nn.Embedding(edge_types, size)
        self.out = nn.Linear(size, size)
        self.norm = nn.LayerNorm(size)
        self.feed_forward = nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size))
        self.feed_forward_norm = nn.LayerNorm(size)

    def forward(self, x: Tensor, edge_index: Tensor, edge_type: Tensor, edge_weight: Tensor) -> Tensor:
        """x [N, G], edge_index [2, E] (source, target), edge_type [E], edge_weight [E] → [N, G]."""
        nodes = x.size(0)
        key, value = self.key_value(x).chunk(2, dim=-1)
        summed = self.propagate(
            edge_index,
            query=self.query(x),
            key=key,
            value=value,
            edge_type=edge_type,
            edge_weight=edge_weight,
            size=(nodes, nodes),
        )  # [N, heads, 1 + width]: the sum of weights, then the weighted values
        mean = summed[..., 1:] / (summed[..., :1] + 1e-9)  # a node without edges gets zeros
        x = self.norm(x + self.out(mean.flatten(1)))
        x = self.feed_forward_norm(x + self.feed_forward(x))
        return x

    def message(
        self, query_i: Tensor, key_j: Tensor, value_j: Tensor, edge_type: Tensor, edge_weight: Tensor
    ) -> Tensor:
        shape = (-1, self.heads, self.width)
        logits = sum_last(query_i.view(shape) * key_j.view(shape)) / self.width**0.5  # [E, heads]
        weights = segment_weights(logits + self.type_bias(edge_type)) * edge_weight.unsqueeze(-1)
        values = (value_j + self.type_value(edge_type)).view(shape)
        return torch.cat([weights.unsqueeze(-1), weights.unsqueeze(-1) * values], dim=-1)


class GraphEncoder(nn.Module):
    """Pools word-piece states into node features and runs the typed attention layers over them.

    ``words``, ``hidden``: widths W of the backbone's word embeddings and H of its states; most have them alike.
    """

    def __init__(
        self, words: int, hidden: int, size: int, layers: int, heads: int, node_types: int, edge_types: int
    ) -> None:
        super().__init__()
        self.project = nn.Linear(words + hidden, size)
        self.node_type = nn.Embedding(node_types, size)
        self.norm = nn.LayerNorm(size)
        self.layers = nn.ModuleList(TypedAttention(size, heads, edge_types) for _ in range(layers))

    def forward(
        self,
        words: Tensor,
        states: Tensor,
        piece_ids: Tensor,
        piece_node: Tensor,
        piece_pos: Tensor,
        node_type: Tensor,
        edge_index: Tensor,
        edge_type: Tensor,
        edge_weight: Tensor,
    ) -> Tensor:
        """words [V, W] and states [B, T, H] from the backbone; the rest as in :func:`openautoglm.model.encode.collate` → [N, G].

        The word embeddings cover the whole text at the price of a look-up, the contextual states the part inside
        the window; a piece outside it reads the zero row.
        """
        width, hidden, nodes = words.size(-1), states.size(-1), node_type.size(0)
        flat = torch.cat([states.new_zeros(1, hidden), states.reshape(-1, hidden)])
        inside = (piece_pos > 0).to(states.dtype).unsqueeze(-1)
        parts = torch.cat([words[piece_ids], flat[piece_pos], torch.ones_like(inside), inside], dim=-1)
        pooled = scatter(parts, piece_node, dim=0, dim_size=nodes, reduce="sum")  # [N, W + H + 2]
        word = pooled[:, :width] / pooled[:, -2:-1].clamp(min=1.0)
        context = pooled[:, width:-2] / pooled[:, -1:].clamp(min=1.0)
        x: Tensor = self.norm(self.project(torch.cat([word, context], dim=-1)) + self.node_type(node_type))
        for layer in self.layers:
            x = layer(x, edge_index, edge_type, edge_weight)
        return x
