"""evaluate and export at the same time, in one process: the bytes that they write one after the other."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "evaluate"))
from toy_exam import WORDS, toy_corpus, toy_graphs, toy_params

from openautoglm.files import fingerprint_dir
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import Checkpoint
from tasks.evaluate import evaluate
from tasks.export import export


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout after train, with the real backbone: its matrix products are large enough to be shared by threads."""
    root = tmp_path_factory.mktemp("trained")
    corpus = toy_corpus((30, 6, 40))
    corpus.save(root / "data/validated")
    toy_graphs(corpus).save(root / "data/graphs", vocabulary={"recipe": {"parser": "fast"}, "npmi": None})
    model, tokenizer = build("all-MiniLM-L6-v2", sorted(WORDS), 0, max_tokens=32)
    with torch.no_grad():
        model.fusion.gate.fill_(0.5)
    Checkpoint.save(root / "models/checkpoint", model, tokenizer, {"head_only": True})
    return root


def outputs(root: Path) -> dict[str, str]:
    (root / "reports/latency.json").unlink(missing_ok=True)
    return {name: fingerprint_dir(root / name) for name in ("models/onnx", "reports")}


def test_they_write_what_they_write_one_after_the_other(before: Path, tmp_path: Path) -> None:
    params = toy_params()
    alone = Path(shutil.copytree(before, tmp_path / "alone"))
    evaluate(params, alone)
    export(params, alone)
    for number in range(2):
        together = Path(shutil.copytree(before, tmp_path / str(number)))
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(stage, params, together) for stage in (evaluate, export)]
            for stage in both:
                stage.result()
        assert outputs(together) == outputs(alone)
