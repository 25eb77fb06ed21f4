"""Sampler, rates, groups, job and generators."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import toy_job, toy_params

from openautoglm.errors import ParamsError
from openautoglm.model.autoglm import build
from openautoglm.train import machine, state
from openautoglm.train.distributed import launch
from openautoglm.train.job import Job
from openautoglm.train.optimizer import build_optimizer, rate
from openautoglm.train.prepare import grown_labels
from openautoglm.train.sampler import BucketSampler, in_length_order, shard

LENGTHS = np.random.default_rng(0).integers(4, 60, 1003)


def test_every_document_once_and_another_order_each_epoch() -> None:
    sampler = BucketSampler(LENGTHS, 32, seed=1)
    first, second = sampler.epoch(0), sampler.epoch(1)
    assert sorted(np.concatenate(first).tolist()) == list(range(1003))
    assert len(first) == len(sampler) == 32
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))
    assert all(
        np.array_equal(a, b) for a, b in zip(first, BucketSampler(LENGTHS, 32, seed=1).epoch(0), strict=True)
    )


def test_buckets_save_padding() -> None:
    padded = sum(len(rows) * LENGTHS[rows].max() for rows in BucketSampler(LENGTHS, 32, seed=1).epoch(0))
    assert padded < 1.1 * LENGTHS.sum()


@pytest.mark.parametrize("world_size", [1, 2, 3, 40])
def test_shards_are_the_batch(world_size: int) -> None:
    rows = np.arange(32)
    parts = [shard(rows, rank, world_size) for rank in range(world_size)]
    assert sorted(np.concatenate(parts).tolist()) == rows.tolist()


def test_evaluation_order_has_every_document() -> None:
    assert sorted(np.concatenate(in_length_order(LENGTHS, 64)).tolist()) == list(range(1003))


@pytest.mark.parametrize(("gpus", "told"), [(1, "has 1 GPU, one"), (3, "has 3 GPUs, one")])
def test_more_processes_than_gpus_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gpus: int, told: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(ParamsError, match=f"train.world_size: 4 processes, but this machine {told}"):
        launch(toy_job(tmp_path, world_size=4))


def test_rate_rises_and_falls() -> None:
    rates = [rate(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == 1.0
    assert rates.index(1.0) == 9
    assert rates[-1] == pytest.approx(1 / 90)
    assert [rate(step, 4, 0.0) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]


def test_what_decays_and_how_fast_it_learns() -> None:
    model, _ = build("tiny", ["a", "b"], graph_size=16)
    groups = build_optimizer(model, toy_params()).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    of = {names[id(p)]: (g["peak"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert of.keys() == set(names.values())
    assert of["backbone.embeddings.word_embeddings.weight"] == (1e-3, 0.0)
    assert of["backbone.encoder.layer.0.output.dense.weight"] == (1e-3, 0.01)
    assert of["backbone.encoder.layer.0.output.LayerNorm.weight"] == (1e-3, 0.0)
    assert of["fusion.gate"] == (1e-2, 0.0)
    assert of["graph_encoder.layers.0.type_bias.weight"] == (1e-2, 0.0)
    assert of["adapter.linear.weight"] == (1e-2, 0.01)


def test_labels_grow_at_the_end() -> None:
    assert grown_labels(["z", "b"], ["c", "b", "a"]) == ["z", "b", "a", "c"]
    assert grown_labels([], ["b", "a"]) == ["a", "b"]
    assert grown_labels(["gone", "b"], ["b"]) == ["gone", "b"]


def test_job_travels_as_json(tmp_path: Path) -> None:
    job = toy_job(tmp_path)
    job.save(tmp_path / "job.json")
    assert Job.load(tmp_path / "job.json") == job


def test_generators_are_restored(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    from openautoglm.train.group import Group

    state.save_step(tmp_path, state.Position(step=7, history=[{"epoch": 1}]), model, optimizer, Group())
    expected = random.random(), np.random.rand(), torch.rand(3)
    position = state.load_step(tmp_path, model, optimizer, Group())
    assert position.step == 7
    assert position.history == [{"epoch": 1}]
    found = random.random(), np.random.rand(), torch.rand(3)
    assert found[:2] == expected[:2]
    assert torch.equal(found[2], expected[2])
    assert not list(tmp_path.rglob("*.p*"))  # .pt, .pkl, .pickle


@pytest.mark.parametrize(
    ("flags", "vendor", "chosen"),
    [
        ({"avx2", "avx512_bf16"}, "AuthenticAMD", "bf16"),
        ({"avx512_bf16"}, "GenuineIntel", "fp32"),  # has the instruction, and is slower with it
        ({"avx512_bf16", "amx_bf16"}, "GenuineIntel", "bf16"),
        ({"bf16"}, "", "bf16"),
        ({"avx2"}, "AuthenticAMD", "fp32"),
    ],
)
def test_precision_follows_the_processor(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], vendor: str, chosen: str
) -> None:
    monkeypatch.setattr(machine, "_cpu", lambda: (flags, vendor))
    assert machine.choose_precision("auto", torch.device("cpu")) == chosen
    assert machine.choose_precision("fp32", torch.device("cpu")) == "fp32"
