"""A batch that drifts: it is announced, and where the params say so a retrain is asked for, run, and asked for no more."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chain import continual, give, head, ids, store
from project import ToyProject

from openautoglm.loop import Ledger, servers

CLI = (sys.executable, "-m", "openautoglm.cli")
Eventually = Callable[..., None]


@pytest.fixture(scope="module")
def one_batch(tmp_path_factory: pytest.TempPathFactory, api_url: str) -> ToyProject:
    """A checkout where one batch is in service, to copy."""
    toy = ToyProject.create(tmp_path_factory.mktemp("one") / "toy", api_url)
    continual(toy)
    return toy


@pytest.fixture
def served(one_batch: ToyProject, tmp_path: Path) -> ToyProject:
    return one_batch.copied(tmp_path / "toy")


def wanted(toy: ToyProject) -> dict[str, str]:
    return Ledger(toy.root / ".autoglm/ledger.db").wanted()


def events(toy: ToyProject, name: str, word: str) -> list[dict[str, Any]]:
    """What the server was told under ``name`` with ``word`` in it."""
    since = datetime.now(UTC) - timedelta(minutes=10)
    asked = {"event": {"name": [name]}, "occurred": {"since": since.isoformat()}, "order": "ASC"}
    found = servers.ask(toy.api_url, "/events/filter", {"filter": asked, "limit": 50})["events"]
    return [event for event in found if word in str(event["payload"])]


def test_a_drifted_batch_is_announced_and_the_retrain_it_asks_for_runs_once(
    served: ToyProject, eventually: Eventually
) -> None:
    served.edit("params.yaml", "retrain_on_drift: false ", "retrain_on_drift: true ")
    (entry,) = give(served, "strange-and-wanted")
    said = continual(served)

    assert f"{entry}: drifted in words" in said
    assert wanted(served) == {"retrain": f"{entry} drifted in words"}
    eventually(lambda: events(served, "autoglm.retrain.wanted", entry), 20)
    (drift,) = events(served, "autoglm.drift.detected", entry)
    assert drift["payload"] == {"entry": entry, "words": 0.4}, "what is within its bound is not told"
    (wish,) = events(served, "autoglm.retrain.wanted", entry)
    assert wish["payload"] == {"why": f"{entry} drifted in words"}
    assert {event["resource"]["prefect.resource.id"] for event in (drift, wish)} == {servers.INBOX}, (
        "the trigger of the deployment matches it"
    )

    before = ids(served)
    served.run(*CLI, "watch", "--once")
    assert wanted(served) == {}
    assert ids(served)[:-1] == before
    assert head(served) == ids(served)[-1]
    assert store(served).get(head(served)).facts["params"]["train"]["start"] == "pretrained"
    served.run(*CLI, "watch", "--once")
    assert len(ids(served)) == len(before) + 1


def test_a_drifted_batch_alone_asks_for_nothing(served: ToyProject, eventually: Eventually) -> None:
    (entry,) = give(served, "strange-and-told")
    assert f"{entry}: drifted in words" in continual(served)

    eventually(lambda: events(served, "autoglm.drift.detected", entry), 20)
    assert wanted(served) == {}
    assert events(served, "autoglm.retrain.wanted", entry) == []


def test_a_batch_like_the_others_is_no_drift(served: ToyProject) -> None:
    served.edit("params.yaml", "retrain_on_drift: false ", "retrain_on_drift: true ")
    give(served, "ordinary")
    assert "drifted" not in continual(served)
    assert wanted(served) == {}
