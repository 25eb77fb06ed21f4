"""Toy: the same number under another name."""

from pathlib import Path

from openautoglm.export import convert
from openautoglm.files import load_json, save_json
from openautoglm.params import Params


def export(params: Params, root: Path = Path()) -> dict[str, object]:
    with (root / "calls").open("a") as calls:
        calls.write("export\n")
    model = convert(load_json(root / "models/checkpoint/model.json"))
    for name in ("models/onnx", "models/int8"):
        save_json(root / name / "model.json", model)
    save_json(root / "reports/parity.json", {"ok": True})
    return {}
