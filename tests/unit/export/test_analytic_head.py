"""The analytic head under onnxruntime: the same answers as in torch, its directions exact, the same graph every time."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from openautoglm.export.int8 import quantize
from openautoglm.export.onnx import GRAPH, export_onnx
from openautoglm.export.parity import check_parity
from openautoglm.export.session import Session
from openautoglm.export.weights import locate, read_float32
from openautoglm.graph import FastParser, GraphBuilder
from openautoglm.model.adapters import directions
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import WEIGHTS, Checkpoint
from tests.unit.export.toys import LABELS, make_folder, texts_of


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    settings = {"adapter": "analytic", "projection": 200, "projection_seed": 13, "max_tokens": 64}
    model, tokenizer = build("tiny", LABELS, 1, **settings)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        model.fusion.gate.fill_(1.0)
        model.adapter.linear.weight.normal_(std=2.0)
    return Checkpoint.save(tmp_path_factory.mktemp("analytic") / "checkpoint", model, tokenizer, {})


@pytest.fixture(scope="module")
def folder(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("exported") / "onnx", checkpoint)


def test_the_same_numbers_as_torch(checkpoint: Checkpoint, folder: Path) -> None:
    texts = texts_of(12)
    graphs = GraphBuilder(FastParser()).build(texts)
    parity = check_parity(checkpoint.model(), Session(folder, 1), texts, graphs, 1e-3)
    assert all(gate["passed"] for gate in parity.to_json()["gates"])


def test_the_directions_lie_in_the_weights_exactly(folder: Path) -> None:
    place = locate(folder / WEIGHTS)["adapter.projection"]
    assert place.dtype == "BF16"
    assert np.array_equal(read_float32(folder / WEIGHTS, place), directions(32, 200, 13).numpy())
    names = {tensor.name for tensor in onnx.load(folder / GRAPH, load_external_data=False).graph.initializer}
    assert names == set(locate(folder / WEIGHTS))


def test_the_same_graph_every_time(checkpoint: Checkpoint, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / WEIGHTS, tmp_path)
    export_onnx(checkpoint, tmp_path / GRAPH, 17)
    assert (tmp_path / GRAPH).read_bytes() == (folder / GRAPH).read_bytes()


def test_int8(folder: Path, tmp_path: Path) -> None:
    small = Path(shutil.copytree(folder, tmp_path / "int8", ignore=shutil.ignore_patterns(WEIGHTS)))
    quantize(folder / GRAPH, small / GRAPH)
    texts = texts_of(6)
    whole, session = Session(folder, 1), Session(small, 1)
    same = session.logits(session.encode(texts)).argmax(1) == whole.logits(whole.encode(texts)).argmax(1)
    assert same.mean() >= 0.8
