"""model.onnx: the graph of AutoGLMModel's forward, with weights that stay in model.safetensors.

    export_onnx(Checkpoint.load(path), folder / "model.onnx", opset=17)

The graph follows from the config and from where the tensors lie, not from their values: a second version of the same
architecture has the same graph, and one weight delta serves torch and ONNX. Arithmetic is fp32: each initializer that
is bf16 or fp16 on disk goes through a Cast, which is exact and which onnxruntime folds when a session opens. A look-up
table is cast after the look-up, so that it stays small in memory (docs/adr/0003-one-weights-file.md).

The TorchScript-based exporter, because its graphs are the fastest under onnxruntime and survive a batch without edges.
"""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

import onnx
import torch
from onnx import ModelProto, TensorProto, ValueInfoProto
from torch import Tensor, nn

from openautoglm.errors import AutoGLMError
from openautoglm.export.attach import attach, redirect, strip
from openautoglm.export.session import GRAPH as GRAPH
from openautoglm.export.weights import check_finite, locate
from openautoglm.files import write_atomic
from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.checkpoint import WEIGHTS, Checkpoint
from openautoglm.model.config import AutoGLMConfig
from openautoglm.model.encode import INPUT_NAMES

OUTPUT = "logits"
_DYNAMIC = {
    "input_ids": {0: "documents", 1: "tokens"},
    "attention_mask": {0: "documents", 1: "tokens"},
    "piece_ids": {0: "pieces"},
    "piece_node": {0: "pieces"},
    "piece_pos": {0: "pieces"},
    "node_type": {0: "nodes"},
    "batch": {0: "nodes"},
    "edge_index": {1: "edges"},
    "edge_type": {0: "edges"},
    "edge_weight": {0: "edges"},
    OUTPUT: {0: "documents"},
}
_LARGEST_CONSTANT = 1024  # float values; more than that is a weight that got baked in


def export_onnx(checkpoint: Checkpoint, path: Path, opset: int) -> Path:
    """Write the graph to ``path``; model.safetensors must already stand beside it.

    The same config and the same safetensors header give the same bytes.

    Raises:
        AutoGLMError: a weight is NaN or infinite, has another shape than the model's, or the graph does not check.
    """
    weights = path.parent / WEIGHTS
    places = locate(weights)
    check_finite(weights, places)
    graph, parameters = trace(checkpoint.config, opset)
    attach(graph, parameters, places, WEIGHTS)
    strip(graph)
    write_atomic(path, graph.SerializeToString(deterministic=True))
    check(path)
    return path


def trace(config: AutoGLMConfig, opset: int) -> tuple[ModelProto, list[ValueInfoProto]]:
    """The exporter's graph without any weight, and the parameters it reads, by their names in the state dict."""
    inputs = example_inputs(config)
    buffer = BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about the exporter's age and about masks; parity looks at both
        torch.onnx.export(
            _Logits(_untrained(config)),
            tuple(inputs[name] for name in INPUT_NAMES),
            buffer,  # type: ignore[arg-type]
            input_names=list(INPUT_NAMES),
            output_names=[OUTPUT],
            dynamic_axes=_DYNAMIC,
            opset_version=opset,
            export_params=False,  # they come as inputs of the graph instead, and leave their values behind
            do_constant_folding=False,  # would put transposed weights in the place of the weights
            dynamo=False,
        )
    model = onnx.load_model_from_string(buffer.getvalue())
    parameters = [value for value in model.graph.input if value.name not in INPUT_NAMES]
    given = [value for value in model.graph.input if value.name in INPUT_NAMES]
    del model.graph.input[:]
    model.graph.input.extend(given)
    for value in parameters:
        name = value.name.removeprefix("model.")
        for node in model.graph.node:
            redirect(node, value.name, name)
        value.name = name
    return model, parameters


def example_inputs(config: AutoGLMConfig) -> dict[str, Tensor]:
    """Two documents, five nodes, six edges; every size another number, one document padded, one piece outside."""
    vocabulary = int(config.backbone_config["vocab_size"])
    return {
        "input_ids": torch.arange(14).reshape(2, 7) % vocabulary,
        "attention_mask": torch.tensor([[1] * 7, [1] * 4 + [0] * 3]),
        "piece_ids": torch.arange(9) % vocabulary,
        "piece_node": torch.tensor([0, 0, 1, 2, 2, 3, 3, 4, 4]),
        "piece_pos": torch.tensor([2, 3, 4, 5, 6, 9, 10, 11, 0]),
        "node_type": torch.arange(5) % config.node_types,
        "batch": torch.tensor([0, 0, 0, 1, 1]),
        "edge_index": torch.tensor([[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]]),
        "edge_type": torch.arange(6) % config.edge_types,
        "edge_weight": torch.linspace(0.5, 1.0, 6),
    }


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


class _Logits(nn.Module):
    """The forward with one tensor as its result; ``model`` is the prefix that its parameters get."""

    def __init__(self, model: AutoGLMModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.model(*inputs).logits
        return logits


def _untrained(config: AutoGLMConfig) -> AutoGLMModel:
    """Random everywhere: the exporter merges parameters of equal values, such as all biases of a fresh model."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoGLMModel(config)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.02)
    # the plain formula: 14 % fewer nodes than sdpa's at the same speed, and no branch on the mask's values
    model.backbone.set_attn_implementation("eager")  # type: ignore[operator]
    model.eval()
    return model
