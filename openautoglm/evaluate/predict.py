"""Logits of a checkpoint's canonical weights over a corpus: bf16 as stored, fp32 arithmetic, order kept.

logits = predict_logits(Checkpoint.load(path), test, graphs.select(rows))     # [D, C]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

from openautoglm.corpus import Corpus
from openautoglm.errors import UserError
from openautoglm.graph import GraphBatch
from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.model.encode import EncodedCorpus, collate, encode
from openautoglm.train.machine import choose_device

Floats = NDArray[np.float32]
BATCH_SIZE = 32  # measured on a CPU: 150 texts/s, at 128 130
SECONDS_PER_LINE = 15.0


def predict_logits(
    checkpoint: Checkpoint,
    corpus: Corpus,
    graphs: GraphBatch,
    *,
    use_graph: bool = True,
    batch_size: int = BATCH_SIZE,
) -> Floats:
    """Logits [D, C] float32, row d for document d, columns in the order of ``checkpoint.config.labels``.

    The same checkpoint and corpus give the same numbers on the same machine; another ``batch_size`` moves them in
    the last digits only. ``use_graph=False`` is the ablation: the same weights, the graph path switched off.

    Raises:
        UserError: ``graphs`` are not those of ``corpus``, document by document.
    """
    model = checkpoint.model()
    model.use_graph = model.use_graph and use_graph
    return _run(model, _encoded(checkpoint, corpus, graphs), batch_size, with_text=False)[0]


def predict_with_features(
    checkpoint: Checkpoint, corpus: Corpus, graphs: GraphBatch, *, batch_size: int = BATCH_SIZE
) -> tuple[Floats, Floats]:
    """``predict_logits`` [D, C], and the features [D, H] that the task head read, in one pass."""
    logits, _, features = _run(
        checkpoint.model(), _encoded(checkpoint, corpus, graphs), batch_size, with_text=False
    )
    return logits, features


def predict_with_ablation(
    checkpoint: Checkpoint, corpus: Corpus, graphs: GraphBatch, *, batch_size: int = BATCH_SIZE
) -> tuple[Floats, Floats, Floats]:
    """``predict_logits`` with the graph and without it in one pass over the backbone, twice [D, C]; and features [D, H]."""
    return _run(checkpoint.model(), _encoded(checkpoint, corpus, graphs), batch_size, with_text=True)


@torch.inference_mode()
def predict_from_features(checkpoint: Checkpoint, features: Floats) -> Floats:
    """Logits [D, C] of what the adapter makes of features [D, H]."""
    model = checkpoint.model()
    logits: Floats = model.adapter(torch.from_numpy(features)).numpy()
    return logits


def _encoded(checkpoint: Checkpoint, corpus: Corpus, graphs: GraphBatch) -> EncodedCorpus:
    if corpus.column("doc_id") != graphs.doc_ids:
        raise UserError(
            f"graphs and corpus differ: {len(graphs)} graphs for {len(corpus)} documents, or another order; "
            "run the graph stage again"
        )
    texts = [text or "" for text in corpus.column("text")]
    return encode(texts, graphs, checkpoint.tokenizer(), checkpoint.config.max_tokens)


@torch.inference_mode()
def _run(
    model: AutoGLMModel, corpus: EncodedCorpus, batch_size: int, with_text: bool
) -> tuple[Floats, Floats, Floats]:
    """Logits [D, C], those without the graph [D, C] (the same array where none are asked for), features [D, H]."""
    device = choose_device()
    model.to(device)
    logits = np.zeros((len(corpus), len(model.config.labels)), dtype=np.float32)
    text_only = np.zeros_like(logits) if with_text and model.use_graph else logits
    features = np.zeros((len(corpus), model.config.backbone_config["hidden_size"]), dtype=np.float32)
    with _text_features(model) as of_text:
        for rows in batches(corpus.lengths, batch_size):
            inputs = {name: tensor.to(device) for name, tensor in collate(corpus, rows).items()}
            out = model(**inputs)
            logits[rows], features[rows] = out.logits.cpu().numpy(), out.features.cpu().numpy()
            if text_only is not logits:
                text_only[rows] = model.adapter(of_text[-1]).cpu().numpy()
            of_text.clear()
    return logits, text_only, features


@contextmanager
def _text_features(model: AutoGLMModel) -> Iterator[list[Tensor]]:
    """What the fusion layer is given, batch by batch: with the graph off, just that goes to the adapter."""
    seen: list[Tensor] = []
    if not model.use_graph:
        yield seen
        return
    hook = model.fusion.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        hook.remove()


def batches(
    lengths: NDArray[np.int64], batch_size: int, title: str = "predict"
) -> Iterator[NDArray[np.int64]]:
    """Rows by length, so that little is padded; a progress bar on a terminal, a line now and then elsewhere."""
    order = np.argsort(lengths, kind="stable")
    parts = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if sys.stderr.isatty():
        yield from track(parts, title, console=Console(stderr=True), transient=True)
        return
    last = time.monotonic()
    for number, rows in enumerate(parts):
        if time.monotonic() - last > SECONDS_PER_LINE:
            last = time.monotonic()
            print(f"{title}: {number * batch_size:,} of {len(order):,} documents", flush=True)
        yield rows
