"""A smaller, faster variant: weights in int8, one scale per output channel, activations scaled as they come.

It stands in models/int8 with its own weights inside and is no part of a release: a delta of int8 weights would be
another chain to verify. So its bound is a warning, and a bad int8 model does not hold back the release.
"""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, numpy_helper

from openautoglm.export.attach import redirect, strip
from openautoglm.export.weights import is_external, locate, read_float32
from openautoglm.files import write_atomic


def quantize(source: Path, target: Path) -> Path:
    """``source``: model.onnx with its safetensors beside it; ``target``: the int8 file. Same weights, same bytes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent) as scratch:
        plain, small = Path(scratch, "float.onnx"), Path(scratch, "int8.onnx")
        onnx.save(with_weights(source), plain)
        root = logging.getLogger()
        level = root.level
        root.setLevel(logging.ERROR)  # it advises a pre-processing that gains nothing here
        try:
            quantize_dynamic(plain, small, per_channel=True, weight_type=QuantType.QInt8)
        finally:
            root.setLevel(level)
        model = onnx.load(small)
    strip(model)
    write_atomic(target, model.SerializeToString(deterministic=True))
    return target


def with_weights(path: Path) -> ModelProto:
    """The same graph in fp32 with its weights inside: casts gone, transposes of weights done."""
    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    files = {
        entry.value
        for tensor in graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    places = {file: locate(path.parent / file) for file in files}
    values = {
        tensor.name: read_float32(path.parent / file, places[file][tensor.name])
        for tensor in graph.initializer
        if is_external(tensor)
        for file in [next(entry.value for entry in tensor.external_data if entry.key == "location")]
    }
    inside = [tensor for tensor in graph.initializer if tensor.name not in values]
    nodes = _fold(list(graph.node), values)
    read = {name for node in nodes for name in node.input}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(inside)
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in values.items() if name in read
    )
    return model


def _fold(
    nodes: list[NodeProto], values: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]
) -> list[NodeProto]:
    """Drop Cast, Identity and Transpose nodes of weights; what they gave becomes a weight or the weight's own name."""
    same: dict[str, str] = {}
    narrow: set[str] = set()  # results of a look-up in a table that is now float already
    kept = []
    for node in nodes:
        for old in [name for name in node.input if name in same]:
            redirect(node, old, same[old])
        first = node.input[0] if node.input else ""
        weight, result = values.get(first), node.output[0]
        if (weight is not None and node.op_type in ("Cast", "Identity")) or (
            node.op_type == "Cast" and first in narrow
        ):
            same[result] = first
        elif node.op_type == "Transpose" and weight is not None:
            axes = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
            values[result] = np.ascontiguousarray(weight.transpose(axes))
        else:
            if node.op_type == "Gather" and weight is not None:
                narrow.add(result)
            kept.append(node)
    return kept
