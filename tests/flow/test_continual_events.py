"""Exactly once, by events of a real server: each comes twice, some get lost, some overtake others, and a runner is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chain import continual, deploy, give, ids, is_sound, runners
from project import ToyProject

from openautoglm.loop import Ledger, servers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
BATCHES = [f"batch{number}" for number in range(10)]  # after the one that a toy begins with
PATIENCE = 90.0  # seconds; SQLite under the server waits for a lock for up to 60
UNDER_WAY = ("PENDING", "RUNNING", "CANCELLING")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, api_url: str) -> list[str]:
    """The chain of one process without events; the deployments are on the server from here on."""
    toy = ToyProject.create(tmp_path_factory.mktemp("undisturbed") / "toy", api_url)
    deploy(toy)
    give(toy, *BATCHES)
    continual(toy)
    is_sound(toy)
    assert len(ids(toy)) == 1 + len(BATCHES)
    return ids(toy)


@pytest.mark.parametrize("seed", [2, 4, 5])
def test_whatever_becomes_of_events_and_a_runner_the_chain_is_the_undisturbed_one(
    seed: int, undisturbed: list[str], tmp_path: Path, api_url: str
) -> None:
    dice = random.Random(seed)
    plan, killing, is_alone = planned(dice), dice.randrange(1, 8), dice.random() < 0.5
    wrong = dice.choice([number for due in plan for number in due])  # its event comes by a wrong clock
    toy = ToyProject.create(tmp_path / "toy", api_url)
    since, told = datetime.now(UTC), f"seed {seed}: events {plan}, that of {wrong} by a wrong clock"
    with runners(toy, "left", "right") as both:
        for number, due in enumerate(plan):
            give(toy, BATCHES[number])
            for about in due:
                announced_twice(api_url, f"{BATCHES[about]} of seed {seed}", dice, is_wrong=about == wrong)
            if due and number >= killing:
                told += f", {killed(toy, both, since, dice.uniform(0, 2), is_alone)} after event {due[-1]}"
                killing = len(BATCHES)
            time.sleep(dice.uniform(0, 3))
        print(told)
        swept(api_url)
        wait_for(lambda: not flow_runs(toy, since, *UNDER_WAY, "SCHEDULED"), told)

    batches = Ledger(toy.root / ".autoglm/ledger.db").batches()
    assert [batch.state for batch in batches] == ["published"] * len(undisturbed), told
    assert ids(toy) == undisturbed, told
    assert [batch.release for batch in batches] == undisturbed, told
    assert not flow_runs(toy, since, *UNDER_WAY), told
    is_sound(toy)


def planned(dice: random.Random) -> list[list[int]]:
    """For each batch the numbers of those whose event is sent once it is there: two pairs are swapped, two or three are lost."""
    due = [[number] for number in range(len(BATCHES))]
    first, second, middle, _ = dice.sample([0, 2, 4, 6], 4)
    for early in (first, second):
        due[early], due[early + 1] = [], [early + 1, early]
    for lost in (middle, middle + 1, *dice.choice([(), (len(BATCHES) - 1,)])):
        due[lost] = []
    return due


def announced_twice(api: str, what: str, dice: random.Random, is_wrong: bool) -> None:
    """Two events, half of the time under one id; ``is_wrong``: by a clock that is an hour off."""
    first, second = (str(uuid.UUID(int=dice.getrandbits(128), version=4)) for _ in range(2))
    off = timedelta(hours=dice.choice([-1, 1]) if is_wrong else 0)
    for number in (first, dice.choice([first, second])):
        event = {
            "id": number,
            "occurred": (datetime.now(UTC) + off).isoformat(),
            "event": servers.EVENT,
            "resource": {"prefect.resource.id": servers.INBOX},
            "payload": {"entry": what},
        }
        servers.ask(api, "/events", [event], timeout=PATIENCE)


def killed(
    toy: ToyProject, both: list[subprocess.Popen[bytes]], since: datetime, after: float, is_alone: bool
) -> str:
    """kill -9, ``after`` seconds of a run, of the runner that has it: alone, or with all that it started."""
    wait_for(lambda: owners(toy, both, since), "no event started a run")
    time.sleep(after)
    victim = (owners(toy, both, since) or both)[0]
    (os.kill if is_alone else os.killpg)(victim.pid, signal.SIGKILL)
    victim.wait()
    return f"runner {both.index(victim)} killed {'alone' if is_alone else 'with its children'}"


def owners(
    toy: ToyProject, both: list[subprocess.Popen[bytes]], since: datetime
) -> list[subprocess.Popen[bytes]]:
    """The runners that have a run at work; a run is labelled with its process, of its runner's group."""
    found = []
    for run in flow_runs(toy, since, "RUNNING"):
        try:
            group = os.getpgid(int(run["labels"]["autoglm.pid"]))
        except (KeyError, ProcessLookupError):
            continue
        found += [runner for runner in both if runner.pid == group]
    return found


def swept(api: str) -> None:
    """A run as the schedule starts it every five minutes, now."""
    (found,) = [
        row
        for row in servers.ask(api, "/deployments/filter", {}, timeout=PATIENCE)
        if row["name"] == "continual"
    ]
    path, given = f"/deployments/{found['id']}/create_flow_run", {"parameters": {"why": "sweep"}}
    servers.ask(api, path, given, timeout=PATIENCE)


def flow_runs(toy: ToyProject, since: datetime, *states: str) -> list[dict[str, Any]]:
    """Those that became due since then; not the schedules' next ones."""
    soon = datetime.now(UTC) + timedelta(seconds=10)  # one that waits for a slot asks again by then
    body = {
        "flow_runs": {
            "state": {"type": {"any_": states}},
            "expected_start_time": {"after_": since.isoformat(), "before_": soon.isoformat()},
        }
    }
    found: list[dict[str, Any]] = servers.ask(toy.api_url, "/flow_runs/filter", body, timeout=PATIENCE)
    return found


def wait_for(condition: Callable[[], object], told: str, seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not in {seconds:g} s: {told}"
        time.sleep(0.1)
