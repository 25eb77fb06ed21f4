"""evaluate and export at the same time, in one process: the bytes that they write one after the other."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "evaluate"))
from toy_exam import WORDS, toy_corpus, toy_graphs, toy_params

from openautoglm.files import fingerprint_dir
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.train import feature_store, features
from tasks.evaluate import evaluate
from tasks.export import export

WRITTEN = ("models/onnx", "models/int8", "reports", ".autoglm/features")


@pytest.fixture(scope="module", params=["tiny", "all-MiniLM-L6-v2"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout after train; the graph has a say, so that evaluate traces too."""
    root = tmp_path_factory.mktemp("trained")
    corpus = toy_corpus((30, 6, 30))
    corpus.save(root / "data/validated")
    toy_graphs(corpus).save(root / "data/graphs", vocabulary={"recipe": {"parser": "fast"}, "npmi": None})
    model, tokenizer = build(request.param, sorted(WORDS), 0, max_tokens=32)
    with torch.no_grad():
        model.fusion.gate.fill_(0.5)
    light = {
        "head_only": request.param != "tiny"
    }  # the tiny one sits beside the baselines and becomes int8 too
    Checkpoint.save(root / "models/checkpoint", model, tokenizer, light)
    return root


def written(root: Path, run: Callable[[Path], Any]) -> dict[str, str]:
    """What ``run`` wrote in a checkout of its own, as a process that has done nothing yet would."""
    features._LAST.clear()
    feature_store._LAST.clear()
    run(root)
    return {name: fingerprint_dir(root / name) for name in WRITTEN}


def test_they_write_what_they_write_one_after_the_other(trained: Path, tmp_path: Path) -> None:
    params = toy_params()

    def in_turn(root: Path) -> None:
        evaluate(params, root)
        export(params, root)

    def at_once(root: Path) -> None:
        start = Barrier(2)
        with ThreadPoolExecutor(2) as pool:
            both = [
                pool.submit(lambda stage: (start.wait(), stage(params, root)), s) for s in (evaluate, export)
            ]
            for stage in both:
                stage.result()

    copies = [Path(shutil.copytree(trained, tmp_path / str(number))) for number in range(3)]
    expected = written(copies[0], in_turn)
    assert [written(copy, at_once) for copy in copies[1:]] == [expected, expected]
