"""Cross-attention from the text to its graph, behind a gate that starts at zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from openautoglm.model.graph_encoder import segment_weights, sum_last


class GatedCrossAttention(nn.Module):
    """text + Σ_heads tanh(gate_h) · attention_h(text → nodes).

    With every gate at zero the result *is* the text representation, bit for bit: where the graph has nothing to
    say it costs nothing and hurts nothing (zero-init gates as in Flamingo, arXiv 2204.14198, §3.1.2). The text asks
    with its pooled vector, so the cost is linear in the nodes.
    """

    def __init__(self, hidden: int, size: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width = heads, size // heads
        self.query = nn.Linear(hidden, size)
        self.key_value = nn.Linear(size, 2 * size)
        self.gate = nn.Parameter(torch.zeros(heads))
        self.out = nn.Linear(size, hidden, bias=False)

    def forward(self, text: Tensor, nodes: Tensor, batch: Tensor) -> Tensor:
        """text [B, H], nodes [N, G], batch [N] (document of each node) → [B, H]."""
        documents = text.size(0)
        query = self.query(text).view(-1, self.heads, self.width)  # [B, heads, width]
        key, value = self.key_value(nodes).view(-1, self.heads, 2 * self.width).chunk(2, dim=-1)
        weights = segment_weights(
            sum_last(query[batch] * key).unsqueeze(-1) / self.width**0.5
        )  # [N, heads, 1]
        summed = scatter(
            torch.cat([weights, weights * value], dim=-1), batch, dim=0, dim_size=documents, reduce="sum"
        )
        mean = summed[..., 1:] / (summed[..., :1] + 1e-9)  # a document without nodes gets zeros
        gated = mean * torch.tanh(self.gate).view(1, -1, 1)
        result: Tensor = text + self.out(gated.reshape(documents, -1))
        return result
