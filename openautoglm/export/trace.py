"""The exporter's graph of AutoGLMModel's forward, without weights; kept between runs.

    graph, parameters = trace(checkpoint.config, opset=17, kept=Kept(root / ".autoglm/traces", code))

The TorchScript-based exporter, because its graphs are the fastest under onnxruntime and survive a batch without edges.
Tracing takes two seconds and its result follows from the config alone. The number of labels is two sizes in it, which
are put in afterwards: a batch of new classes has the graph of the release before.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import onnx
import torch
import torch_geometric
import transformers
from onnx import ModelProto, ValueInfoProto
from torch import Tensor, nn

from openautoglm.files import fingerprint, keep_newest, sha256_file, write_atomic
from openautoglm.model.alone import TORCH, seeded
from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.checkpoint import config_dict
from openautoglm.model.config import AutoGLMConfig, with_labels
from openautoglm.model.encode import INPUT_NAMES

HEAD = ("adapter.linear.weight", "adapter.linear.bias")  # [C, ...]: the last layer of every task adapter
TRACES = 8  # that stay: those of experiments and of the code before
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


@dataclass(frozen=True)
class Kept:
    """Traces below ``folder``; ``code`` names the code that they were made with."""

    folder: Path
    code: str

    @classmethod
    def of(cls, root: Path) -> Kept | None:
        """Those of the checkout ``root``, for its code as it is; None where that is not known."""
        code = root / ".autoglm/code/export.json"
        return cls(root / ".autoglm/traces", sha256_file(code)) if code.is_file() else None

    def path(self, config: AutoGLMConfig, opset: int) -> Path:
        libraries = [str(module.__version__) for module in (torch, torch_geometric, transformers, onnx)]
        values = config_dict(config)
        return self.folder / f"{fingerprint([values, opset, self.code, libraries])[:32]}.onnx"


def trace(
    config: AutoGLMConfig, opset: int, kept: Kept | None = None
) -> tuple[ModelProto, list[ValueInfoProto]]:
    """The exporter's graph without any weight, and the parameters it reads, by their names in the state dict."""
    labels = config.num_labels
    config = AutoGLMConfig.from_dict({**config.to_dict(), **with_labels(["one", "another"])})
    path = kept.path(config, opset) if kept else None
    model = _read(path) if path else None
    if model is None:
        model = _traced(config, opset)
        if path:
            write_atomic(path, model.SerializeToString(deterministic=True))
            keep_newest(path.parent.glob("*.onnx"), TRACES)
    elif path:
        path.touch()  # what is in use stays
    parameters = [value for value in model.graph.input if value.name not in INPUT_NAMES]
    given = [value for value in model.graph.input if value.name in INPUT_NAMES]
    del model.graph.input[:]
    model.graph.input.extend(given)
    for value in parameters:
        if value.name in HEAD:
            value.type.tensor_type.shape.dim[0].dim_value = labels
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = labels
    return model, parameters


def _read(path: Path) -> ModelProto | None:
    """None where it is not there, or is no graph: it is traced again."""
    try:
        return onnx.load(path)
    except Exception:  # protobuf's classes
        return None


def _traced(config: AutoGLMConfig, opset: int) -> ModelProto:
    """The graph with the parameters among its inputs."""
    inputs = example_inputs(config)
    buffer = BytesIO()
    with TORCH, warnings.catch_warnings(), torch.no_grad():
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
    names = {value.name: value.name.removeprefix("model.") for value in model.graph.input}
    for value in model.graph.input:
        value.name = names[value.name]
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)
    return model


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
    with seeded(0):
        model = AutoGLMModel(config)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.02)
    # the plain formula: 14 % fewer nodes than sdpa's at the same speed, and no branch on the mask's values
    model.backbone.set_attn_implementation("eager")  # type: ignore[operator]
    model.eval()
    return model
