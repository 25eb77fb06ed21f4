"""A batch arrives: on a real server, by an event of another process, to a release; poisoned ones step aside."""

from __future__ import annotations

import datetime
import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from chain import continual, deploy, give, head, ids, is_sound, runners, states, store
from project import ToyProject, prefect_server

from openautoglm.loop import servers

Eventually = Callable[..., None]
AUTOGLM = (sys.executable, "-m", "openautoglm.cli")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, api_url: str) -> Iterator[ToyProject]:
    """A checkout whose deployments are on the server, with a runner."""
    toy = ToyProject.create(tmp_path_factory.mktemp("served") / "toy", api_url)
    deploy(toy)
    with runners(toy, "runner"):
        yield toy


def test_an_event_from_another_process_publishes_and_the_times_are_told(served: ToyProject) -> None:
    (served.root / "today.jsonl").write_text('{"text": "three"}\n')
    said = served.run(*AUTOGLM, "ingest", "today.jsonl", "--wait", "--timeout", "240")

    assert "published as v000002" in said, (served.root / "runner.log").read_text()
    assert "  waiting  " in said
    assert "  train  " in said
    assert head(served) in said
    runs = _runs(served, "continual")
    assert [run for run in runs if "0002-today-" in run["parameters"]["why"]], "started by the event"
    is_sound(served)


@pytest.mark.timeout(600)
def test_a_killed_child_is_crashed_at_once_and_its_batch_is_taken_by_the_next(
    served: ToyProject, eventually: Eventually
) -> None:
    (served.root / "fault").write_text("slow")  # the toy's ingest waits as long as this says so
    (entry,) = give(served, "killed")
    servers.announce(served.api_url, entry)
    eventually(lambda: _pids(served, entry), 200)
    (child,) = _pids(served, entry)
    os.kill(child, signal.SIGKILL)
    (served.root / "fault").unlink()

    eventually(lambda: not _runs(served, "continual", "RUNNING"), 15)
    assert not _runs(served, "batch", "RUNNING"), "the flow that it called is closed as well"
    assert "its process ended with -9" in str(_runs(served, "continual", "CRASHED"))
    servers.announce(served.api_url, f"{entry}-again")  # what the sweep does after at most five minutes
    eventually(lambda: states(served)[-1] == "published", 200)
    is_sound(served)


def test_nobody_to_take_it_is_exit_code_2_and_one_line(toy: ToyProject) -> None:
    toy.api_url = ""
    (toy.root / "today.jsonl").write_text('{"text": "three"}\n')
    said = toy.run(*AUTOGLM, "ingest", "today.jsonl", "--wait", code=2, PREFECT_HOME=str(toy.root / "home"))

    assert said.splitlines()[-1].startswith("error: nobody is there to take 0002-today-")
    assert "Traceback" not in said


def test_a_poisoned_batch_is_set_aside_with_its_report_and_the_next_is_published(toy: ToyProject) -> None:
    give(toy, "damaged", "sound", "damaged too")
    said = continual(toy)

    assert states(toy) == ["published", "aside", "published", "aside"]
    assert ["1 row is damaged" in path.read_text() for path in toy.root.glob("inbox/_aside/*.why.txt")] == [
        True
    ] * 2
    assert "up to date" in toy.status(), "what is left is as it was before the last one came"
    assert "try 1 of 3" in said
    assert len(ids(toy)) == 2
    assert store(toy).verify() == []


@pytest.mark.slow
def test_a_wrong_clock_and_a_server_restart_lose_no_batch(tmp_path: Path, eventually: Eventually) -> None:
    toy = ToyProject.create(tmp_path / "toy", "")
    with ExitStack() as stack:
        with prefect_server(tmp_path / "server") as toy.api_url:
            port = int(toy.api_url.split(":")[2].partition("/")[0])
            deploy(toy)
            stack.enter_context(runners(toy, "runner"))
            for days in (-1, 1):
                _announce_by_a_wrong_clock(toy, days)
            eventually(lambda: states(toy) == ["published"], 150)
        give(toy, "lost")  # its event finds no server
        with prefect_server(tmp_path / "server", port):
            eventually(lambda: servers.why_idle(toy.api_url) == "", 90)
            servers.announce(toy.api_url, *give(toy, "heard"))
            eventually(lambda: states(toy) == ["published"] * 3, 200)
            stack.close()
    is_sound(toy)


@pytest.mark.slow
def test_two_runs_at_once_wait_and_none_is_cancelled(served: ToyProject, eventually: Eventually) -> None:
    (served.root / "fault").write_text("slow")
    entries = give(served, "left", "right")
    for entry in (*entries, *entries):
        servers.announce(served.api_url, entry)
        servers.announce(served.api_url, f"{entry}-twice-{os.urandom(2).hex()}")
    try:
        eventually(lambda: _runs(served, "continual", "RUNNING"), 90)
    finally:
        (served.root / "fault").unlink()

    eventually(lambda: set(states(served)) == {"published"}, 200)
    assert not _runs(served, "continual", "CANCELLED")
    is_sound(served)


@pytest.mark.slow
def test_a_retrain_that_is_not_better_leaves_the_champion(served: ToyProject, eventually: Eventually) -> None:
    before = head(served)
    served.edit("params.yaml", "min_accuracy: 0.5 ", "min_accuracy: 0.95 ")
    try:
        served.run("prefect", "deployment", "run", "retrain/retrain")
        eventually(lambda: "ChampionStays" in str(_runs(served, "retrain", "COMPLETED")), 200)
    finally:
        served.edit("params.yaml", "min_accuracy: 0.95 ", "min_accuracy: 0.5 ")
    assert head(served) == before
    listed = served.run("prefect", "deployment", "inspect", "retrain/retrain")
    assert "0 3 * * *" in listed


@pytest.mark.slow
def test_deploying_again_leaves_one_trigger_each_and_clears_what_is_gone(served: ToyProject) -> None:
    served.edit("prefect.yaml", "- name: rollback", "- name: back")
    deploy(served)
    served.edit("prefect.yaml", "- name: back", "- name: rollback")
    said = deploy(served)

    assert "removed the deployment back" in said
    found = servers.ask(served.api_url, "/deployments/filter", {})
    assert sorted(row["name"] for row in found) == ["continual", "pipeline", "retrain", "rollback"]
    expected = [row["trigger"]["expect"] for row in servers.ask(served.api_url, "/automations/filter", {})]
    assert sorted(expected) == [["autoglm.batch.arrived"], ["autoglm.retrain.wanted"]]
    limits = {row["concurrency_options"]["collision_strategy"] for row in found}
    assert limits == {"ENQUEUE"}, "CANCEL_NEW would drop the run of a later event"


def _runs(toy: ToyProject, flow: str, kind: str = "") -> list[dict[str, Any]]:
    body: dict[str, Any] = {"flows": {"name": {"any_": [flow]}}, "limit": 200}
    if kind:
        body["flow_runs"] = {"state": {"type": {"any_": [kind]}}}
    # SQLite under the server waits for a lock for up to 60 s
    found: list[dict[str, Any]] = servers.ask(toy.api_url, "/flow_runs/filter", body, timeout=90)
    return found


def _pids(toy: ToyProject, entry: str) -> list[int]:
    """The process of the run that works on ``entry``."""
    if entry not in [run["name"] for run in _runs(toy, "batch", "RUNNING")]:
        return []
    return [int(run["labels"]["autoglm.pid"]) for run in _runs(toy, "continual", "RUNNING")]


def _announce_by_a_wrong_clock(toy: ToyProject, days: int) -> None:
    when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    event = {"occurred": when.isoformat(), "event": servers.EVENT, "id": str(uuid.uuid4())}
    servers.ask(
        toy.api_url,
        "/events",
        [event | {"resource": {"prefect.resource.id": servers.INBOX}, "payload": {"entry": "x"}}],
    )
