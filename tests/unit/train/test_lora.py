"""Adapters: what they leave alone, what they merge to, and that a stopped run goes on to the same bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_training import parent_of_toys, stopped_and_resumed, toy_documents, toy_job, toy_params

from openautoglm.errors import ParamsError
from openautoglm.files import sha256_file
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.train import loop
from openautoglm.train.lora import adapt, merged
from openautoglm.train.optimizer import build_optimizer, trains
from openautoglm.train.run import train

MOVES = ("query.weight", "value.weight")


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return parent_of_toys(tmp_path_factory.mktemp("parent"))


def test_a_checkpoint_has_the_ordinary_names_and_new_queries_and_values_alone(
    tmp_path: Path, parent: Path
) -> None:
    job = replace(toy_job(tmp_path, parent_dir=parent, epochs=4), layers="lora:4").sealed()
    train(job, tmp_path / "out", tmp_path / "out.jsonl")
    before, after = (Checkpoint.load(path).model().state_dict() for path in (parent, tmp_path / "out"))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name][: len(before[name])])}
    backbone = {name for name in changed if name.startswith("backbone.")}
    assert backbone == {n for n in before if n.startswith("backbone.") and n.endswith(MOVES)}
    assert {name.split(".")[0] for name in changed} == {"backbone", "graph_encoder", "fusion", "adapter"}


def test_merged_is_what_the_adapters_say_and_what_peft_merges(tmp_path: Path) -> None:
    model, _ = build("tiny", ["a", "b"], graph_size=16)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ids = torch.arange(100, 124).view(2, 12)
    adapt(model.backbone, 4, seed=1)
    model.eval()
    assert all(torch.equal(tensor, before[name]) for name, tensor in merged(model).items())
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(parameter, std=0.5)
    state = {name.removeprefix("backbone."): t for name, t in merged(model).items() if "backbone." in name}
    plain = build("tiny", ["a", "b"], graph_size=16)[0].backbone.eval()
    untouched = plain(input_ids=ids).last_hidden_state
    plain.load_state_dict(state)
    adapted = model.backbone(input_ids=ids).last_hidden_state
    torch.testing.assert_close(plain(input_ids=ids).last_hidden_state, adapted, atol=1e-5, rtol=1e-5)
    assert (adapted - untouched).abs().max() > 0.1
    for name, module in model.backbone.named_modules():
        if name.endswith(("query", "value")):
            module.merge()
            torch.testing.assert_close(module.base_layer.weight, state[f"{name}.weight"])


def test_the_same_seed_gives_the_same_adapters_and_leaves_the_generator_alone() -> None:
    found = []
    for draws in (0, 3):
        model, _ = build("tiny", ["a", "b"], text_only=True)
        torch.manual_seed(draws)
        before = torch.get_rng_state()
        adapt(model.backbone, 2, seed=5)
        assert torch.equal(torch.get_rng_state(), before)
        found.append({n: p for n, p in model.named_parameters() if ".lora_A." in n})
    assert len(found[0]) == 4
    assert all(torch.equal(tensor, found[1][name]) for name, tensor in found[0].items())


def test_resumes_to_the_same_bit(tmp_path: Path, parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [
        replace(toy_job(tmp_path / name, toy_documents(), parent_dir=parent), layers="lora:2").sealed()
        for name in "ab"
    ]
    loop.fit(jobs[0])
    stopped_and_resumed(jobs[1], monkeypatch)
    files = [job.state / "final/model.safetensors" for job in jobs]
    assert sha256_file(files[0]) == sha256_file(files[1])


def test_a_rank_that_saves_nothing_is_refused() -> None:
    model, _ = build("tiny", ["a", "b"], text_only=True)
    with pytest.raises(ParamsError, match="lora:33 is of a higher rank than the 32"):
        adapt(model.backbone, 33, seed=0)


def test_a_backbone_without_queries_of_its_own_is_refused() -> None:
    with pytest.raises(ParamsError, match="Sequential has none of its own; use all or top:N"):
        adapt(torch.nn.Sequential(torch.nn.Linear(4, 4)), 2, seed=0)


def test_adapters_train_at_the_rate_of_the_new_parts() -> None:
    model, _ = build("tiny", ["a", "b"], text_only=True)
    adapt(model.backbone, 2, seed=5)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trains(name, "lora:2", model))
    groups = build_optimizer(model, toy_params()).param_groups
    assert {group["peak"] for group in groups} == {toy_params().head_learning_rate}
    assert sum(len(group["params"]) for group in groups) == 8 + 2
