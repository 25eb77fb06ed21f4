"""What holds the new weights near the parent's: a term of the loss (`continual.penalty`).

    penalty = ewc(weight, model, parent, old, examples, group)      # or Lwf(weight, parent, precision)
    loss = loss + penalty(model, inputs, logits)

ewc: the weights themselves, each as firmly as the old documents need it (Kirkpatrick et al. 2017, PNAS 114(13), eq. 3).
lwf: the answers about the parent's classes, on whatever is trained on (Li and Hoiem 2017, arXiv 1606.09282, §3).

Neither keeps anything in the training state. Both are functions of the parent and the corpus, so a run that goes on
from a checkpoint computes the same bits again, and neither draws a random number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.train import machine
from openautoglm.train.group import Group
from openautoglm.train.lora import merged
from openautoglm.train.sampler import Ints

TEMPERATURE = 2.0  # of both sides of the distillation, the paper's

Inputs = dict[str, Tensor]
Examples = Callable[[Ints], tuple[Inputs, Tensor]]  # rows of the train split → the model's inputs, labels


class Penalty(Protocol):
    def __call__(self, model: AutoGLMModel, inputs: Inputs, logits: Tensor) -> Tensor:
        """The term to add to the mean loss of a batch; a scalar, weight included."""


@dataclass(frozen=True, eq=False)
class Ewc:
    """weight / 2 · Σ F (θ − θ_parent)², over the weights that train and that the parent has too.

    ``fisher`` and ``anchor`` by ordinary name; the head's hold the rows of the parent's classes.
    """

    weight: float
    fisher: dict[str, Tensor]
    anchor: dict[str, Tensor]

    def __call__(self, model: AutoGLMModel, inputs: Inputs, logits: Tensor) -> Tensor:
        return 0.5 * self.weight * self.distance(model)

    def distance(self, model: AutoGLMModel) -> Tensor:
        """Σ F (θ − θ_parent)²: twice what the parent loses on an old document, to second order, in nats."""
        weights = merged(model)
        terms = [
            (fisher * (weights[name][: len(fisher)] - self.anchor[name]).square()).sum()
            for name, fisher in self.fisher.items()
        ]
        return torch.stack(terms).sum() if terms else torch.zeros((), device=model.device)


@dataclass(frozen=True, eq=False)
class Lwf:
    """weight · T² · KL(parent ‖ model) of the softened probabilities of the parent's classes, which are our first ones.

    T² keeps the gradient's size whatever T is (Hinton et al. 2015, arXiv 1503.02531, §2). The parent reads the batch
    without dropout; an analytic head answers as any other.
    """

    weight: float
    parent: AutoGLMModel
    precision: str

    def __call__(self, model: AutoGLMModel, inputs: Inputs, logits: Tensor) -> Tensor:
        with torch.no_grad(), machine.autocast(self.precision, logits.device):
            wanted = torch.log_softmax(self.parent(**inputs).logits.float() / TEMPERATURE, dim=-1)
        found = torch.log_softmax(logits[:, : wanted.size(1)].float() / TEMPERATURE, dim=-1)
        distance = nn.functional.kl_div(found, wanted, reduction="batchmean", log_target=True)
        return self.weight * TEMPERATURE**2 * distance


def ewc(
    weight: float, model: AutoGLMModel, parent: AutoGLMModel, old: Ints, examples: Examples, group: Group
) -> Ewc:
    """The penalty by the diagonal of the parent's Fisher information on the documents ``old``.

    It is the empirical one: squared gradients of −log p(label), a document at a time, their mean.
    """
    names = held(model, parent)
    shared = {name: tensor for name, tensor in parent.named_parameters() if name in names}
    for name, tensor in parent.named_parameters():
        tensor.requires_grad_(name in shared)
    fisher = {name: torch.zeros_like(tensor) for name, tensor in shared.items()}
    for gradients in _gradients(parent, list(shared.values()), old[group.rank :: group.world_size], examples):
        for total, gradient in zip(fisher.values(), gradients, strict=True):
            if gradient is not None:
                total += gradient.square()
    for total in fisher.values():
        group.add(total)
        total /= max(len(old), 1)
    return Ewc(weight, fisher, {name: tensor.detach().clone() for name, tensor in shared.items()})


def held(model: AutoGLMModel, parent: AutoGLMModel) -> Collection[str]:
    """Ordinary names of what trains in ``model`` and is there in ``parent``; of the head where it is of the same kind."""
    names = {name for name, tensor in merged(model).items() if tensor.requires_grad}
    same_head = type(model.adapter) is type(parent.adapter)
    return {
        name
        for name, _ in parent.named_parameters()
        if name in names and (same_head or not name.startswith("adapter."))
    }


def _gradients(
    parent: AutoGLMModel, weights: list[nn.Parameter], rows: Ints, examples: Examples
) -> Iterator[tuple[Tensor | None, ...]]:
    """Of each document's loss alone: the square of a mean gradient is not the mean of the squares."""
    for row in rows:
        inputs, labels = examples(np.array([row], np.int64))
        loss = parent(**inputs, labels=labels).loss
        yield torch.autograd.grad(loss, weights, allow_unused=True)
