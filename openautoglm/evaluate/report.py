"""reports/report.html: one page that a person enjoys reading, from the JSON files of a run alone.

    python -c "from pathlib import Path; from openautoglm.evaluate.report import write_report; write_report(Path('.'))"

It carries everything inside (no script, font or picture from elsewhere), and it can be written again at any time:
what is not there yet (release, parity) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from openautoglm.evaluate.confused import confused_block
from openautoglm.evaluate.evaluation import Evaluation
from openautoglm.evaluate.gate import points
from openautoglm.evaluate.metrics import Row
from openautoglm.files import load_json, write_atomic
from openautoglm.graph import SemanticGraph
from openautoglm.graph.render import as_svg
from openautoglm.graph.semantic_graph import Edge, Node

NAMES = {
    "exam": "Exam",
    "finite": "Finite answers",
    "accuracy": "Accuracy",
    "calibration": "Calibration",
    "parent_known_classes": "Parent, among its classes",
    "parent_whole_exam": "Parent, whole exam",
    "parent_known": "Parent, among its classes",
    "parent_whole": "Parent",
    "parent": "Parent",
    "forgetting": "Nothing forgotten",
    "graph": "Graph does no harm",
    "data": "Data",
    "onnx_finite": "ONNX: finite answers",
    "onnx_parity": "ONNX: same numbers",
    "onnx_answers": "ONNX: same answers",
    "weights": "Weights examined are those published",
    "materialised": "Rebuilt as a node would",
    "canary": "Canary answer",
    "not_worse_than_head": "Version in service",
    "text_only": "Without the graph",
    "tfidf_svc": "TF-IDF + linear SVC",
    "frozen_lr": "Frozen + logistic regression",
}
PAIRS = 15  # most confused pairs in the table


def write_report(root: Path) -> Path:
    """Render ``root/reports/report.html`` from what the stages left in ``reports/`` and ``models/``.

    Raises:
        Corrupt: there is no sound reports/evaluation.json.
    """
    path = root / "reports/report.html"
    write_atomic(path, page("report.html.j2", **view(root)).encode())
    return path


def page(template: str, **shown: Any) -> str:
    """A page from one of our templates; the filters are those of all pages."""
    return _environment().get_template(template).render(shown)


def view(root: Path) -> dict[str, Any]:
    """Everything that the template shows."""
    from openautoglm.evaluate import figures  # matplotlib takes a second
    from openautoglm.evaluate.plots import training_rows

    evaluation = Evaluation.load(root / "reports/evaluation.json")
    curve = training_rows(root / "reports/training.jsonl")
    parity = _optional(root / "reports/parity.json")
    release = _optional(root / "models/release.json")
    if release.get("metrics", {}).get("evaluation") != evaluation.fingerprint:
        release = {}  # an earlier run's; publish has not run since
    gates = release.get("gates") or [*evaluation.gates, *parity.get("gates", [])]
    return {
        "evaluation": evaluation,
        "release": release,
        "headline": headline(evaluation, gates, release),
        "gates": gates,
        "contest": _contest(evaluation, figures) if evaluation.metrics["documents"] else "",
        "calibration": Markup(figures.calibration(evaluation.calibration)) if evaluation.calibration else "",
        "training": Markup(figures.training(curve)) if curve else "",
        "confused": confused_block(evaluation.classes, evaluation.confusions),
        "pairs": evaluation.confusions[:PAIRS],
        "rivals": [
            name for name in ("parent", "text_only", "tfidf_svc", "frozen_lr") if _sat(evaluation, name)
        ],
        "errors": [{**row, "svg": _graph_svg(row)} for row in evaluation.errors],
        "validation": _optional(root / "reports/validation.json"),
        "drift": _optional(root / "reports/drift.json"),
        "scope": _optional(root / "models/checkpoint/scope.json"),
        "data_docs": _data_docs(root),
        "parity": parity,
        "latencies": _latencies(root / "reports/latency.json"),
    }


def headline(evaluation: Evaluation, gates: list[Row], release: Mapping[str, Any]) -> dict[str, str]:
    """tone: good | bad; title and text of the page's first lines."""
    asked = [gate for gate in gates if gate.get("kind", "gate") == "gate"]
    refused = [gate for gate in asked if not gate["passed"]]
    if refused:
        which = ", ".join(_name(str(gate["name"])).lower() for gate in refused)
        return {"tone": "bad", "title": f"Not published: {which}", "text": refused[0]["reason"]}
    warnings = sum(not gate["passed"] for gate in evaluation.gates if gate["kind"] == "warning")
    text = f"All {len(asked)} gates say yes" + (
        f", with {warnings} warning{'s' * (warnings > 1)}." if warnings else "."
    )
    if release.get("passed"):
        return {"tone": "good", "title": f"Published as {release['id']}", "text": text}
    return {"tone": "good", "title": "Good to publish", "text": text}


def _contest(evaluation: Evaluation, figures: Any) -> Markup:
    documents = int(evaluation.metrics["documents"])
    rows = [("This model", evaluation.metrics["accuracy"], documents)]
    for found in evaluation.comparisons:
        if found["name"] != "parent_known":
            rows.append((NAMES[found["name"]], found["theirs"], found["documents"]))
    return Markup(figures.contest(rows))


def _sat(evaluation: Evaluation, name: str) -> bool:
    return any(name in row for row in evaluation.slices)


def _graph_svg(row: Row) -> Markup:
    """The graph of an error's text. Its labels follow the page; the boxes keep their colours and their dark text."""
    graph = SemanticGraph(
        tuple(Node(*node) for node in row["nodes"]), tuple(Edge(*edge) for edge in row["edges"])
    )
    if not graph.nodes:
        return Markup("")
    svg = as_svg(row["text"], graph).replace(' xmlns="http://www.w3.org/2000/svg"', "")
    return Markup(svg.replace('fill="#37474f"', 'fill="currentColor"'))


def _data_docs(root: Path) -> str:
    """Relative link to the Data Docs' first page, empty where they were not written."""
    reports = root / "reports"
    found = sorted(reports.glob("data_docs/**/index.html"), key=lambda path: (len(path.parts), path))
    return found[0].relative_to(reports).as_posix() if found else ""


def _latencies(path: Path) -> list[dict[str, Any]]:
    """{batch, tokens, times: [(name, milliseconds, ratio to torch)]} a batch size, torch first; none without the file."""
    return [
        {
            "batch": int(row["batch"]),
            "tokens": int(row["tokens"]),
            "times": [
                (name, row[f"{name}_ms"], row.get(f"{name}_ratio"))
                for name in ("torch", "onnx", "int8")
                if f"{name}_ms" in row
            ],
        }
        for row in _optional(path).get("milliseconds", [])
    ]


def _optional(path: Path) -> dict[str, Any]:
    return dict(load_json(path)) if path.is_file() else {}


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("openautoglm.evaluate"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: f"{100 * value:.1f}"
    environment.filters["points"] = points
    environment.filters["name"] = _name
    environment.filters.update(cell=cell, size=size)
    return environment


def _name(key: str) -> str:
    return NAMES.get(key, key.replace("_", " "))


def cell(value: Any) -> str:
    """A value of another stage's JSON, for reading."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(cell, value))
    return str(value)


def size(count: int) -> str:
    """Bytes, for reading."""
    value, units = float(count), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}"
