"""Pages for people, drawn when what they tell of is there: no batch waits for them on its way into service.

    later(write_docs)   in a stage: when the run is over
    draw()              after a run (flows/artifacts.py), or after a stage through DVC's door

They are no outputs of a stage, since they are never the same twice, or tell of what came after it. What goes wrong with
them is told, and stops nothing.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

from openautoglm.params import Params
from tasks.tracking import tell

GRAPH = "model.onnx"
EXAMPLES = 32  # documents that latencies are measured on

_WAITING: list[Callable[[], object]] = []


def later(page: Callable[[], object]) -> None:
    """Have ``page`` drawn when the run is over, also where it ends with an error."""
    _WAITING.append(page)


def draw_waiting() -> None:
    """What stages put off."""
    while _WAITING:
        _tried(_WAITING.pop(0))


def draw(root: Path = Path()) -> None:
    """What stages put off, reports/latency.json and reports/report.html."""
    draw_waiting()
    _tried(lambda: tell(measure_latencies(Params.load(root / "params.yaml"), root), root))
    if (root / "reports/evaluation.json").is_file():
        from openautoglm.evaluate.report import write_report

        _tried(lambda: write_report(root))


def _tried(page: Callable[[], object]) -> None:
    try:
        page()
    except Exception as error:
        print(f"a page in reports/ was not drawn: {type(error).__name__}: {error}")


def measure_latencies(params: Params, root: Path = Path()) -> dict[str, float]:
    """reports/latency.json: torch against onnxruntime on this machine; returned flat, empty where they are known already.

    Known are those of a graph of the same operators and sizes: a new head alone is as fast as the one before.
    """
    folders = {name: root / "models" / name for name in ("onnx", "int8")}
    folders = {name: folder for name, folder in folders.items() if (folder / GRAPH).is_file()}
    if "onnx" not in folders:
        return {}
    from openautoglm.export.latency import as_facts, latencies, operators
    from openautoglm.export.session import Session
    from openautoglm.files import load_json, save_json
    from openautoglm.model.checkpoint import Checkpoint
    from tasks.onnx_parts import exam_documents

    path = root / "reports/latency.json"
    graph = operators(folders["onnx"] / GRAPH)
    where = {"graph": graph, "folders": sorted(folders), "machine": platform.node()}
    found = load_json(path) if path.is_file() else {}
    if {name: found.get(name) for name in where} == where:
        return {}
    _, texts, _, graphs = exam_documents(root, params.evaluate.oos_label, EXAMPLES)
    corpus = Session(folders["onnx"]).encode(texts, graphs)
    rows = latencies(Checkpoint.load(root / "models/checkpoint").model(), folders, corpus)
    save_json(path, {**where, "milliseconds": rows})
    return as_facts(rows)
