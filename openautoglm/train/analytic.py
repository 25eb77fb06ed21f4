"""Learning on without training: the parent's features stay, a new head is solved from exact sums over all documents.

    result = learn(job, params.continual, root / "models/checkpoint", root / "reports/training.jsonl")

Only documents that were never seen cost anything; the sums over the others are kept in ``.autoglm/features``. The
weights are a function of the parent's features and the set of documents: in whatever batches and order they arrived,
and whatever was there once and was taken away, the bytes are the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openautoglm.corpus.document import Corpus
from openautoglm.errors import UserError
from openautoglm.files import write_atomic
from openautoglm.graph import GraphBatch
from openautoglm.model.adapters import Analytic, directions
from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.checkpoint import Checkpoint, Unset, canonical
from openautoglm.model.config import AutoGLMConfig, with_labels
from openautoglm.model.scope import softmax
from openautoglm.params import ContinualParams
from openautoglm.train import machine
from openautoglm.train.calibrate import FEWEST, fit_temperature
from openautoglm.train.feature_store import FeatureStore
from openautoglm.train.features import Extractor
from openautoglm.train.job import Job
from openautoglm.train.lift import LIFTED, Whole, lift, quantise
from openautoglm.train.machine import one_thread
from openautoglm.train.memory import Memory
from openautoglm.train.prepare import build_model, check_features, load_documents

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TUNED = ("steps", "best_epoch", "valid_loss", "valid_accuracy", "temperature", "precision", "history")
SHARPNESS = 12.0  # where there is too little to fit it on: about what BANKING77 comes to


@dataclass(frozen=True, eq=False)
class Lifter:
    """Content keys → the features that the head reads; KeyError for a document that the store does not have."""

    store: FeatureStore
    signs: NDArray[np.float32]
    seed: int

    @classmethod
    def of(cls, store: FeatureStore, config: AutoGLMConfig, width: int, seed: int) -> Lifter:
        """Directions of the analytic head in ``config`` where that has one of this width, else from ``seed``."""
        seed = config.projection_seed if config.projection == width else seed
        return cls(store, directions(config.backbone_config["hidden_size"], width, seed).numpy(), seed)

    def __call__(self, keys: Sequence[str]) -> Whole:
        return lift(quantise(self.store.take(keys)[:, 0]), self.signs)

    @property
    def width(self) -> int:
        return int(self.signs.shape[1]) + 1

    @property
    def memory(self) -> Path:
        return self.store.folder / f"memory-{self.width - 1}-{self.seed}.safetensors"


def learn(
    job: Job,
    continual: ContinualParams,
    checkpoint: Path,
    report: Path,
    head_only: bool = True,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write ``checkpoint`` with an analytic head over all train documents, and ``report``; returns the facts.

    ``head_only``: a release with the same body stands already, so that the light exam is enough. ``more``: facts that
    the job itself does not know; they go into training.json.

    Raises:
        UserError: graphs of other documents, fewer than two labels.
        ParamsError: params that contradict the parent or the backbone.
    """
    machine.use_all_cores()
    corpus, graphs = load_documents(job)
    if len(corpus.labels) < 2:
        raise UserError(f"{job.corpus}: the train split needs at least 2 labels, found {len(corpus.labels)}")
    parent = Checkpoint.load(job.parent) if job.parent else None
    extractor = extractor_of(job, parent, list(corpus.labels))
    store = FeatureStore.of(job.runs.parent / "features", extractor)
    config = parent.config if parent else extractor.model.config
    lifter = Lifter.of(store, config, continual.features, job.params.seed)
    train, valid, computed = _examples(corpus, graphs, extractor, store)
    before = Memory.load(lifter.memory, lifter.width)
    memory = before.moved_to(Counter(train), lifter)
    weights, strength = memory.statistics.solve()
    with one_thread(), nullcontext() if memory is before else saved_meanwhile(memory, lifter.memory):
        sharpness = fit_sharpness(*_exam(lifter, valid, weights, memory.statistics.labels))
        model = with_head(extractor.model, config, lifter, memory.statistics.labels, sharpness * weights)
        loss, accuracy = _score(
            *_exam(lifter, valid, _published(model, job.params.weights), model.config.labels)
        )
    epoch = {"epoch": 1, "step": 1, "train_loss": None, "valid_loss": loss, "valid_accuracy": accuracy}
    facts = {
        "mode": "analytic",
        "head_only": head_only,
        "corpus": corpus.fingerprint,
        "graphs": graphs.fingerprint,
        "documents": len(train),
        "valid_documents": len(valid),
        "batches": sorted(set(corpus.column("batch"))),
        "labels": len(model.config.labels),
        "parent": job.params.parent,
        "backbone": job.params.backbone,
        "text_only": model.config.text_only,
        "features": continual.features,
        "strength": strength,
        "sharpness": sharpness,
        "steps": 0,
        "best_epoch": 1,
        "valid_loss": loss,
        "valid_accuracy": accuracy,
        "history": [epoch],
        **(more or {}),
    }
    Checkpoint.save(checkpoint, model, extractor.tokenizer, facts, job.params.weights)
    write_atomic(report, (json.dumps(epoch, sort_keys=True) + "\n").encode())
    return {**facts, "computed": computed}


def refit(job: Job, continual: ContinualParams, checkpoint: Path, tuned: dict[str, Any]) -> dict[str, Any]:
    """An analytic head on what was just fine-tuned in ``checkpoint``, written in its place; ``tuned`` are its facts.

    After it the next batch costs a solve again, and its delta is the head alone. How the features came about stands in
    training.json under ``tuned``.
    """
    more = {"tuned": {name: tuned[name] for name in TUNED if name in tuned}}
    with TemporaryDirectory(dir=checkpoint.parent, prefix=".tuned.") as beside:
        features = Path(beside) / "checkpoint"
        checkpoint.rename(features)
        report = Path(beside) / "report.jsonl"
        learn(replace(job, parent=features), continual, checkpoint, report, head_only=False, more=more)
    return tuned


def extractor_of(job: Job, parent: Checkpoint | None, labels: list[str]) -> Extractor:
    """The parent's features; without a parent those of the pretrained backbone.

    Raises:
        ParamsError: the params speak of other features than the parent's.
    """
    if parent:
        check_features(job.params, parent)
        return Extractor.of_checkpoint(parent, job.params.weights, job.params.precision)
    return Extractor.of(*build_model(job.params, labels, None), job.params.weights, job.params.precision)


@contextmanager
def saved_meanwhile(memory: Memory, path: Path) -> Iterator[None]:
    """Leave ``memory`` on disk for the next time, while the block runs."""
    with ThreadPoolExecutor(1) as pool:
        saved = pool.submit(memory.save, path)
        yield
    saved.result()


def with_head(
    model: AutoGLMModel, config: AutoGLMConfig, lifter: Lifter, labels: list[str], weights: Floats
) -> AutoGLMModel:
    """``model``'s body with an analytic head: ``weights`` [M + 1, C] on lifted features, the bias in the last row."""
    changes = head_settings(lifter.width - 1, lifter.seed, labels)
    config = AutoGLMConfig.from_dict({**config.to_dict(), **changes})
    with Unset():
        found = AutoGLMModel(config, model.backbone)
    for part in ("graph_encoder", "fusion"):
        if hasattr(model, part):
            setattr(found, part, getattr(model, part))
    head = Analytic(config.backbone_config["hidden_size"], config)
    scaled = torch.from_numpy(
        np.ascontiguousarray(weights.T * LIFTED)
    ).float()  # serving's features are not in 1/1024
    with torch.no_grad():
        head.linear.weight.copy_(scaled[:, :-1])
        head.linear.bias.copy_(scaled[:, -1])
    found.adapter = head
    found.eval()
    return found


def head_settings(width: int, seed: int, labels: list[str]) -> dict[str, Any]:
    """What a config says of an analytic head on ``width`` random features."""
    return {
        "adapter": "analytic",
        "projection": width,
        "projection_seed": seed,
        **with_labels(labels),
    }


def fit_sharpness(scores: Floats, actual: Ints) -> float:
    """The factor that makes logits of the ridge's scores [D, C], which lie about 0 and 1; by the valid split, [D]."""
    if len(actual) < FEWEST:
        return SHARPNESS
    return SHARPNESS / fit_temperature(torch.from_numpy(SHARPNESS * scores), torch.from_numpy(actual))


def _examples(
    corpus: Corpus, graphs: GraphBatch, extractor: Extractor, store: FeatureStore
) -> tuple[list[tuple[str, str]], list[tuple[str, str]], int]:
    """Sorted (content key, label) of the train and of the valid split, and how many documents were new to the store.

    The features of the test split are made here too, as the exam reads them next: together they fill the batches.
    """
    texts = [text or "" for text in corpus.column("text")]
    keys = extractor.keys(texts, graphs)
    computed = store.fill(extractor, keys, texts, graphs)
    known = set(corpus.labels)
    found = sorted(
        (split, key, label)
        for split, key, label in zip(corpus.column("split"), keys, corpus.column("label"), strict=True)
        if label in known
    )
    of_split = {
        name: [(key, label) for split, key, label in found if split == name] for name in ("train", "valid")
    }
    return of_split["train"], of_split["valid"], computed


def _exam(
    lifter: Lifter, examples: list[tuple[str, str]], weights: Floats, labels: list[str]
) -> tuple[Floats, Ints]:
    """Scores [D, C] and the right classes [D]."""
    if not examples:
        return np.zeros((0, len(labels))), np.zeros(0, np.int64)
    number = {label: index for index, label in enumerate(labels)}
    scores = lifter([key for key, _ in examples]).astype(np.float64) @ weights
    return scores, np.array([number[label] for _, label in examples], np.int64)


def _published(model: AutoGLMModel, weights: str) -> Floats:
    """The head's weights [M + 1, C] for lifted features, as they will be on disk."""
    assert isinstance(model.adapter, Analytic)
    linear = model.adapter.linear
    whole: Tensor = torch.cat([linear.weight, linear.bias[:, None]], dim=1)
    return np.ascontiguousarray(canonical(whole, weights).double().numpy().T / LIFTED)


def _score(logits: Floats, actual: Ints) -> tuple[float | None, float | None]:
    """Mean loss and accuracy, six digits; nothing of nothing."""
    if not len(actual):
        return None, None
    likelihood = softmax(logits)[np.arange(len(actual)), actual]
    loss = -np.log(np.maximum(likelihood, 1e-300)).mean()
    return round(float(loss), 6), round(float((logits.argmax(axis=1) == actual).mean()), 6)
