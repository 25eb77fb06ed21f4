"""Lossy on purpose, off by default: publish fp32 weights that lie on a grid around the parent's, so that a delta is small.

    result["grid"] = snap(model, Checkpoint.load(job.parent), valid, step=1.0)

A matrix becomes ``parent + q · s``, q whole numbers, s a power of two near ``step`` times the root mean square of the
matrix's change. What is published *is* these weights: the delta against the parent stays lossless, its format and the
nodes know of no grid, and the difference to the master does not add up over a chain, as the next version is again taken
from its master to what nodes hold. Vectors (biases, norms) and matrices of another shape than the parent's stay exact.

s is a power of two because then ``parent + q · s`` has one rounding in every order of operations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.train.calibrate import logits_of
from openautoglm.train.prepare import Split


def snap(model: AutoGLMModel, parent: Checkpoint, valid: Split, step: float) -> dict[str, Any]:
    """Put ``model`` on the grid; give {step, matrices, agreement (0-1), documents}, measured on the valid split."""
    before = logits_of(model, valid).argmax(-1) if len(valid) else None
    state = model.state_dict()
    moved = on_grid(state, parent.model().state_dict(), step)
    model.load_state_dict(state | moved)
    facts = {"step": step, "matrices": len(moved), "agreement": None, "documents": len(valid)}
    if before is not None:
        equal = logits_of(model, valid).argmax(-1) == before
        facts["agreement"] = round(float(equal.float().mean()), 6)
    return facts


def on_grid(state: Mapping[str, Tensor], held: Mapping[str, Tensor], step: float) -> dict[str, Tensor]:
    """The matrices of ``state`` that differ from those of the same shape in ``held``, fp32, on the grid around them."""
    moved = {}
    for name, tensor in state.items():
        base = held.get(name)
        if base is None or base.shape != tensor.shape or tensor.ndim < 2 or not tensor.is_floating_point():
            continue
        change = tensor.double() - base.double()
        rms = float(change.square().mean().sqrt())
        if rms:
            scale = 2.0 ** round(math.log2(step * rms))
            moved[name] = (base.double() + (change / scale).round() * scale).to(tensor.dtype)
    return moved
