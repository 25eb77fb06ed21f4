"""Task adapters: the light last layer that answers. A registry, so that a new task is one class and one line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from openautoglm.errors import ParamsError
from openautoglm.model.config import AutoGLMConfig

# keeps the valid loss falling with the errors: without it the loss turns after two epochs, the accuracy after four
SMOOTHING = 0.1


class Adapter(nn.Module):
    """features [B, H] → logits [B, C] of ``config.num_labels`` labels; ``linear`` is its last layer."""

    linear: nn.Linear

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        smoothing = SMOOTHING if self.training else 0.0
        # under autocast the logits are bf16
        return nn.functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)

    def take_over(self, parent: Adapter, rows: list[int | None]) -> None:
        """Copy what fits of the parent: ``rows[i]`` is the parent's row of our class i, or None for a new class."""

    @torch.no_grad()
    def scale(self, factor: float) -> None:
        """Multiply every logit: how a temperature is folded in."""
        self.linear.weight.mul_(factor)
        self.linear.bias.mul_(factor)


class Classify(Adapter):
    """Dropout and a linear layer; cross-entropy."""

    def __init__(self, hidden: int, config: AutoGLMConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(hidden, config.num_labels)

    def forward(self, features: Tensor) -> Tensor:
        """features [B, H] → logits [B, C]."""
        logits: Tensor = self.linear(self.dropout(features))
        return logits

    @torch.no_grad()
    def take_over(self, parent: Adapter, rows: list[int | None]) -> None:
        if not isinstance(parent, Classify):
            return  # an analytic head reads other features; ours starts fresh on its backbone
        for index, row in enumerate(rows):
            if row is not None:
                self.linear.weight[index] = parent.linear.weight[row]
                self.linear.bias[index] = parent.linear.bias[row]


class Analytic(Adapter):
    """Unit length → fixed random directions → ReLU → a linear layer that is solved, not trained (arXiv 2307.02251).

    The directions hold +1 and -1 alone: exact in bf16, one bit each in a delta, and with whole-number features their
    products are exact sums on every machine (:mod:`openautoglm.train.lift`).
    """

    projection: Tensor  # [H, M]

    def __init__(self, hidden: int, config: AutoGLMConfig) -> None:
        super().__init__()
        self.register_buffer("projection", directions(hidden, config.projection, config.projection_seed))
        self.linear = nn.Linear(config.projection, config.num_labels)

    def forward(self, features: Tensor) -> Tensor:
        """features [B, H] → logits [B, C]."""
        length = (features * features).sum(-1, keepdim=True).clamp(min=1e-12).sqrt()
        logits: Tensor = self.linear(torch.relu((features / length) @ self.projection))
        return logits


def directions(hidden: int, width: int, seed: int) -> Tensor:
    """[H, M] of +1 and -1: the bits of PCG64(seed), whose raw stream numpy keeps the same on every platform."""
    words = np.random.PCG64(seed).random_raw(-(-hidden * width // 64))
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), count=hidden * width)
    return torch.from_numpy(2.0 * bits.reshape(hidden, width).astype(np.float32) - 1.0)


ADAPTERS: dict[str, Callable[[int, AutoGLMConfig], Adapter]] = {"classify": Classify, "analytic": Analytic}


def build_adapter(hidden: int, config: AutoGLMConfig) -> Adapter:
    if config.adapter not in ADAPTERS:
        raise ParamsError(f"unknown task adapter {config.adapter!r}; known: {', '.join(sorted(ADAPTERS))}")
    return ADAPTERS[config.adapter](hidden, config)
