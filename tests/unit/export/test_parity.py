"""Torch and onnxruntime say the same at every size, and the gates say so when they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from openautoglm.export.parity import Case, Parity, batches_to_try, check_parity, int8_gate
from openautoglm.export.session import Session
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.model.encode import collate, collate_arrays
from tests.unit.export.toys import make_checkpoint, make_folder, texts_of


@pytest.mark.parametrize("opset", [17, 20])
def test_all_sizes_agree(checkpoint: Checkpoint, tmp_path: Path, opset: int) -> None:
    session = Session(make_folder(tmp_path / "onnx", checkpoint, opset), 1)
    texts = texts_of(20)
    parity = check_parity(checkpoint.model(), session, texts, session.builder.build(texts), 1e-4)
    assert [gate["passed"] for gate in parity.gates] == [True, True, True], parity.gates
    shapes = {case.name: (case.documents, case.nodes, case.edges) for case in parity.cases}
    assert shapes["one node"] == (1, 1, 0)
    assert shapes["no node"] == (3, 0, 0)
    assert shapes["no edge"][1:] == (6, 0)
    assert max(case.tokens for case in parity.cases) == 64
    assert len({case.documents for case in parity.cases} - {2}) >= 4


def test_text_only_models_export_too(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "checkpoint", text_only=True)
    session = Session(make_folder(tmp_path / "onnx", checkpoint), 1)
    texts = texts_of(6)
    parity = check_parity(checkpoint.model(), session, texts, session.builder.build(texts), 1e-4)
    assert all(gate["passed"] for gate in parity.gates), parity.gates
    assert session.predict(["hello"])[0].phrases == ["hello"]


def test_the_graph_matters_in_the_exported_model(session: Session) -> None:
    texts = texts_of(3)
    inputs = collate_arrays(session.encode(texts), [0, 1, 2])
    other = {**inputs, "edge_type": (inputs["edge_type"] + 1) % 40}
    assert np.abs(session.run(inputs) - session.run(other)).max() > 1e-4


def test_an_answer_does_not_depend_on_its_batch(session: Session) -> None:
    texts = texts_of(6)
    together = session.logits(session.encode(texts))
    alone = np.concatenate([session.logits(session.encode([text])) for text in texts])
    assert np.allclose(together, alone, atol=1e-5)


def test_another_model_fails_parity(checkpoint: Checkpoint, session: Session) -> None:
    model = checkpoint.model()
    with torch.no_grad():
        model.adapter.linear.bias += torch.tensor([50.0, 0, 0, 0, 0])
    texts = texts_of(4)
    gates = {
        g["name"]: g["passed"]
        for g in check_parity(model, session, texts, session.builder.build(texts), 1e-3).gates
    }
    assert gates == {"onnx_finite": True, "onnx_parity": False, "onnx_answers": False}


def test_nan_fails_and_stays_json(checkpoint: Checkpoint, session: Session) -> None:
    model = checkpoint.model()
    with torch.no_grad():
        model.adapter.linear.bias[0] = float("nan")
    parity = check_parity(model, session, texts_of(2), session.builder.build(texts_of(2)), 1e-3)
    finite, share = parity.gates[:2]
    assert not finite["passed"]
    assert not share["passed"]
    assert share["value"] is None
    assert "NaN" in finite["reason"]


def test_a_tie_within_the_tolerance_is_no_other_answer() -> None:
    from openautoglm.export.parity import _compare

    inputs = {name: np.zeros((1, 1)) for name in ("input_ids", "piece_ids", "node_type", "edge_type")}
    torch_says = np.array([[1.0, 1.0 - 1e-7, -1.0]], np.float32)
    onnx_says = np.array([[1.0 - 1e-7, 1.0, -1.0]], np.float32)
    assert _compare("tie", inputs, torch_says, onnx_says, 1e-3).other_answers == 0
    assert _compare("other", inputs, torch_says, -torch_says, 1e-3).other_answers == 1


def test_the_tolerance_scales_with_the_logits() -> None:
    case = Case("c", 1, 1, 1, 1, 0, spread=20.0, difference=0.01, other_answers=0, not_finite=0)
    assert Parity((case,), 1e-3).gates[1]["passed"]
    assert not Parity((case,), 1e-4).gates[1]["passed"]


def test_an_int8_loss_warns() -> None:
    gate = int8_gate(0.90, 0.92, 500, 0.01)
    assert (gate["kind"], gate["passed"], gate["value"]) == ("warning", False, 0.02)
    assert int8_gate(0.915, 0.92, 500, 0.01)["passed"]


def test_arrays_are_what_torch_gets(session: Session) -> None:
    corpus = session.encode(texts_of(5))
    arrays, tensors = collate_arrays(corpus, [4, 1]), collate(corpus, [4, 1])
    assert arrays.keys() == tensors.keys()
    assert all(np.array_equal(arrays[name], tensors[name].numpy()) for name in arrays)
    assert len(batches_to_try(session, texts_of(2), session.builder.build(texts_of(2)))) == 9
