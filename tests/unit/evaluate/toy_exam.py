"""A root folder with a small corpus, its graphs and tiny random checkpoints, as the stages before `evaluate` leave it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from openautoglm.corpus import Corpus, Document
from openautoglm.graph import Edge, GraphBatch, Node, SemanticGraph
from openautoglm.model.autoglm import AutoGLMModel, build
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.params import Params

ROOT = Path(__file__).parents[3]
WORDS = {"fruit": "apple plum pear", "money": "bank card refund", "train": "station track ticket"}
FILLER = ["please", "could", "you", "tell", "me", "about", "the", "of", "and", "now", "today", "again"]


def toy_params(**evaluate: Any) -> Params:
    import yaml

    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw["train"] |= {"backbone": "tiny", "parent": None}
    raw["evaluate"] |= {"min_accuracy": 0.0, "max_ece": 1.0, "bootstrap": 200, **evaluate}
    return Params.parse(raw)


def toy_corpus(per_split: tuple[int, int, int] = (30, 6, 24)) -> Corpus:
    random = np.random.default_rng(5)
    documents = []
    for split, count in zip(("train", "valid", "test"), per_split, strict=True):
        for index in range(count):
            label = list(WORDS)[index % 3]
            words = [*random.choice(FILLER, int(random.integers(1, 8))), random.choice(WORDS[label].split())]
            name = f"{split}-{index}"
            batch = "0001-first" if index % 4 else "0002-second"
            documents.append(Document(name, " ".join(map(str, words)), label, split, batch))
    # the splits lie mixed, so that rows are not positions in the test split
    return Corpus.from_documents([documents[row] for row in random.permutation(len(documents))])


def toy_graphs(corpus: Corpus) -> GraphBatch:
    return GraphBatch.from_graphs([_chain(text) for text in corpus.column("text")], corpus.column("doc_id"))


def toy_checkpoint(
    path: Path, labels: list[str], seed: int = 0, gate: float = 0.0, **settings: Any
) -> Checkpoint:
    """``gate``: how far the graph path is open."""
    model, tokenizer = build("tiny", labels, seed, graph_size=16, max_tokens=16, **settings)
    if not settings.get("text_only"):
        _open(model, gate)
    return Checkpoint.save(path, model, tokenizer, {})


def toy_root(root: Path, labels: list[str] | None = None, gate: float = 0.0) -> Path:
    corpus = toy_corpus()
    corpus.save(root / "data/validated")
    toy_graphs(corpus).save(root / "data/graphs")
    toy_checkpoint(root / "models/checkpoint", labels or sorted(WORDS), gate=gate)
    return root


def _open(model: AutoGLMModel, gate: float) -> None:
    model.fusion.gate.data.fill_(gate)


def _chain(text: str) -> SemanticGraph:
    words, nodes, start = text.split(" "), [], 0
    for word in words:
        nodes.append(Node(start, start + len(word), 0))
        start += len(word) + 1
    return SemanticGraph(tuple(nodes), tuple(Edge(i, i + 1, 0) for i in range(len(nodes) - 1)))
