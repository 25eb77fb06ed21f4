"""Toy: the same weights beside a page about them."""

import shutil
from pathlib import Path

from openautoglm.errors import UserError
from openautoglm.export import convert
from openautoglm.files import save_json
from openautoglm.params import Params


def export(params: Params, root: Path = Path()) -> dict[str, object]:
    with (root / "calls").open("a") as calls:
        calls.write("export\n")
    if (root / "unconvertible").is_file():
        raise UserError("export: this graph cannot be converted; use another")
    for name in ("models/onnx", "models/int8"):
        folder = root / name
        save_json(folder / "config.json", convert(["a", "b"]))
        save_json(folder / "canary.json", {"text": "a", "label": "a"})
        shutil.copy(root / "models/checkpoint/model.safetensors", folder / "model.safetensors")
    save_json(root / "reports/parity.json", {"gates": []})
    return {}
