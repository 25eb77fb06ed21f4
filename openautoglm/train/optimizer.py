"""AdamW in groups, and its rates as a pure function of the step: no scheduler state to keep."""

from __future__ import annotations

import re

import torch
from torch import nn

from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.params import TrainParams
from openautoglm.train.lora import rank_of

_LAYER = re.compile(r"^backbone\..*?\.?layers?\.(\d+)\.")


def trains(name: str, layers: str, model: AutoGLMModel) -> bool:
    """Whether the parameter ``name`` trains: all of them, or of the backbone's the last N layers (``top:N``) or
    the adapters (``lora:R``)."""
    if layers == "all" or not name.startswith("backbone."):
        return True
    if rank_of(layers):
        return ".lora_" in name
    found = _LAYER.match(name)
    total = int(model.config.backbone_config["num_hidden_layers"])
    return found is not None and int(found[1]) >= total - int(layers.removeprefix("top:"))


def build_optimizer(model: AutoGLMModel, params: TrainParams) -> torch.optim.AdamW:
    """Backbone and new parts with their own peak rates; no decay on embeddings, biases, norms and gates."""
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        pretrained = (
            name.startswith("backbone.") and ".lora_" not in name
        )  # an adapter starts at nothing, as a head does
        peak = params.learning_rate if pretrained else params.head_learning_rate
        decays = parameter.ndim >= 2 and id(parameter) not in embeddings
        groups.setdefault((peak, params.weight_decay if decays else 0.0), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": found, "lr": 0.0, "peak": peak, "weight_decay": d}
            for (peak, d), found in groups.items()
        ],
        fused=True,
    )


def set_rates(optimizer: torch.optim.Optimizer, step: int, total: int, warmup: float) -> None:
    """The rates for step ``step`` of ``total``, counted from 0."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * rate(step, total, warmup)


def rate(step: int, total: int, warmup: float) -> float:
    """Share of the peak (0-1): a straight rise over the first ``warmup`` of the steps, a straight fall to zero."""
    rising = warmup * total
    if step + 1 < rising:
        return (step + 1) / rising
    return max(total - step, 0) / max(total - rising, 1.0) if step >= rising else 1.0
