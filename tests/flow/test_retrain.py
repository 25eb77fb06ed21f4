"""A retrain challenges the release in service: it takes its place, or the champion stays and the run says why."""

from __future__ import annotations

import sys
from typing import Any

from chain import give, head, ids, states, store
from project import FIRST, ToyProject, fates

from openautoglm.loop import Ledger

RETRAIN = (sys.executable, "-m", "openautoglm.cli", "retrain")


def ledger(toy: ToyProject) -> Ledger:
    return Ledger(toy.root / ".autoglm/ledger.db")


def moves(toy: ToyProject) -> list[tuple[Any, ...]]:
    """(kind, from, to) of every log entry."""
    return [(entry["kind"], entry.get("from"), entry.get("to")) for entry in store(toy).log()]


def test_a_challenger_that_passes_takes_the_champions_place(ran: ToyProject) -> None:
    champion = head(ran)
    (waiting,) = give(ran, "waiting")
    said = ran.run(*RETRAIN, "--why", "autumn")

    challenger = head(ran)
    assert challenger is not None
    assert ids(ran) == [champion, challenger]
    assert moves(ran) == [("publish", None, champion), ("publish", champion, challenger)]
    assert f"release  {challenger} published" in said
    facts = store(ran).get(challenger).facts
    assert (facts["params"]["train"]["start"], facts["params"]["train"]["parent"]) == ("pretrained", champion)
    assert facts["data"]["entries"] == [FIRST.removeprefix("inbox/")], f"{waiting} was not taken so far"
    assert states(ran) == ["published", "pending"]

    again = ran.run(*RETRAIN)
    assert fates(again) == {}, "nothing came since: it is that very release"
    assert "unchanged, it was published before" in again
    assert len(moves(ran)) == 2
    assert head(ran) == challenger
    assert store(ran).verify() == []


def test_the_champion_stays_where_a_gate_refuses_the_challenger(ran: ToyProject) -> None:
    champion = head(ran)
    ledger(ran).want("retrain", "autumn")
    ran.run(*RETRAIN, "--dry-run")
    assert ledger(ran).wanted() == {"retrain": "autumn"}, "a dry run is not what was asked for"
    ran.edit("params.yaml", "min_accuracy: 0.5 ", "min_accuracy: 0.95 ")
    said = ran.run(*RETRAIN)

    assert f"champion stays: {champion}; not published: accuracy: 0.9" in said
    assert "ChampionStays" in said
    assert (head(ran), ids(ran)) == (champion, [champion])
    assert [kind for kind, *_ in moves(ran)] == ["publish", "dry-run", "rejection"]
    assert moves(ran)[-1][1:] == (champion, champion)
    assert "accuracy" in store(ran).log()[-1]["why"]
    assert ledger(ran).wanted() == {}, "it was tried: the next sweep does not ask again"
