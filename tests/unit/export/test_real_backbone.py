"""The default backbone, once for real: what the toys cannot show is size, time to open, and tensors of 12 million values."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from openautoglm.export.int8 import quantize
from openautoglm.export.onnx import GRAPH
from openautoglm.export.parity import check_parity
from openautoglm.export.session import Session
from openautoglm.model.checkpoint import WEIGHTS
from tests.unit.export.toys import make_checkpoint, make_folder, texts_of


def test_export_of_the_default_backbone(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "checkpoint", "all-MiniLM-L6-v2")
    folder = make_folder(tmp_path / "onnx", checkpoint)
    assert (folder / GRAPH).stat().st_size < 500_000
    start = time.process_time()
    session = Session(folder, threads=1)
    assert time.process_time() - start < 2.0  # 0.4 on a quiet machine
    texts = texts_of(8)
    parity = check_parity(checkpoint.model(), session, texts, session.builder.build(texts), 1e-4)
    assert all(gate["passed"] for gate in parity.gates), parity.gates


@pytest.mark.slow
def test_int8_of_the_default_backbone(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "onnx", make_checkpoint(tmp_path / "checkpoint", "all-MiniLM-L6-v2"))
    small = quantize(folder / GRAPH, tmp_path / "int8" / GRAPH)
    assert small.stat().st_size < 0.55 * (folder / WEIGHTS).stat().st_size
