"""`train.weights`: whatever is published of the master, everybody sees the same bits, from the checkpoint to a node."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "train"))
from toy_training import toy_job

from openautoglm.errors import UserError
from openautoglm.export.int8 import quantize
from openautoglm.export.onnx import GRAPH
from openautoglm.export.parity import check_parity
from openautoglm.export.session import Session
from openautoglm.model.checkpoint import DTYPES, WEIGHTS, Checkpoint, canonical
from openautoglm.params import ContinualParams
from openautoglm.release import apply, diff
from openautoglm.train import state
from openautoglm.train.analytic import learn
from openautoglm.train.run import train
from tests.unit.export.toys import LABELS, build, make_checkpoint, make_folder, texts_of

ONNX_TYPES = {
    "bf16": onnx.TensorProto.BFLOAT16,
    "fp16": onnx.TensorProto.FLOAT16,
    "fp32": onnx.TensorProto.FLOAT,
}
kinds = pytest.mark.parametrize("weights", sorted(DTYPES))


def saved(path: Path, weights: str, seed: int = 0, step: float = 0.0) -> Checkpoint:
    """The toy of these tests, `step` further on."""
    source = make_checkpoint(path.with_name(f"{path.name}.source"), seed=seed)
    model = source.model()
    with torch.no_grad():
        torch.manual_seed(7)
        for parameter in model.parameters():
            parameter += 0.001 * torch.randn_like(parameter)  # no longer numbers of bf16
            parameter += step * torch.randn_like(parameter)
    return Checkpoint.save(path, model, source.tokenizer(), {}, weights)


@kinds
def test_the_checkpoint_is_the_rounded_master(weights: str, tmp_path: Path) -> None:
    job = toy_job(tmp_path, weights=weights)
    train(job, tmp_path / "out", tmp_path / "report.jsonl")
    found = load_file(tmp_path / "out" / WEIGHTS)
    master = state.master(job.state)
    assert {tensor.dtype for tensor in found.values()} == {DTYPES[weights]}
    seen = Checkpoint.load(tmp_path / "out").model().state_dict()
    for name, tensor in found.items():
        assert torch.equal(seen[name], tensor.float())
        if not name.startswith("adapter."):  # the temperature is folded into the head
            assert torch.equal(tensor, canonical(master[name], weights))
    other = next(kind for kind in DTYPES if kind != weights)
    assert toy_job(tmp_path / "b", weights=other).key != job.key


@kinds
def test_an_analytic_head_reads_what_will_be_published(weights: str, tmp_path: Path) -> None:
    params = ContinualParams.model_construct(mode="analytic", features=48)
    job = toy_job(tmp_path, weights=weights)
    facts = learn(job, params, tmp_path / "out", tmp_path / "report.jsonl")
    assert {t.dtype for t in load_file(tmp_path / "out" / WEIGHTS).values()} == {DTYPES[weights]}
    assert facts["valid_accuracy"] > 0.9
    parent = tmp_path / "out"
    again = toy_job(tmp_path / "again", weights=weights, parent_dir=parent)
    learn(again, params, tmp_path / "out2", tmp_path / "report2.jsonl")
    assert (tmp_path / "out2" / WEIGHTS).read_bytes() == (parent / WEIGHTS).read_bytes()


@kinds
def test_onnx_says_what_torch_says(weights: str, tmp_path: Path) -> None:
    checkpoint = saved(tmp_path / "checkpoint", weights)
    folder = make_folder(tmp_path / "onnx", checkpoint)
    graph = onnx.load(folder / GRAPH, load_external_data=False).graph
    assert {tensor.data_type for tensor in graph.initializer} == {ONNX_TYPES[weights]}
    session, texts = Session(folder, 1), texts_of(20)
    parity = check_parity(checkpoint.model(), session, texts, session.builder.build(texts), 1e-4)
    assert [gate["passed"] for gate in parity.gates] == [True, True, True], parity.gates
    (tmp_path / "int8").mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "vocabulary.json"):
        (tmp_path / "int8" / name).write_bytes((folder / name).read_bytes())
    quantize(folder / GRAPH, tmp_path / "int8" / GRAPH)
    corpus = session.encode(texts)
    full = session.logits(corpus)
    assert np.abs(Session(tmp_path / "int8", 1).logits(corpus) - full).max() < 0.1 * np.ptp(full)


@kinds
def test_a_delta_brings_back_every_bit_and_every_answer(weights: str, tmp_path: Path) -> None:
    first, second = (saved(tmp_path / f"v{n}", weights, step=n * 1e-4) for n in (0, 1))
    folders = [make_folder(tmp_path / f"onnx{n}", checkpoint) for n, checkpoint in enumerate((first, second))]
    assert (folders[0] / GRAPH).read_bytes() == (folders[1] / GRAPH).read_bytes(), "one graph, other weights"
    delta = diff(folders[0] / WEIGHTS, folders[1] / WEIGHTS, tmp_path / "delta")
    assert {change.mode for change in delta.changes.values()} == {"delta"}
    texts = texts_of(6)
    before = Session(folders[1], 1)
    expected = before.logits(before.encode(texts))
    apply(folders[0] / WEIGHTS, tmp_path / "delta", tmp_path / "rebuilt")
    assert (tmp_path / "rebuilt").read_bytes() == (folders[1] / WEIGHTS).read_bytes()
    (tmp_path / "rebuilt").replace(folders[0] / WEIGHTS)
    node = Session(folders[0], 1)
    assert np.array_equal(node.logits(node.encode(texts)), expected)


def test_from_one_kind_to_another_is_a_release_too(tmp_path: Path) -> None:
    old, new = saved(tmp_path / "v0", "bf16"), saved(tmp_path / "v1", "fp32")
    diff(old.path / WEIGHTS, new.path / WEIGHTS, tmp_path / "delta")
    apply(old.path / WEIGHTS, tmp_path / "delta", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (new.path / WEIGHTS).read_bytes()


def test_what_fp16_cannot_hold_is_said_before_it_is_written(tmp_path: Path) -> None:
    model, tokenizer = build("tiny", LABELS, 0, max_tokens=16)
    with torch.no_grad():
        model.adapter.linear.bias[0] = 1e5
    with pytest.raises(
        UserError, match=r"train.weights: fp16 holds up to 65504, adapter.linear.bias has 100000"
    ):
        Checkpoint.save(tmp_path / "out", model, tokenizer, {}, "fp16")
    assert not (tmp_path / "out").exists()
    Checkpoint.save(tmp_path / "out", model, tokenizer, {}, "fp32")
