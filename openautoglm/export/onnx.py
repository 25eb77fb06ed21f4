"""model.onnx: the graph of AutoGLMModel's forward, with weights that stay in model.safetensors.

    export_onnx(Checkpoint.load(path), folder / "model.onnx", opset=17)

The graph follows from the config and from where the tensors lie, not from their values: a second version of the same
architecture has the same graph, and one weight delta serves torch and ONNX. Arithmetic is fp32: each initializer that
is bf16 or fp16 on disk goes through a Cast, which is exact and which onnxruntime folds when a session opens. A look-up
table is cast after the look-up, so that it stays small in memory (docs/adr/0003-one-weights-file.md).

How the graph comes about is in trace.py.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto

from openautoglm.errors import AutoGLMError
from openautoglm.export.attach import attach, strip
from openautoglm.export.session import GRAPH as GRAPH
from openautoglm.export.trace import Kept, trace
from openautoglm.export.weights import check_finite, locate
from openautoglm.files import write_atomic
from openautoglm.model.checkpoint import WEIGHTS, Checkpoint

_LARGEST_CONSTANT = 1024  # float values; more than that is a weight that got baked in


def export_onnx(checkpoint: Checkpoint, path: Path, opset: int, kept: Kept | None = None) -> Path:
    """Write the graph to ``path``; model.safetensors must already stand beside it.

    The same config and the same safetensors header give the same bytes, with or without ``kept`` traces.

    Raises:
        AutoGLMError: a weight is NaN or infinite, has another shape than the model's, or the graph does not check.
    """
    weights = path.parent / WEIGHTS
    places = locate(weights)
    check_finite(weights, places)
    graph, parameters = trace(checkpoint.config, opset, kept)
    attach(graph, parameters, places, WEIGHTS)
    strip(graph)
    write_atomic(path, graph.SerializeToString(deterministic=True))
    check(path)
    return path


def check(path: Path) -> None:
    """ONNX's own checker with strict shape inference, and that no weight is baked in.

    Raises:
        AutoGLMError: with the first line of what it says.
    """
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as error:  # the checker and the inference raise unrelated classes
        raise AutoGLMError(f"{path}: the ONNX checker refuses it: {str(error).splitlines()[0]}") from None
    for node in onnx.load(path, load_external_data=False).graph.node:
        for attribute in node.attribute:
            tensor = attribute.t
            size = len(tensor.raw_data) // 4 + len(tensor.float_data)
            if tensor.data_type == TensorProto.FLOAT and size > _LARGEST_CONSTANT:
                raise AutoGLMError(f"{path}: {node.name} holds {size} float values that are not in {WEIGHTS}")
