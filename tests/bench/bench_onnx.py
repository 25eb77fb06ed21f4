"""onnxruntime against torch on the default backbone, the same batches in turns, one thread each: medians and ratios.

python -m tests.bench.bench_onnx [BACKBONE]
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.unit.export.toys import make_checkpoint, make_folder, texts_of

BACKBONE = "all-MiniLM-L6-v2"
DOCUMENTS = 64


def run(backbone: str = BACKBONE) -> dict[str, float]:
    """``onnx_ratio_b8`` is torch's median time over onnxruntime's for eight documents; ``open_seconds`` a session's start."""
    from openautoglm.export.int8 import quantize
    from openautoglm.export.latency import as_facts, latencies
    from openautoglm.export.session import Session

    with TemporaryDirectory() as scratch:
        checkpoint = make_checkpoint(Path(scratch, "checkpoint"), backbone)
        folder = make_folder(Path(scratch, "onnx"), checkpoint)
        start = time.perf_counter()
        session = Session(folder)
        opened = time.perf_counter() - start
        small = Path(scratch, "int8")
        shutil.copytree(folder, small, ignore=shutil.ignore_patterns("model.*"))
        quantize(folder / "model.onnx", small / "model.onnx")
        folders = {"onnx": folder, "int8": small}
        rows = latencies(checkpoint.model(), folders, session.encode(texts_of(DOCUMENTS)))
        return {"open_seconds": round(opened, 3), **as_facts(rows)}


if __name__ == "__main__":
    for name, value in run(*sys.argv[1:]).items():
        print(f"{name:<16} {value:9.3f}")
