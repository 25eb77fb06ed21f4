"""Small models with a graph gate that is open, and the folders that the export stage makes of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from openautoglm.export.onnx import export_onnx
from openautoglm.export.session import GRAPH
from openautoglm.graph import FastParser, GraphBuilder
from openautoglm.graph.batch import VOCABULARY
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import MODEL_FILES, WEIGHTS, Checkpoint

LABELS = ["card_arrival", "refund", "login", "weather", "transfer"]
_SENTENCES = (
    "My new card still has not arrived and I need it before Monday.",
    "Please refund the payment of $25.50 because the order was cancelled.",
    "I cannot log in from my phone since the update!",
    "What is the weather like in Paris?",
    "The transfer to Germany is pending, but it left my account on 12/05/2024.",
    "hello",
)


def texts_of(count: int) -> list[str]:
    return [_SENTENCES[number % len(_SENTENCES)] for number in range(count)]


def make_checkpoint(path: Path, backbone: str = "tiny", text_only: bool = False, seed: int = 0) -> Checkpoint:
    """A model as it would be after training: every weight moved a little, the graph's gate open."""
    model, tokenizer = build(backbone, LABELS, seed, text_only=text_only, max_tokens=64)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for name, parameter in model.named_parameters():
            if not name.startswith("backbone."):
                parameter += 0.1 * torch.randn_like(parameter)
        if not text_only:
            model.fusion.gate.fill_(1.0)
        model.adapter.linear.weight.mul_(20.0)
    return Checkpoint.save(path, model, tokenizer, {"documents": 0})


def make_folder(path: Path, checkpoint: Checkpoint, opset: int = 17) -> Path:
    """What models/onnx holds, the canary left out."""
    path.mkdir(parents=True)
    for name in (WEIGHTS, *MODEL_FILES):
        shutil.copyfile(checkpoint.path / name, path / name)
    builder = GraphBuilder(FastParser())
    builder.build(["hello"]).save(path / "graphs", vocabulary=builder.vocabulary())
    (path / "graphs" / VOCABULARY).rename(path / VOCABULARY)
    shutil.rmtree(path / "graphs")
    export_onnx(checkpoint, path / GRAPH, opset)
    return path
