"""Surgery on the exporter's graph: weights by reference, and nothing in it that is not the model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from openautoglm.errors import AutoGLMError
from openautoglm.export.weights import FLOATS, Place, external


def attach(model: ModelProto, weights: Iterable[ValueInfoProto], places: dict[str, Place], file: str) -> None:
    """Make each of ``weights`` a reference to the tensor of its name in ``file``, cast to float32.

    A table that only look-ups read is cast after the look-up: it stays as small in memory as it is on disk.

    Raises:
        AutoGLMError: no such tensor there, another shape, or no float.
    """
    graph = model.graph
    users = _users(graph.node)
    begin: list[NodeProto] = []
    after: dict[int, NodeProto] = {}
    for value in weights:
        name = value.name
        place = _matching(value, places, file)
        graph.initializer.append(external(name, place, file))
        if place.dtype == "F32":
            continue
        if all(_looks_up(node, name) for node in users[name]):
            for node in users[name]:
                result, node.output[0] = node.output[0], f"{node.output[0]}.{place.dtype.lower()}"
                after[id(node)] = _to_float(node.output[0], result)
        else:
            begin.append(_to_float(name, f"{name}.float"))
            for node in users[name]:
                redirect(node, name, f"{name}.float")
    nodes = [*begin, *_interleaved(graph.node, after)]
    del graph.node[:]
    graph.node.extend(nodes)


def strip(model: ModelProto) -> None:
    """Take out what differs between machines and says nothing: source lines, producers, inferred shapes."""
    model.producer_name, model.producer_version = "openautoglm", ""
    model.graph.name = "autoglm"
    parts = [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output]
    for part in parts:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    del model.graph.value_info[:]


def redirect(node: NodeProto, old: str, new: str) -> None:
    for index, name in enumerate(node.input):
        if name == old:
            node.input[index] = new


def _users(nodes: Iterable[NodeProto]) -> dict[str, list[NodeProto]]:
    users: dict[str, list[NodeProto]] = defaultdict(list)
    for node in nodes:
        for name in dict.fromkeys(node.input):
            users[name].append(node)
    return users


def _looks_up(node: NodeProto, table: str) -> bool:
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    return bool(node.op_type == "Gather" and node.input[0] == table and axis == 0)


def _to_float(source: str, result: str) -> NodeProto:
    return helper.make_node("Cast", [source], [result], name=f"{result}/Cast", to=TensorProto.FLOAT)


def _interleaved(nodes: Iterable[NodeProto], after: dict[int, NodeProto]) -> Iterator[NodeProto]:
    for node in nodes:
        yield node
        if id(node) in after:
            yield after[id(node)]


def _matching(value: ValueInfoProto, places: dict[str, Place], file: str) -> Place:
    place = places.get(value.name)
    shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    if place is None:
        raise AutoGLMError(f"{file}: the graph needs the tensor {value.name}, which is not there")
    if place.shape != shape:
        raise AutoGLMError(
            f"{file}: {value.name} has the shape {list(place.shape)}, the graph needs {list(shape)}"
        )
    if place.dtype not in FLOATS:
        raise AutoGLMError(f"{file}: {value.name} is {place.dtype}, expected one of {', '.join(FLOATS)}")
    return place
