"""The end of a run: the gate, and what a person reads about it in Prefect and in the terminal.

Everything is read from reports/ and models/release.json, so it is the same whether a stage ran or was cached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.states import State

from flows.server import ROOT
from flows.steps import Step
from openautoglm.errors import NotPublished
from openautoglm.files import load_json
from openautoglm.loop import servers
from openautoglm.release.gates import refusing
from tasks.deliver import CHAIN, Delivered
from tasks.pages import draw, measure
from tasks.tracking import run_page

Row = dict[str, Any]


def show(ended: Sequence[Step | State[Step]], delivered: Delivered, root: Path = ROOT) -> list[Step]:
    """Draw the pages, show gates, metrics, sizes and links; return the steps.

    Raises:
        NotPublished: the candidate was refused, with the gates that refused it.
    """
    steps = [step.result() if isinstance(step, State) else step for step in ended]  # a cached one is a state
    release = _read(root / "models/release.json")
    if any(step.how != "cached" for step in steps) or not (root / "reports/latency.json").is_file():
        measure(root)
    draw(root)
    gates, pages = gate_rows(root, release), links(root)
    if delivered.release:
        verdict = "published" if delivered.moved else "unchanged, it was published before"
    else:
        verdict = "not published, a dry run" if release.get("passed") else "refused"
    create_table_artifact(gates, key="gates", description="what the candidate had to pass")
    create_markdown_artifact(
        summary(root, release, steps, verdict), key="summary", description=str(release.get("id", ""))
    )
    for name, url in pages.items():
        create_link_artifact(url, key=name, link_text=name)
    print("\n".join(shown(release, steps, gates, pages, root, verdict)))
    if verdict == "refused":
        refused = "; ".join(
            f"{row['gate']}: {row['reason'].rstrip('.')}" for row in gates if row["verdict"] == "FAIL"
        )
        raise NotPublished(f"not published: {refused or release.get('reason', 'no gate said why')}")
    return steps


def gate_rows(root: Path, release: Mapping[str, Any]) -> list[Row]:
    """One row per gate: the release's own list, which has the evaluation's and the export's, or the evaluation's."""
    found = release.get("gates") or _read(root / "reports/evaluation.json").get("gates") or []
    return [
        {
            "gate": item["name"],
            "verdict": "pass" if item["passed"] else "FAIL" if refusing([item]) else "warn",
            "value": _number(item.get("value")),
            "bound": _number(item.get("bound")),
            "reason": item.get("reason", ""),
        }
        for item in found
    ]


def summary(root: Path, release: Mapping[str, Any], steps: Sequence[Step], verdict: str) -> str:
    """Markdown: steps, metrics against the parent, size of the delta against the full model."""
    lines = [
        f"# {release.get('id', 'no release')} {verdict}",
        "",
        "| stage | how | seconds |",
        "|---|---|---:|",
    ]
    lines += [f"| {step.stage} | {step.how} | {step.seconds:.1f} |" for step in steps]
    lines += ["", "| metric | parent | now |", "|---|---:|---:|"]
    lines += [f"| {name} | {_number(before)} | {_number(now)} |" for name, before, now in metric_rows(root)]
    return "\n".join([*lines, "", size_line(release), ""])


def metric_rows(root: Path) -> list[tuple[str, Any, Any]]:
    """(metric, the parent's value on the same exam or None, the candidate's)."""
    evaluation = _read(root / "reports/evaluation.json")
    parent = evaluation.get("parent")
    before = (
        parent.get("metrics", {}) if isinstance(parent, Mapping) else evaluation.get("parent_metrics") or {}
    )
    now = evaluation.get("metrics", {})
    return [(name, before.get(name), now[name]) for name in ("accuracy", "macro_f1", "ece") if name in now]


def size_line(release: Mapping[str, Any]) -> str:
    delta, full = release.get("delta_bytes"), release.get("full_bytes")
    if not full:
        return ""
    if not delta or release.get("kind") == "anchor":
        return f"a full copy, {(delta or full) / 1e6:.2f} MB for {full / 1e6:.1f} MB of weights"
    return f"delta {delta / 1e6:.2f} MB of {full / 1e6:.1f} MB, {delta / full:.1%}"


def links(root: Path) -> dict[str, str]:
    """{name: URL} of the pages about this run that are there; file:// where nobody serves them, for the terminal."""
    folder, served = root / CHAIN.parent, servers.reports_url(root)
    pages = {"report": "report.html", "chain": CHAIN.name, "data-docs": "data_docs/index.html"}
    found = {
        name: f"{served}/{page}" if served else (folder / page).as_uri()
        for name, page in pages.items()
        if (folder / page).is_file()
    }
    if url := servers.running(root / servers.FOLDER, "mlflow"):
        run = run_page(root)
        found["mlflow"] = f"{url.rstrip('/')}/{run}" if run else url
    return found


def shown(
    release: Mapping[str, Any],
    steps: Sequence[Step],
    gates: Sequence[Row],
    pages: Mapping[str, str],
    root: Path,
    verdict: str,
) -> list[str]:
    """The same in a terminal."""
    done = ", ".join(f"{step.stage} {step.how}" for step in steps if step.how != "cached")
    lines = ["", f"steps    {done or 'all cached'}"]
    for row in gates:
        numbers = "" if row["value"] is None else f"{row['value']} (bound {row['bound']}) "
        lines.append(f"gate     {row['verdict']} {row['gate']:<20} {numbers}{row['reason']}")
    for name, before, now in metric_rows(root):
        lines.append(
            f"metric   {name:<10} {_number(now)}" + ("" if before is None else f" (parent {_number(before)})")
        )
    lines.append(f"release  {release.get('id', '?')} {verdict}; {size_line(release)}")
    return [*lines, *(f"{name:<8} {url}" for name, url in pages.items())]


def _number(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _read(path: Path) -> dict[str, Any]:
    found = load_json(path) if path.is_file() else {}
    return found if isinstance(found, dict) else {}
