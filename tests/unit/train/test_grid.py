"""Weights on a grid around the parent's: small deltas that are exact, no drift over a chain, a gate, and off by default."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from toy_training import toy_documents, toy_job

from openautoglm.evaluate.gate import Measured, verdict
from openautoglm.model.checkpoint import WEIGHTS, Checkpoint
from openautoglm.params import Params
from openautoglm.release import apply, diff
from openautoglm.train import state
from openautoglm.train.grid import on_grid
from openautoglm.train.run import train

EXACT = {"weights": "fp32", "grid": None}


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent")
    train(toy_job(folder, **EXACT), folder / "out", folder / "report.jsonl")
    return folder / "out"


def matrices(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.double() for name, tensor in weights.items() if tensor.ndim > 1}


@pytest.mark.parametrize("step", [0.25, 1.0])
def test_every_change_is_a_whole_number_of_steps_and_the_delta_is_exact(
    step: float, parent: Path, tmp_path: Path
) -> None:
    sizes = {}
    for name, grid in (("exact", None), ("grid", step)):
        job = toy_job(tmp_path / name, parent_dir=parent, weights="fp32", grid=grid, head_learning_rate=1e-3)
        result = train(job, tmp_path / name / "out", tmp_path / name / "report.jsonl")
        sizes[name] = diff(
            parent / WEIGHTS, tmp_path / name / "out" / WEIGHTS, tmp_path / name / "delta"
        ).size
        apply(parent / WEIGHTS, tmp_path / name / "delta", tmp_path / name / "back")
        assert (tmp_path / name / "back").read_bytes() == (tmp_path / name / "out" / WEIGHTS).read_bytes()
        assert ("grid" in result) == (grid is not None)
    assert sizes["grid"] < 0.75 * sizes["exact"]  # a toy; on the real backbone five times smaller
    noted = Checkpoint.load(tmp_path / "grid/out").training["grid"]
    assert (noted["step"], noted["documents"], noted["agreement"] > 0.9) == (step, 12, True)
    held, found = load_file(parent / WEIGHTS), load_file(tmp_path / "grid/out" / WEIGHTS)
    exact = load_file(tmp_path / "exact/out" / WEIGHTS)
    for name, base in matrices(held).items():
        wanted = exact[name].double() - base
        rms = float(wanted.square().mean().sqrt())
        if not rms:
            continue
        scale = 2.0 ** round(math.log2(step * rms))
        steps = ((found[name].double() - base) / scale).round()
        assert torch.equal((base + steps * scale).float(), found[name]), name
        assert (found[name].double() - exact[name].double()).abs().max() <= 0.51 * scale
    assert all(torch.equal(found[name], exact[name]) for name in found if found[name].ndim < 2)


def test_a_chain_does_not_drift() -> None:
    """Each version is taken from its own master to what nodes hold, so errors do not add up."""
    random = torch.Generator().manual_seed(0)
    master = torch.randn(64, 64, generator=random)
    held = {"w": master.clone()}
    for _ in range(20):
        master = master + 1e-4 * torch.randn(64, 64, generator=random)
        held = held | on_grid({"w": master}, held, 1.0)
        assert float((held["w"] - master).abs().max()) < 1.2e-4


def test_other_shapes_vectors_and_what_did_not_move_stay_as_they_are() -> None:
    held = {
        "grown": torch.ones(2, 3),
        "vector": torch.ones(3),
        "same": torch.ones(2, 2),
        "whole": torch.ones(2, 2).long(),
    }
    now = {
        "grown": torch.rand(3, 3),
        "vector": torch.rand(3),
        "same": torch.ones(2, 2),
        "whole": held["whole"] + 1,
    }
    assert on_grid(now | {"new": torch.rand(2, 2)}, held, 1.0) == {}


def test_the_first_release_has_no_grid(tmp_path: Path) -> None:
    job = toy_job(tmp_path, documents=toy_documents(), weights="fp32", grid=1.0)
    assert "grid" not in train(job, tmp_path / "out", tmp_path / "report.jsonl")
    master = state.master(job.state)
    found = load_file(tmp_path / "out" / WEIGHTS)
    assert all(torch.equal(found[name], master[name]) for name in found if not name.startswith("adapter."))


def test_the_gate_asks_for_the_masters_answers() -> None:
    params = Params.load().evaluate
    sound = Measured(500, 0, 0.9, 0.05, "v000001-0123456789ab", *[None] * 5)
    assert "grid" not in [gate["name"] for gate in verdict(sound, params)]
    for agreement, passes in ((1.0, True), (0.999, True), (0.998, False), (None, False)):
        found = {"step": 1.0, "agreement": agreement, "documents": 1000}
        (gate,) = (gate for gate in verdict(replace(sound, grid=found), params) if gate["name"] == "grid")
        assert (gate["passed"], gate["kind"]) == (passes, "gate")


def test_off_by_default() -> None:
    assert Params.load().train.grid is None
