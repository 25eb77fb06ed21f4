"""From a job's paths to what the loop needs: a model, its tokenizer, and two encoded splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openautoglm.corpus.document import Corpus
from openautoglm.errors import ParamsError, UserError
from openautoglm.graph import GraphBatch
from openautoglm.model.autoglm import AutoGLMModel, build
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.model.encode import EncodedCorpus, encode
from openautoglm.params import TrainParams
from openautoglm.train.job import Hold, Job

SAME_IN_PARENT = ("graph_layers", "graph_size", "node_types", "edge_types")
SAME_IN_BACKBONE = ("model_type", "hidden_size", "num_hidden_layers", "vocab_size")


@dataclass(frozen=True)
class Split:
    """D encoded documents with their labels [D], numbers in the model's label set."""

    corpus: EncodedCorpus
    labels: Tensor
    doc_ids: list[str]

    def __len__(self) -> int:
        return len(self.doc_ids)


@dataclass(frozen=True)
class Prepared:
    model: AutoGLMModel
    tokenizer: Any
    train: Split
    valid: Split
    facts: dict[str, Any]  # about the data; deterministic
    layers: str  # all, top:N or lora:R: what of the backbone trains
    parent: Checkpoint | None
    hold: Hold


def prepare(job: Job) -> Prepared:
    """Load, encode and build. The same job gives the same weights before the first step.

    Raises:
        UserError: graphs that are not this corpus's, no training documents.
        ParamsError: params that contradict the parent or the backbone.
    """
    corpus, graphs = load_documents(job)
    parent = Checkpoint.load(job.parent) if job.parent else None
    labels = grown_labels(parent.config.labels if parent else [], corpus.labels)
    if len(labels) < 2:
        raise UserError(f"{job.corpus}: the train split needs at least 2 labels, found {len(labels)}")
    model, tokenizer = build_model(job.params, labels, parent)
    splits = [
        _split(corpus, graphs, name, labels, tokenizer, job.params.max_tokens) for name in ("train", "valid")
    ]
    facts = {
        "corpus": corpus.fingerprint,
        "graphs": graphs.fingerprint,
        "documents": len(splits[0]),
        "valid_documents": len(splits[1]),
        "batches": sorted(set(corpus.column("batch"))),
        "labels": len(labels),
        "new_labels": sorted(set(labels) - set(parent.config.labels)) if parent else [],
        "parent": job.params.parent,
    }
    return Prepared(model, tokenizer, splits[0], splits[1], facts, job.layers, parent, job.hold)


def load_documents(job: Job) -> tuple[Corpus, GraphBatch]:
    """The job's corpus and its graphs, row by row the same documents.

    Raises:
        UserError: the graphs are those of other documents.
    """
    corpus, graphs = Corpus.load(job.corpus), GraphBatch.load(job.graphs)
    if corpus.column("doc_id") != graphs.doc_ids:
        raise UserError(
            f"{job.graphs}: {len(graphs)} graphs that are not those of the {len(corpus)} documents in {job.corpus}; run the graph stage again"
        )
    return corpus, graphs


def grown_labels(parent: Sequence[str], found: Sequence[str]) -> list[str]:
    """The parent's labels in the parent's order, none dropped, then the new ones sorted."""
    return [*parent, *sorted(set(found) - set(parent))]


def build_model(
    params: TrainParams, labels: list[str], parent: Checkpoint | None
) -> tuple[AutoGLMModel, Any]:
    """A model on the pretrained backbone, or with all that the parent knows."""
    model, tokenizer = build(
        params.backbone,
        labels,
        params.seed,
        graph_layers=params.graph_layers,
        graph_size=params.graph_size,
        max_tokens=params.max_tokens,
        text_only=params.text_only,
    )
    room = model.config.backbone_config.get("max_position_embeddings", params.max_tokens)
    if params.max_tokens > room:
        raise ParamsError(
            f"train.max_tokens: {params.max_tokens} word pieces, but {params.backbone} reads at most {room}; lower it"
        )
    if parent is not None:
        _check_parent(model, parent, params.parent or str(parent.path))
        model.grow_from(parent.model())
    return model, tokenizer


def _check_parent(model: AutoGLMModel, parent: Checkpoint, name: str) -> None:
    ours, theirs = model.config, parent.config
    pairs = [(key, getattr(ours, key), getattr(theirs, key)) for key in SAME_IN_PARENT]
    if ours.text_only or theirs.text_only:
        pairs = []  # no graph path to take over
    pairs += [
        (f"backbone {k}", ours.backbone_config.get(k), theirs.backbone_config.get(k))
        for k in SAME_IN_BACKBONE
    ]
    for key, our, their in pairs:
        if our != their:
            raise ParamsError(
                f"train.parent: {name} has {key} {their}, params give {our}; make them equal or set train.parent to null"
            )


def _split(
    corpus: Corpus, graphs: GraphBatch, name: str, labels: list[str], tokenizer: Any, max_tokens: int
) -> Split:
    number = {label: index for index, label in enumerate(labels)}
    splits, texts, names = (corpus.column(column) for column in ("split", "text", "label"))
    # a valid document whose label the train split never shows cannot be learned from and says nothing about when to stop
    rows = np.array([i for i, s in enumerate(splits) if s == name and names[i] in number], dtype=np.int64)
    if name == "train" and not len(rows):
        raise UserError(
            "the corpus has no labelled document in its train split; look at reports/validation.json"
        )
    chosen = graphs.select(rows)
    encoded = encode([texts[row] for row in rows], chosen, tokenizer, max_tokens)
    return Split(
        encoded, torch.tensor([number[names[row]] for row in rows], dtype=torch.int64), chosen.doc_ids
    )
