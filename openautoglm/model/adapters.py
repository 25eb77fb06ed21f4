"""Task adapters: the light last layer that answers. A registry, so that a new task is one class and one line."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from openautoglm.errors import ParamsError
from openautoglm.model.config import AutoGLMConfig


# keeps the valid loss falling with the errors: without it the loss turns after two epochs, the accuracy after four
SMOOTHING = 0.1


class Classify(nn.Module):
    """One label of ``config.num_labels``: dropout and a linear layer; cross-entropy."""

    def __init__(self, hidden: int, config: AutoGLMConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(hidden, config.num_labels)

    def forward(self, features: Tensor) -> Tensor:
        """features [B, H] → logits [B, C]."""
        logits: Tensor = self.linear(self.dropout(features))
        return logits

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        smoothing = SMOOTHING if self.training else 0.0
        # under autocast the logits are bf16
        return nn.functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)

    @torch.no_grad()
    def scale(self, factor: float) -> None:
        """Multiply every logit: how a temperature is folded in."""
        self.linear.weight.mul_(factor)
        self.linear.bias.mul_(factor)

    @torch.no_grad()
    def take_over(self, parent: Classify, rows: list[int | None]) -> None:
        """Copy the parent's rows: ``rows[i]`` is the parent's row of our class i, or None for a new class."""
        for index, row in enumerate(rows):
            if row is not None:
                self.linear.weight[index] = parent.linear.weight[row]
                self.linear.bias[index] = parent.linear.bias[row]


ADAPTERS: dict[str, Callable[[int, AutoGLMConfig], Classify]] = {"classify": Classify}


def build_adapter(hidden: int, config: AutoGLMConfig) -> Classify:
    if config.adapter not in ADAPTERS:
        raise ParamsError(f"unknown task adapter {config.adapter!r}; known: {', '.join(sorted(ADAPTERS))}")
    return ADAPTERS[config.adapter](hidden, config)
