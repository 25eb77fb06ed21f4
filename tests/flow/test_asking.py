"""What is asked of a run on a command line: nothing but the verdict, in spite of it, back, and again and again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest
from project import ToyProject, fates

CLI = (sys.executable, "-m", "openautoglm.cli")
Eventually = Callable[[Callable[[], object]], None]


def log_of(toy: ToyProject) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((toy.root / "releases/log").glob("*.json"))]


def test_a_dry_run_logs_the_verdict_and_publishes_nothing(toy: ToyProject) -> None:
    toy.run(*CLI, "run", "--dry-run")

    assert [(entry["kind"], entry["passed"]) for entry in log_of(toy)] == [("dry-run", True)]
    assert not list((toy.root / "releases").glob("manifests/*"))
    assert not list((toy.root / "releases").glob("channels/*"))
    assert fates(toy.run(*CLI, "run")) == {}, "what it made is there"
    assert [entry["kind"] for entry in log_of(toy)] == ["dry-run", "publish"]


def test_force_publishes_what_a_gate_refuses_and_says_why(toy: ToyProject) -> None:
    toy.edit("params.yaml", "min_accuracy: 0.5 ", "min_accuracy: 0.95 ")
    assert "needs a reason" in toy.run(*CLI, "run", "--force", code=2)
    toy.run(*CLI, "run", code=1)
    toy.run(*CLI, "run", "--force", "--reason", "the exam is wrong")

    entries = log_of(toy)
    assert [entry["kind"] for entry in entries] == ["rejection", "publish"]
    assert "forced: the exam is wrong" in entries[1]["why"]
    assert "accuracy" in entries[1]["why"]
    assert fates(toy.run(*CLI, "run")) == {}
    assert log_of(toy) == entries


def test_watch_takes_what_is_there_and_retrain_challenges(toy: ToyProject) -> None:
    toy.run(*CLI, "watch", "--once")
    (first,) = log_of(toy)
    assert (toy.root / "ahead").read_text() == "published", "nobody waits until something was read ahead"
    said = toy.run(*CLI, "retrain", "--why", "autumn", "--dry-run")

    assert first["kind"] == "publish"
    assert "start: pretrained" in (toy.root / "params.yaml").read_text()
    assert [entry["kind"] for entry in log_of(toy)][1:] in ([], ["dry-run"]), said
    assert "watching" not in toy.run(*CLI, "watch", "--every", "0", code=2)


def test_a_rollback_is_done_although_mlflow_is_down(ran: ToyProject) -> None:
    ran.edit("params.yaml", "epochs: 4", "epochs: 3")
    ran.flow()
    call = "from flows.rollback import rollback; print(rollback('it was worse'))"
    said = ran.run(
        sys.executable, "-c", call, AUTOGLM_TRACKING="on", MLFLOW_TRACKING_URI="nosuch://store"
    )  # a run that fails is tried again, and would go back once more

    assert "tracking: not recorded" in said
    assert [entry["kind"] for entry in log_of(ran)] == ["publish", "publish", "rollback"]


@pytest.mark.slow
def test_after_a_rollback_the_alias_follows_and_nobody_waits_for_it(
    toy: ToyProject, eventually: Eventually
) -> None:
    from mlflow import MlflowClient

    toy.flow(AUTOGLM_TRACKING="on")
    toy.edit("params.yaml", "epochs: 4", "epochs: 3")
    toy.flow(AUTOGLM_TRACKING="on")
    uri = f"sqlite:///{toy.root / 'mlflow.db'}"
    client = MlflowClient(uri, uri)
    before = os.times()
    said = toy.run(*CLI, "rollback", "--reason", "it was worse", AUTOGLM_TRACKING="on")
    after = os.times()

    assert "v000002" in said
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent < 1.5, "CPU seconds of the command; MLflow alone takes more"
    eventually(lambda: client.get_registered_model("open-autoglm").aliases == {"champion": 1, "previous": 2})
