"""Toy: one number a line."""

from pathlib import Path

from openautoglm.files import save_json
from openautoglm.params import Params


def graph(params: Params, root: Path = Path()) -> dict[str, object]:
    lines = (root / "data/validated/part.txt").read_text().splitlines()
    save_json(root / "data/graphs/graphs.json", [len(line) + params.graph.npmi_window for line in lines])
    return {"graphs": len(lines)}
