"""Pages for people, drawn when what they tell of is there: no batch waits for them on its way into service.

    later("data_docs", write)      in a stage: when the run is over
    draw()                         after a run, whatever became of it, or after a stage through DVC's door

They are no outputs of a stage, since they are never the same twice, or tell of what came after it. What goes wrong with
them is told, and stops nothing.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

from openautoglm.files import fingerprint, load_json, save_json, sha256_file, write_atomic
from openautoglm.params import Params
from tasks.tracking import tell

EXAMPLES = 32  # documents that latencies are measured on
REPORT = Path("reports/report.html")
DRAWN_OF = Path(".autoglm/report")  # what the report was drawn of, as a fingerprint
READ = ("reports/*.json", "reports/training.jsonl", "models/release.json", "models/checkpoint/scope.json")
DRAWN_BY = ("openautoglm/evaluate/*.py", "openautoglm/evaluate/templates/*")  # another layout is another page

_WAITING: dict[str, Callable[[], object]] = {}


def later(name: str, page: Callable[[], object]) -> None:
    """Have ``page`` drawn when the run is over; another one of the same name takes its place."""
    _WAITING[name] = page


def draw_waiting() -> None:
    """What stages put off."""
    while _WAITING:
        name = next(iter(_WAITING))
        _tried(name, _WAITING.pop(name))


def draw(root: Path = Path(), *, missing: bool = True) -> None:
    """What stages put off, and the report where it tells of something else than what is there now, or is ``missing``."""
    draw_waiting()
    if missing or (root / REPORT).is_file():
        _tried(REPORT.name, lambda: _draw_report(root))


def measure(root: Path = Path()) -> None:
    """reports/latency.json, noted in MLflow too."""
    _tried("latency.json", lambda: tell(measure_latencies(Params.load(root / "params.yaml"), root), root))


def measure_latencies(params: Params, root: Path = Path()) -> dict[str, float]:
    """reports/latency.json: torch against onnxruntime on this machine; returned flat, empty where they are known already.

    Known are those of a graph of the same operators and sizes: a new head alone is as fast as the one before.
    """
    if not (root / "models/onnx").is_dir():
        return {}
    from openautoglm.export.session import GRAPH, Session

    folders = {name: root / "models" / name for name in ("onnx", "int8")}
    folders = {name: folder for name, folder in folders.items() if (folder / GRAPH).is_file()}
    if "onnx" not in folders:
        return {}
    from openautoglm.corpus import Corpus
    from openautoglm.export.documents import documents_to_try
    from openautoglm.export.latency import as_facts, latencies, operators
    from openautoglm.graph import GraphBatch
    from openautoglm.model.checkpoint import Checkpoint

    path = root / "reports/latency.json"
    graph = operators(folders["onnx"] / GRAPH)
    where = {"graph": graph, "folders": sorted(folders), "machine": platform.node()}
    found = load_json(path) if path.is_file() else {}
    if {name: found.get(name) for name in where} == where:
        return {}
    corpus, graphs = Corpus.load(root / "data/validated"), GraphBatch.load(root / "data/graphs")
    _, texts, _, chosen = documents_to_try(corpus, graphs, params.evaluate.oos_label, EXAMPLES)
    encoded = Session(folders["onnx"]).encode(texts, chosen)
    rows = latencies(Checkpoint.load(root / "models/checkpoint").model(), folders, encoded)
    save_json(path, {**where, "milliseconds": rows})
    return as_facts(rows)


def _draw_report(root: Path) -> None:
    if not (root / "reports/evaluation.json").is_file():
        return
    read = sorted({path for pattern in READ + DRAWN_BY for path in root.glob(pattern)})
    stamp = fingerprint([[str(path.relative_to(root)), sha256_file(path)] for path in read]).encode()
    drawn = root / DRAWN_OF
    if not (root / REPORT).is_file() or not drawn.is_file() or drawn.read_bytes() != stamp:
        from openautoglm.evaluate.report import write_report

        write_report(root)
        write_atomic(drawn, stamp)


def _tried(name: str, page: Callable[[], object]) -> None:
    try:
        page()
    except Exception as error:
        print(f"reports/{name}: not written: {type(error).__name__}: {error}")
