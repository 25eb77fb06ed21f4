"""Penalties: how near to the parent they hold a run, and that none, nothing and a stop change no bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from toy_training import parent_of_toys, stopped_and_resumed, toy_documents, toy_job, toy_replay

from openautoglm.files import sha256_file
from openautoglm.model.checkpoint import WEIGHTS, Checkpoint
from openautoglm.train import analytic, loop
from openautoglm.train.job import Hold, Job
from openautoglm.train.penalty import Ewc
from openautoglm.train.replay import learn
from openautoglm.train.step import Run

OLD = tuple(d.doc_id for d in toy_documents() if d.split == "train" and d.label != "apple")


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return parent_of_toys(tmp_path_factory.mktemp("parent"))


@pytest.fixture(scope="module")
def analytic_parent(tmp_path_factory: pytest.TempPathFactory, parent: Path) -> Path:
    folder = tmp_path_factory.mktemp("analytic")
    old = [d for d in toy_documents() if d.label != "apple"]
    analytic.learn(toy_job(folder, old, parent_dir=parent), toy_replay(), folder / "out", folder / "o.jsonl")
    return folder / "out"


def held(folder: Path, parent: Path, penalty: str, weight: float = 1.0, **changes: object) -> Job:
    job = toy_job(folder, toy_documents(), parent_dir=parent, **{"epochs": 4, **changes})
    return replace(job, hold=Hold(penalty, weight, OLD)).sealed()


def begun(job: Job) -> Run:
    from openautoglm.train.group import Group

    return Run.begin(loop.prepare(job), job.params, Group())


def far(job: Job) -> float:
    """How far a finished run went from its parent, as the Fisher information sees it."""
    run = begun(replace(job, hold=Hold("ewc", 1.0, OLD)))
    trained = loop.state.master(job.state)
    trained[run.table] = trained[run.table][torch.from_numpy(run.vocabulary.kept)]
    run.model.load_state_dict(trained)
    assert isinstance(run.penalty, Ewc)
    return run.penalty.distance(run.model).item()


def test_ewc_holds_what_the_old_documents_need(tmp_path: Path, parent: Path) -> None:
    distances = []
    for weight in (0.0, 1e3, 1e6):
        job = held(tmp_path / str(weight), parent, "ewc" if weight else "none", weight)
        loop.fit(job)
        distances.append(far(job))
    # the last weight is far more than what keeps a step small, so AdamW swings about the parent
    assert 0 < max(distances[1:]) < 0.1 * distances[0], distances


def test_the_fisher_information_is_the_mean_square_of_each_documents_gradient(
    tmp_path: Path, parent: Path
) -> None:
    run = begun(held(tmp_path, parent, "ewc"))
    assert isinstance(run.penalty, Ewc)
    teacher = Checkpoint.load(parent).model()
    run.vocabulary.narrow_model(teacher)
    name, squares = "backbone.encoder.layer.0.attention.self.query.weight", []
    for row in np.flatnonzero(np.isin(run.train.doc_ids, OLD)):
        inputs, labels = run._examples(np.array([row]))
        teacher.zero_grad()
        (-torch.log_softmax(teacher(**inputs).logits, -1)[0, labels[0]]).backward()
        squares.append(dict(teacher.named_parameters())[name].grad.square())
    torch.testing.assert_close(run.penalty.fisher[name], torch.stack(squares).mean(0))
    assert len(squares) == len(OLD)
    assert run.penalty.distance(run.model).item() == 0.0, "the run starts at the parent"
    assert run.penalty.fisher["adapter.linear.weight"].shape == (2, 32)


def test_ewc_with_adapters_holds_the_merged_weights(tmp_path: Path, parent: Path) -> None:
    run = begun(replace(held(tmp_path, parent, "ewc"), layers="lora:2"))
    assert isinstance(run.penalty, Ewc)
    backbone = {name for name in run.penalty.fisher if name.startswith("backbone.")}
    assert all(name.endswith(("query.weight", "value.weight")) for name in backbone)
    assert len(backbone) == 4
    before = dict(run.model.named_parameters())
    torch.nn.init.constant_(next(p for n, p in before.items() if ".lora_B." in n), 0.1)
    run.penalty.distance(run.model).backward()
    assert all(p.grad is not None for n, p in before.items() if ".lora_" in n)


@pytest.mark.parametrize("head", ["classify", "analytic"])
def test_lwf_keeps_the_answers_about_the_old_classes(
    tmp_path: Path, parent: Path, analytic_parent: Path, head: str
) -> None:
    start = parent if head == "classify" else analytic_parent
    teacher, changes = Checkpoint.load(start).model(), []
    slow = {"epochs": 12, "patience": 9, "head_learning_rate": 5e-2}
    for weight in (0.0, 30.0):
        job = held(tmp_path / str(weight), start, "lwf" if weight else "none", weight, **slow)
        loop.fit(job)
        run = begun(replace(job, hold=Hold()))
        found = loop.prepare(job)
        found.model.load_state_dict(loop.state.master(job.state))
        inputs = run._inputs(found.valid, np.arange(len(found.valid)))
        with torch.no_grad():
            now = found.model.eval()(**inputs).logits[:, :2].softmax(-1)
            changes.append(float((now - teacher(**inputs).logits.softmax(-1)).abs().mean()))
    assert changes[1] < 0.7 * changes[0], changes


@pytest.mark.parametrize("penalty", ["ewc", "lwf"])
def test_a_weight_of_nothing_is_none(tmp_path: Path, parent: Path, penalty: str) -> None:
    files = []
    for name, changes in {"none": {}, "nothing": {"penalty": penalty, "penalty_weight": 0.0}}.items():
        folder = tmp_path / name
        documents = [replace(d, batch="new" if d.label == "apple" else "old") for d in toy_documents()]
        job = toy_job(folder, documents, parent_dir=parent)
        learn(job, toy_replay(**changes), {"old"}, folder / "out", folder / "out.jsonl")
        files.append(sha256_file(folder / "out" / WEIGHTS))
    assert files[0] == files[1]


@pytest.mark.parametrize("penalty", ["ewc", "lwf"])
def test_resumes_to_the_same_bit(
    tmp_path: Path, parent: Path, monkeypatch: pytest.MonkeyPatch, penalty: str
) -> None:
    whole, job = (held(tmp_path / name, parent, penalty) for name in ("whole", "stopped"))
    loop.fit(whole)
    stopped_and_resumed(job, monkeypatch)
    files = [run.state / "final/model.safetensors" for run in (whole, job)]
    assert sha256_file(files[0]) == sha256_file(files[1])


def test_ewc_on_an_analytic_head_holds_all_but_the_head(tmp_path: Path, analytic_parent: Path) -> None:
    run = begun(held(tmp_path, analytic_parent, "ewc"))
    assert isinstance(run.penalty, Ewc)
    assert {name.split(".")[0] for name in run.penalty.fisher} == {"backbone", "graph_encoder", "fusion"}
    assert float(run.penalty.fisher["fusion.gate"].sum()) > 0


def test_the_job_says_what_holds_it(tmp_path: Path, parent: Path) -> None:
    job, other = held(tmp_path, parent, "ewc"), held(tmp_path, parent, "ewc", 2.0)
    assert job.key != other.key
    job.save(tmp_path / "job.json")
    assert Job.load(tmp_path / "job.json") == job


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"penalty": "l2"}, "'none', 'ewc' or 'lwf'"),
        ({"penalty_weight": -1.0}, "greater than or equal to 0"),
        ({"penalty_weight": float("inf")}, "finite number"),
        ({"penalty": "ewc", "replay_per_class": 0}, "ewc needs old documents"),
        ({"replay_layers": "lora:0"}, "match pattern"),
        ({"replay_layers": "lora"}, "match pattern"),
    ],
)
def test_bad_params(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        toy_replay(**changes)
