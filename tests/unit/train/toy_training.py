"""A toy corpus that the tiny backbone can learn in seconds, and jobs on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from openautoglm.corpus import Corpus, Document
from openautoglm.graph import Edge, GraphBatch, Node, SemanticGraph
from openautoglm.params import ContinualParams, Params, TrainParams
from openautoglm.train import loop, state
from openautoglm.train.job import Job
from openautoglm.train.run import train

WORDS = {"apple": "fruit plum pear", "train": "station track ticket", "money": "bank card refund"}
FILLER = [
    "please",
    "could",
    "you",
    "tell",
    "me",
    "about",
    "the",
    "of",
    "and",
    "with",
    "now",
    "today",
    "again",
]
ROOT = Path(__file__).parents[3]


def toy_params(**changes: Any) -> TrainParams:
    """The project's own params with a tiny backbone and a small run; fp32, so that every machine agrees."""
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    small: dict[str, Any] = {
        "backbone": "tiny",
        "parent": None,
        "graph_size": 16,
        "max_tokens": 16,
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-2,
        "precision": "fp32",
        "checkpoint_every": 3,
        "world_size": 1,
    }
    raw["train"] = {**raw["train"], **small, **changes}
    return Params.parse(raw).train


def toy_graph(text: str) -> SemanticGraph:
    """A node a word, an edge to the next one and to the one after; none for a text that asks for none."""
    if "empty" in text:
        return SemanticGraph(nodes=(), edges=())
    starts = [i for i in range(len(text)) if text[i] != " " and (i == 0 or text[i - 1] == " ")]
    ends = [text.find(" ", s) if " " in text[s:] else len(text) for s in starts]
    nodes = tuple(Node(s, e, i % 3) for i, (s, e) in enumerate(zip(starts, ends, strict=True)))
    edges = tuple(Edge(i, i + hop, hop - 1, 1.0 / hop) for hop in (1, 2) for i in range(len(nodes) - hop))
    return SemanticGraph(nodes=nodes, edges=edges)


def toy_documents(train: int = 48, valid: int = 12, labels: tuple[str, ...] = tuple(WORDS)) -> list[Document]:
    random = np.random.default_rng(7)
    documents = []
    for index in range(train + valid):
        label = labels[index % len(labels)]
        words = [*random.choice(FILLER, random.integers(2, 9)), *random.choice(WORDS[label].split(), 2)]
        split = "train" if index < train else "valid"
        documents.append(Document(f"d{index:03d}", " ".join(random.permutation(words)), label, split, "b1"))
    return documents


def toy_job(folder: Path, documents: list[Document] | None = None, **changes: Any) -> Job:
    documents = documents or toy_documents()
    parent = changes.pop("parent_dir", None)
    Corpus.from_documents(documents).save(folder / "corpus")
    graphs = GraphBatch.from_graphs(
        [toy_graph(d.text or "") for d in documents], [d.doc_id for d in documents]
    )
    graphs.save(folder / "graphs")
    params = toy_params(**changes)
    return Job(params, folder / "corpus", folder / "graphs", folder / "runs", parent).sealed()


def toy_replay(**changes: Any) -> ContinualParams:
    values: dict[str, Any] = {
        "mode": "replay",
        "features": 16,
        "replay_per_class": 3,
        "replay_choice": "reservoir",
    }
    held = {"replay_layers": "all", "penalty": "none", "penalty_weight": 1.0}
    return ContinualParams.model_validate(
        {**values, **held, "max_forgetting": 0.05, "retrain_on_drift": False, **changes}
    )


def parent_of_toys(folder: Path) -> Path:
    """A checkpoint that knows every class but the apples."""
    old = [d for d in toy_documents() if d.label != "apple"]
    train(toy_job(folder, old, epochs=2), folder / "out", folder / "out.jsonl")
    return folder / "out"


def stopped_and_resumed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit ``job``, stopped after each of its training checkpoints."""
    saved, stops = state.save_step, iter([3, 6, 9, 12])

    def save_and_stop(folder: Path, position: state.Position, *rest: Any) -> None:
        saved(folder, position, *rest)
        if position.step == next(stops, None):
            raise KeyboardInterrupt

    monkeypatch.setattr(state, "save_step", save_and_stop)
    steps = job.epochs * -(-48 // job.params.batch_size)
    for _ in range(min(steps // 3, 4)):
        with pytest.raises(KeyboardInterrupt):
            loop.fit(job)
        assert len(state.steps(job.state)) <= state.KEPT
    loop.fit(job)
