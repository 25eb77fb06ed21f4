"""Two doors, one cache: `dvc repro` and the flow, on real DVC and a real Prefect server."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.request
from pathlib import Path

from project import ToyProject, fates

from tasks import STAGES

OUTPUTS = ("data", "models", "reports")


def test_flow_then_dvc_is_a_no_op(ready: ToyProject) -> None:
    said = ready.repro()

    assert [said.count(f"Stage '{stage}' didn't change") for stage in STAGES] == [1] * 7
    assert "up to date" in ready.status()


def test_both_doors_write_the_same_lock_and_the_flow_then_shows_cached(
    ready: ToyProject, toy: ToyProject
) -> None:
    toy.repro()

    assert (toy.root / "dvc.lock").read_bytes() == (ready.root / "dvc.lock").read_bytes()
    said = toy.flow()
    assert fates(said) == {}
    assert "WARNING" not in said, "nothing that a user could mend"
    assert _task_states(toy.api_url)[: len(STAGES)] == [("Cached", "DVC: cached")] * len(STAGES)
    assert _artifacts(toy.api_url) >= {"gates", "summary"}
    assert toy.calls().count("train from 0") == 1


def test_removed_outputs_come_back_without_running_a_stage(ready: ToyProject) -> None:
    before = _contents(ready.root)
    calls = ready.calls()
    for door in (ready.repro, ready.flow):
        for name in OUTPUTS:
            shutil.rmtree(ready.root / name)
        door()

        assert _contents(ready.root) == before
    assert ready.calls() == calls
    assert "up to date" in ready.status()


def test_a_changed_param_through_dvc_is_cached_in_the_flow_and_reverted_is_restored(
    ready: ToyProject,
) -> None:
    graphs = (ready.root / "data/graphs/graphs.json").read_text()
    ready.edit("params.yaml", "npmi_window: 10", "npmi_window: 11")
    ready.repro()

    assert fates(ready.flow()) == {}
    ready.edit("params.yaml", "npmi_window: 11", "npmi_window: 10")
    assert set(fates(ready.flow()).values()) == {"restored"}
    assert (ready.root / "data/graphs/graphs.json").read_text() == graphs


def test_a_comment_runs_nothing_and_a_line_of_code_what_uses_it(ready: ToyProject) -> None:
    ready.edit("openautoglm/export/__init__.py", "A model's page.", "A page.")
    ready.edit("openautoglm/files.py", "import os", "import os  # a comment")
    assert fates(ready.flow()) == {}

    ready.edit("openautoglm/export/__init__.py", "in enumerate(labels)}}", "in enumerate(labels, 1)}}")
    would = json.loads(ready.run(sys.executable, "-m", "tasks", "why", "export", "--json"))
    assert would["would run"] == ["code openautoglm.export changed"]
    assert fates(ready.flow()) == {"export": "ran", "publish": "ran"}
    ran = json.loads(ready.run(sys.executable, "-m", "tasks", "why", "export", "--json"))
    assert ran == {"would run": [], "ran": ["code openautoglm.export changed"]}


def _contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for name in OUTPUTS
        for path in sorted((root / name).rglob("*"))
        if path.is_file() and path.name != "report.html"
    }


def _task_states(api_url: str) -> list[tuple[str, str]]:
    rows = _post(f"{api_url}/task_runs/filter", {"sort": "END_TIME_DESC", "limit": 20})
    stages = [row for row in rows if row["name"] in STAGES]  # not what comes after them
    return [(row["state"]["name"], row["state"]["message"]) for row in stages]


def _artifacts(api_url: str) -> set[str]:
    return {row["key"] for row in _post(f"{api_url}/artifacts/filter", {})}


def _post(url: str, body: dict[str, object]) -> list[dict[str, object]]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
