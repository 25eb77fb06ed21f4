"""Training checkpoints: a run can be killed at any moment and goes on from the last one, to the same bit.

.autoglm/train/<key>/
  step-000050/            model.safetensors, optimizer.safetensors, rng.safetensors, state.json; the newest two are kept
  best-000112.safetensors weights of the best epoch so far, adapters merged; state.json says which one is meant
  metrics.jsonl           live, with times
  final/                  after success: model.safetensors (fp32 master), result.json; the rest is gone

No pickle: tensors in safetensors, everything else in JSON.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from openautoglm.files import fresh_dir, keep_newest, load_json, save_json
from openautoglm.train.group import Group

KEPT = 2  # training checkpoints of a run
RUNS = 4  # runs whose state stays on disk, the newest ones


@dataclass
class Position:
    """Where a run stands, tensors apart. ``epoch`` and ``batch`` count what is finished."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # of the current epoch
    loss_sum: float = 0.0  # over the documents of the current epoch
    seen: int = 0  # documents of the current epoch
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0  # 1 is the first
    best_step: int = 0
    best_loss: float | None = None

    def count(self, loss: float, documents: int) -> None:
        """One more step, whose mean loss over ``documents`` was ``loss``."""
        self.step += 1
        self.batch += 1
        self.loss_sum += loss * documents
        self.seen += documents


def save_step(
    folder: Path, position: Position, model: torch.nn.Module, optimizer: torch.optim.Optimizer, group: Group
) -> None:
    """Write ``folder/step-…`` whole or not at all. Called by every rank; rank 0 writes."""
    rng = group.gather(_torch_rng(next(model.parameters()).device))
    if not group.leads:
        return
    with fresh_dir(folder / f"step-{position.step:06d}") as step:
        save_file(plain(model.state_dict()), step / "model.safetensors")
        save_file(_optimizer_tensors(optimizer), step / "optimizer.safetensors")
        save_file({"torch": rng.cpu()}, step / "rng.safetensors")
        save_json(step / "state.json", {**asdict(position), "random": _other_rng()})
    _prune(folder)


def load_step(
    folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, group: Group
) -> Position:
    """Restore the newest checkpoint below ``folder`` into model, optimizer and generators; a fresh position if none."""
    found = steps(folder)
    if not found:
        return Position()
    step = found[-1]
    model.load_state_dict(load_file(step / "model.safetensors"))
    _load_optimizer(optimizer, load_file(step / "optimizer.safetensors"))
    device = next(model.parameters()).device
    # a copy: set_rng_state segfaults on a row inside a memory-mapped file
    _set_torch_rng(load_file(step / "rng.safetensors")["torch"][group.rank].clone(), device)
    state = load_json(step / "state.json")
    _set_other_rng(state.pop("random"))
    return Position(**state)


def steps(folder: Path) -> list[Path]:
    """Training checkpoints, oldest first."""
    return sorted(folder.glob("step-*"))


def best_file(folder: Path, step: int) -> Path:
    return folder / f"best-{step:06d}.safetensors"


def save_best(folder: Path, step: int, weights: dict[str, Tensor]) -> None:
    path = best_file(folder, step)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    save_file(plain(weights), temporary)
    temporary.replace(path)


def finish(folder: Path, weights: dict[str, Tensor], result: dict[str, Any]) -> None:
    """Leave the fp32 master and the result; what was needed to get there goes."""
    with fresh_dir(folder / "final") as final:
        save_file(
            {k: v.contiguous() for k, v in weights.items()},
            final / "model.safetensors",
            metadata={"format": "pt"},
        )
        save_json(final / "result.json", result)
    for path in folder.iterdir():
        if path.is_dir() and path.name != "final":
            shutil.rmtree(path)
        elif path.name.startswith((".best-", "best-")):
            path.unlink()
    _forget_old_runs(folder)


def result(folder: Path) -> dict[str, Any] | None:
    """What :func:`finish` wrote, or None while the run is not finished."""
    path = folder / "final" / "result.json"
    return load_json(path) if path.is_file() else None


def master(folder: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = load_file(folder / "final" / "model.safetensors")
    return weights


def plain(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """As safetensors takes them."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}


def _prune(folder: Path) -> None:
    for old in steps(folder)[:-KEPT]:
        shutil.rmtree(old)
    meant = {best_file(folder, load_json(step / "state.json")["best_step"]) for step in steps(folder)}
    for path in set(folder.glob("best-*.safetensors")) - meant:
        path.unlink()
    for left in folder.glob(".step-*"):  # of a process that was killed while it wrote
        shutil.rmtree(left)


def _forget_old_runs(folder: Path) -> None:
    keep_newest((path for path in folder.parent.iterdir() if path.is_dir() and path != folder), RUNS - 1)


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": value.detach().cpu().contiguous()
        for number, entry in state.items()
        for name, value in entry.items()
    }


def _load_optimizer(optimizer: torch.optim.Optimizer, flat: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in flat.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _torch_rng(device: torch.device) -> Tensor:
    """The generator that dropout draws from, as bytes; on the device, so that nccl can gather it."""
    state = torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()
    return state.to(device)


def _set_torch_rng(state: Tensor, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state.cpu(), device)
    else:
        torch.set_rng_state(state)


def _other_rng() -> dict[str, Any]:
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, list(words), gauss],
        "numpy": [name, keys.tolist(), int(position), int(has_gauss), float(cached)],  # type: ignore[union-attr]
    }


def _set_other_rng(state: dict[str, Any]) -> None:
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
