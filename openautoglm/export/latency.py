"""How long torch and onnxruntime take for the same batch; medians, taken in turns so that a busy moment hits both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import torch

from openautoglm.export.session import Session
from openautoglm.files import fingerprint
from openautoglm.model.encode import EncodedCorpus, collate_arrays
from openautoglm.train.machine import one_thread

BATCHES = (1, 8, 32)
ROUNDS = 3  # after a run; `make bench` takes more


def latencies(
    model: torch.nn.Module, folders: dict[str, Path], corpus: EncodedCorpus, rounds: int = ROUNDS
) -> list[dict[str, float]]:
    """A row per batch size: {batch, tokens, torch_ms, <name>_ms, <name>_ratio …}; ratio: torch's time over the session's.

    One thread each: on a busy machine two of torch's wait for one another, and the ratio would tell of that alone.
    The batches are documents of ``corpus`` as they come, over and over where there are too few.
    """
    sessions = {name: Session(folder, threads=1) for name, folder in folders.items()}
    rows = []
    with one_thread(), torch.inference_mode():
        for size in BATCHES:
            inputs = collate_arrays(corpus, np.arange(size) % len(corpus))
            tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
            calls: dict[str, Callable[[], object]] = {"torch": partial(model, **tensors)}
            calls |= {name: partial(session.run, inputs) for name, session in sessions.items()}
            seconds = medians(calls, rounds)
            row = {"batch": float(size), "tokens": float(inputs["input_ids"].shape[1])}
            row |= {f"{name}_ms": round(1e3 * spent, 3) for name, spent in seconds.items()}
            row |= {f"{name}_ratio": round(seconds["torch"] / seconds[name], 3) for name in sessions}
            rows.append(row)
    return rows


def medians(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds; one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(spent) for name, spent in times.items()}


def operators(graph: Path) -> str:
    """sha256 of an ONNX graph's operators in their order and of its weights' shapes: what its speed depends on, whatever
    the weights. The number of labels is left out: it grows with every batch of new ones, and costs next to nothing.
    """
    loaded = onnx.load(graph, load_external_data=False).graph
    sizes = {t.name: list(t.dims)[t.name.startswith("adapter.") :] for t in loaded.initializer}
    return fingerprint([[node.op_type for node in loaded.node], sizes])


def as_facts(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Flat: ``torch_ms_b8``, ``onnx_ratio_b32`` …"""
    return {
        f"{name}_b{int(row['batch'])}": value
        for row in rows
        for name, value in row.items()
        if name.endswith(("_ms", "_ratio"))
    }
