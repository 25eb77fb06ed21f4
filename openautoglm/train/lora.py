"""Low-rank adapters on the attention's queries and values (LoRA, Hu et al. 2022, arXiv 2106.09685, §4.2).

    adapt(model.backbone, rank=8, seed=13)     # W stays, B·A trains
    state = merged(model)                      # the ordinary names and shapes, W + B·A

What leaves the training run is merged, so a checkpoint does not show how it was trained, and a delta from the parent
holds queries, values and the parts outside the backbone alone. Queries and values are what the paper adapts.
"""

from __future__ import annotations

from torch import Tensor, nn

from openautoglm.errors import ParamsError
from openautoglm.model.alone import seeded

QUERIES = ("query", "query_proj", "q_proj", "q_lin", "q")  # Hugging Face's names in its encoders
VALUES = ("value", "value_proj", "v_proj", "v_lin", "v")
A, B, BASE = ".lora_A.default.weight", ".lora_B.default.weight", ".base_layer."


def rank_of(layers: str) -> int | None:
    """R of ``lora:R``; None for another ``continual.replay_layers``."""
    return int(layers.removeprefix("lora:")) if layers.startswith("lora:") else None


def adapt(backbone: nn.Module, rank: int, seed: int) -> None:
    """Put adapters of ``rank`` beside every query and value projection, B zero: the outputs stay as they were.

    Their scale is 1 (``lora_alpha`` = rank). The same seed gives the same A, whoever drew random numbers before.

    Raises:
        ParamsError: no such projections, or none that a matrix of this rank is smaller than.
    """
    from peft import LoraConfig, inject_adapter_in_model  # 3 s, for this one option

    names = _projections(backbone, rank)
    config = LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0, bias="none", target_modules=names)
    with seeded(seed):
        inject_adapter_in_model(config, backbone)


def merged(model: nn.Module) -> dict[str, Tensor]:
    """``model.state_dict()`` with the adapters added to their weights; gradients flow, where anybody asks for them."""
    state = model.state_dict(keep_vars=True)
    found = {name.replace(BASE, "."): tensor for name, tensor in state.items() if ".lora_" not in name}
    for name, tensor in state.items():
        if name.endswith(A):
            layer = name.removesuffix(A)
            found[f"{layer}.weight"] = state[f"{layer}{BASE}weight"] + state[layer + B] @ tensor
    return found


def _projections(backbone: nn.Module, rank: int) -> list[str]:
    linear = {name: module for name, module in backbone.named_modules() if isinstance(module, nn.Linear)}
    names = [name for name in linear if name.rsplit(".", 1)[-1] in QUERIES + VALUES]
    if not {name.rsplit(".", 1)[-1] for name in names} & set(VALUES):
        raise ParamsError(
            f"continual.replay_layers: lora:{rank} adapts query and value projections, {type(backbone).__name__} "
            "has none of its own; use all or top:N"
        )
    smallest = min(min(linear[name].weight.shape) for name in names)
    if rank > smallest:
        raise ParamsError(
            f"continual.replay_layers: lora:{rank} is of a higher rank than the {smallest} of the backbone's "
            f"projections; use lora:{max(smallest // 4, 1)} or less"
        )
    return names
