"""Toy: whatever is there answers as it should."""

from pathlib import Path

GRAPH = "model.onnx"


def check_canary(folder: Path) -> dict[str, object]:
    found = (folder / "model.safetensors").is_file()
    return {"name": "canary", "passed": found, "value": None, "bound": None, "reason": "answered"}
