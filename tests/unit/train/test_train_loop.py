"""The loop: what it learns, what it writes, and that the same job gives the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_training import stopped_and_resumed, toy_documents, toy_job

from openautoglm.errors import ParamsError, TrainingFailed, UserError
from openautoglm.files import fingerprint_dir, load_json, sha256_file
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.train import loop, state
from openautoglm.train.machine import sums_in_order
from openautoglm.train.run import train
from openautoglm.train.sampler import Ints
from openautoglm.train.step import Run

# of the toy job below, on one thread in fp32; a change that means to alter the arithmetic writes new ones
GOLDEN = [1.0916, 1.0297, 0.9525]


def test_golden_loss(tmp_path: Path) -> None:
    result = train(toy_job(tmp_path, epochs=3), tmp_path / "out", tmp_path / "training.jsonl")
    assert [row["train_loss"] for row in result["history"]] == pytest.approx(GOLDEN, abs=0.005)
    assert result["history"][-1]["valid_accuracy"] > 0.6


def test_outputs(tmp_path: Path) -> None:
    job = toy_job(tmp_path)
    result = train(job, tmp_path / "out", tmp_path / "training.jsonl")
    checkpoint = Checkpoint.load(tmp_path / "out")
    assert checkpoint.config.labels == ["apple", "money", "train"]
    assert checkpoint.training["history"] == result["history"]
    assert "samples_per_second" not in checkpoint.training
    rows = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert set(rows[0]) == {"epoch", "step", "train_loss", "valid_loss", "valid_accuracy"}
    assert {path.name for path in job.state.iterdir()} == {"final", "metrics.jsonl"}
    master = state.master(job.state)
    assert {tensor.dtype for tensor in master.values()} == {torch.float32}
    model = checkpoint.model()
    assert all(torch.equal(model.state_dict()[k], v.bfloat16().float()) for k, v in master.items())


def test_same_job_same_bytes_and_no_second_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = toy_documents()
    first = toy_job(tmp_path / "a", documents)
    second = toy_job(tmp_path / "b", documents)
    assert first.key == second.key
    train(first, tmp_path / "a/out", tmp_path / "a/training.jsonl")
    train(second, tmp_path / "b/out", tmp_path / "b/training.jsonl")
    assert fingerprint_dir(tmp_path / "a/out") == fingerprint_dir(tmp_path / "b/out")
    monkeypatch.setattr("openautoglm.train.run.fit", lambda job: pytest.fail("trained again"))
    train(first, tmp_path / "again", tmp_path / "again.jsonl")
    assert fingerprint_dir(tmp_path / "again") == fingerprint_dir(tmp_path / "a/out")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "a/training.jsonl").read_bytes()


def test_gradients_of_what_is_indexed_are_summed_in_one_order() -> None:
    random = torch.Generator().manual_seed(0)
    index = torch.randint(8, (100_000,), generator=random)
    weight = torch.randn(len(index), 4, generator=random)

    def gradient() -> bytes:
        table = torch.zeros(8, 4, requires_grad=True)
        (table[index] * weight).sum().backward()
        assert table.grad is not None
        return bytes(table.grad.numpy().tobytes())

    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with sums_in_order():
            assert len({gradient() for _ in range(20)}) == 1
    finally:
        torch.set_num_threads(threads)


def test_training_sums_in_order_and_leaves_torch_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, update = set[bool](), Run.update

    def spied(run: Run, rows: Ints, step: int) -> float:
        seen.add(torch.are_deterministic_algorithms_enabled())
        return update(run, rows, step)

    monkeypatch.setattr(Run, "update", spied)
    train(toy_job(tmp_path), tmp_path / "out", tmp_path / "training.jsonl")
    assert seen == {True}
    assert not torch.are_deterministic_algorithms_enabled()


def test_another_param_is_another_key(tmp_path: Path) -> None:
    assert toy_job(tmp_path).key != toy_job(tmp_path, seed=14).key


def test_word_pieces_that_do_not_occur_stay_as_they_were(tmp_path: Path) -> None:
    """Training on the narrowed table gives what AdamW on the full one gives."""
    job = toy_job(tmp_path)
    loop.fit(job)
    trained = state.master(job.state)["backbone.embeddings.word_embeddings.weight"]
    before = loop.prepare(job).model.word_embeddings.weight.detach()
    assert trained.shape == before.shape
    moved = (trained != before).any(dim=1)
    assert 10 < int(moved.sum()) < 100


def test_narrow_equals_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = toy_job(tmp_path, epochs=1)
    loop.fit(job)
    narrow = state.master(job.state)
    full = replace(job, runs=tmp_path / "full")
    monkeypatch.setattr(
        "openautoglm.train.vocabulary.np.unique", lambda ids: __import__("numpy").arange(30522)
    )
    loop.fit(full)
    for name, tensor in state.master(full.state).items():
        assert torch.equal(tensor, narrow[name]), name


def test_text_only(tmp_path: Path) -> None:
    train(toy_job(tmp_path, text_only=True), tmp_path / "out", tmp_path / "training.jsonl")
    names = Checkpoint.load(tmp_path / "out").model().state_dict()
    assert not any(name.startswith(("graph_encoder", "fusion")) for name in names)


def test_early_stopping_keeps_the_best(tmp_path: Path) -> None:
    job = toy_job(tmp_path, epochs=12, patience=1, learning_rate=5e-2, head_learning_rate=5e-2)
    result = train(job, tmp_path / "out", tmp_path / "training.jsonl")
    losses = [row["valid_loss"] for row in result["history"]]
    assert len(losses) < 12
    assert losses.index(min(losses)) + 1 == result["best_epoch"] == len(losses) - 1


def test_no_valid_split(tmp_path: Path) -> None:
    result = train(toy_job(tmp_path, toy_documents(valid=0)), tmp_path / "out", tmp_path / "training.jsonl")
    assert result["best_epoch"] == 2
    assert result["valid_accuracy"] is None


def test_grows_from_a_parent(tmp_path: Path) -> None:
    two = [d for d in toy_documents() if d.label != "apple"]
    train(toy_job(tmp_path / "v1", two), tmp_path / "v1/out", tmp_path / "v1/training.jsonl")
    job = toy_job(tmp_path / "v2", parent_dir=tmp_path / "v1/out", epochs=4)
    result = train(job, tmp_path / "v2/out", tmp_path / "v2/training.jsonl")
    assert Checkpoint.load(tmp_path / "v2/out").config.labels == ["money", "train", "apple"]
    assert result["new_labels"] == ["apple"]
    assert len(result["history"]) == 2  # half of the epochs


def test_parent_of_another_shape_is_refused(tmp_path: Path) -> None:
    train(toy_job(tmp_path / "v1"), tmp_path / "v1/out", tmp_path / "v1/training.jsonl")
    job = toy_job(tmp_path / "v2", parent_dir=tmp_path / "v1/out", graph_size=32)
    with pytest.raises(ParamsError, match="graph_size 16, params give 32"):
        train(job, tmp_path / "v2/out", tmp_path / "v2/training.jsonl")


def test_loss_not_finite_names_step_and_documents(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="not finite at step") as caught:
        loop.fit(toy_job(tmp_path, learning_rate=1e30, head_learning_rate=1e30, epochs=3))
    assert caught.value.facts["step"] >= 2
    assert set(caught.value.facts["doc_ids"]) <= {d.doc_id for d in toy_documents()}


def test_graphs_of_other_documents_are_refused(tmp_path: Path) -> None:
    job = toy_job(tmp_path)
    toy_job(tmp_path / "other", toy_documents(train=24))
    with pytest.raises(UserError, match="not those of the"):
        loop.fit(replace(job, graphs=tmp_path / "other/graphs"))


def test_resumes_to_the_same_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped at every kind of place: inside an epoch, at its end, between checkpoint and best."""
    documents = toy_documents()
    whole = toy_job(tmp_path / "whole", documents)
    loop.fit(whole)
    job = toy_job(tmp_path / "stopped", documents)
    stopped_and_resumed(job, monkeypatch)
    files = [run.state / "final/model.safetensors" for run in (whole, job)]
    assert sha256_file(files[0]) == sha256_file(files[1])
    results = [load_json(run.state / "final/result.json") for run in (whole, job)]
    assert results[0]["history"] == results[1]["history"]
