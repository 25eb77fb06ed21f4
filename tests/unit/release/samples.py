"""Safetensors files built by hand, so that a test can also build wrong ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from openautoglm.release import Release, ReleaseStore, build, materialise

Tensor = tuple[str, tuple[int, ...], bytes]  # dtype, shape, bytes
WIDTH = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "F8_E8M0": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
}
WIDTH |= {"U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8}


def write(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None, pad: int = 0
) -> Path:
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata is not None else {}
    position = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [position, position + len(data)],
        }
        position += len(data)
    text = json.dumps(header).encode() + b" " * pad
    return write_raw(path, text, b"".join(data for _, _, data in tensors.values()))


def write_raw(path: Path, header: bytes, data: bytes = b"", length: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((len(header) if length is None else length).to_bytes(8, "little") + header + data)
    return path


def bf16(values: np.ndarray) -> bytes:
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def model(seed: int = 0, steps: int = 0, rows: int = 24, words: int = 400) -> dict[str, Tensor]:
    """A small bf16 model: embeddings of which a few rows move, matrices that all move, a head that may grow."""
    random = np.random.default_rng(seed)
    embeddings, dense = random.normal(size=(words, 32)) * 0.05, random.normal(size=(96, 128)) * 0.05
    head, bias = random.normal(size=(64, 32)) * 0.05, random.normal(size=64) * 0.01
    for step in range(steps):
        move = np.random.default_rng(1000 + step)
        embeddings[move.integers(0, words, words // 10)] += move.normal(size=32) * 2e-4
        dense, head = dense + move.normal(size=dense.shape) * 2e-4, head + move.normal(size=head.shape) * 2e-3
        bias = bias + move.normal(size=64) * 1e-3
    return {
        "bert.embeddings.weight": ("BF16", (words, 32), bf16(embeddings)),
        "bert.dense.weight": ("BF16", (96, 128), bf16(dense)),
        "bert.frozen.weight": ("BF16", (32, 32), bf16(np.random.default_rng(7).normal(size=(32, 32)))),
        "head.bias": ("F32", (rows,), bias[:rows].astype("<f4").tobytes()),
        "head.weight": ("BF16", (rows, 32), bf16(head[:rows])),
        "temperature": ("F32", (), np.float32(1.0 + steps).tobytes()),
    }


DENSE_PAYLOAD = "1"  # the payload of bert.dense.weight in a delta between two of the models above


def onnx(root: Path, step: int) -> Path:
    """What the export stage leaves: a graph, weights after ``step`` updates, and small files."""
    folder = root / f"onnx{step}"
    write(folder / "model.safetensors", model(steps=step), {"format": "pt"})
    (folder / "model.onnx").write_bytes(b"graph " * 2000)
    (folder / "config.json").write_text('{"label2id": {"a": 0, "b": 1}}')
    (folder / "canary.json").write_text('{"text": "hello", "label": "a", "probability": 0.5}')
    return folder


def candidate(
    store: ReleaseStore,
    root: Path,
    step: int,
    name: str = "candidate",
    anchor_every: int = 8,
    **facts: object,
) -> Path:
    """Build the candidate of ``onnx(root, step)`` on what is in service."""
    head, base, anchor = store.head(), None, None
    if head:
        base = materialise(store, head, root / "held" / head.id)
        first = store.get(head.weights.chain[0].release)
        anchor = materialise(store, first, root / "held" / first.id) if first != head else None
    out, version = root / name, store.next_version()
    build(
        onnx(root, step),
        head,
        base,
        out,
        version=version,
        anchor_every=anchor_every,
        anchor_dir=anchor,
        **facts,
    )
    return out


def publish_next(store: ReleaseStore, root: Path, step: int, anchor_every: int = 8) -> Release:
    return store.publish(candidate(store, root, step, anchor_every=anchor_every), "stable", "gates passed")
