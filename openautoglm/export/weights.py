"""Where each tensor lies in a safetensors file, and ONNX initializers that point there.

A safetensors file is 8 bytes of header length, the JSON header, then the tensors' bytes; ONNX external data is
(location, offset, length). So an ONNX file can use the checkpoint's own file as its weights.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from openautoglm.errors import AutoGLMError

# safetensors' names of the float types that a checkpoint may hold
FLOATS = {"BF16": TensorProto.BFLOAT16, "F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}
_EXPONENT = {"BF16": (np.uint16, 0x7F80), "F16": (np.uint16, 0x7C00), "F32": (np.uint32, 0x7F800000)}


@dataclass(frozen=True)
class Place:
    """``offset`` in bytes from the beginning of the file, ``length`` in bytes."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int


def locate(path: Path) -> dict[str, Place]:
    """Every tensor of the safetensors file ``path``, in file order.

    Raises:
        AutoGLMError: its header cannot be read, or names bytes that the file does not have.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > size - 8:
            raise AutoGLMError(f"{path}: not a whole safetensors file: header of {length} bytes in {size}")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    places = {
        name: Place(
            dtype=entry["dtype"],
            shape=tuple(entry["shape"]),
            offset=8 + length + entry["data_offsets"][0],
            length=entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
    }
    for name, place in places.items():
        if place.offset + place.length > size:
            raise AutoGLMError(f"{path}: tensor {name} ends at byte {place.offset + place.length} of {size}")
    return dict(sorted(places.items(), key=lambda item: item[1].offset))


def check_finite(path: Path, places: dict[str, Place]) -> None:
    """Raises:
    AutoGLMError: a float tensor holds NaN or infinity; such a model cannot be compared with anything.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    for name, place in places.items():
        if place.dtype not in _EXPONENT:
            continue
        kind, mask = _EXPONENT[place.dtype]
        bits = np.frombuffer(data[place.offset : place.offset + place.length].tobytes(), dtype=kind)
        broken = int(np.count_nonzero((bits & kind(mask)) == mask))
        if broken:
            raise AutoGLMError(
                f"{path}: {broken} of {bits.size} values of {name} are NaN or infinite; look at the training loss",
                tensor=name,
                broken=broken,
            )


def external(name: str, place: Place, location: str) -> TensorProto:
    """An initializer called ``name`` whose bytes stand in the file ``location`` beside the model."""
    tensor = TensorProto(name=name, data_type=FLOATS[place.dtype], dims=place.shape)
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": location, "offset": str(place.offset), "length": str(place.length)}
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def read_float32(path: Path, place: Place) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The tensor's values; bf16 becomes float32 by appending 16 zero bits, which is exact."""
    with path.open("rb") as file:
        file.seek(place.offset)
        raw = file.read(place.length)
    if place.dtype == "BF16":
        wide = np.frombuffer(raw, dtype=np.uint16).astype(np.uint32) << np.uint32(16)
        return wide.view(np.float32).reshape(place.shape)
    kind = np.float16 if place.dtype == "F16" else np.float32
    return np.frombuffer(raw, dtype=kind).astype(np.float32).reshape(place.shape)


def is_external(tensor: TensorProto) -> bool:
    return bool(onnx.external_data_helper.uses_external_data(tensor))
