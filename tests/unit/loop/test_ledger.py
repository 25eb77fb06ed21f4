"""Which batch is where: each is taken once, in order, and only by who holds the lease."""

from __future__ import annotations

from pathlib import Path

import pytest

from openautoglm.loop import LeaseLost, Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / ".autoglm/ledger.db")
    assert ledger.arrive(["0001-a", "0002-b"]) == ["0001-a", "0002-b"]
    return ledger


def states(ledger: Ledger) -> dict[str, str]:
    return {batch.entry: batch.state for batch in ledger.batches()}


def taken(ledger: Ledger, token: int) -> str | None:
    batch = ledger.take(token)
    return batch.entry if batch else None


def test_each_once_and_in_order(ledger: Ledger) -> None:
    assert ledger.arrive(["0002-b", "0001-a"]) == []
    assert taken(ledger, 1) == "0001-a"
    ledger.finish("0001-a", 1, "published", release="v000001-x", train=2.5)
    assert taken(ledger, 1) == "0002-b"
    ledger.finish("0002-b", 1, "refused", why="worse")
    assert taken(ledger, 1) is None
    done = ledger.get("0001-a")
    assert done is not None
    assert (done.release, done.times["train"], done.is_done) == ("v000001-x", 2.5, True)
    assert ledger.arrive(["0001-a"]) == [], "what is done stays done"


def test_what_a_dead_run_left_is_taken_again_and_the_dead_one_can_write_no_more(ledger: Ledger) -> None:
    assert taken(ledger, 1) == "0001-a"
    assert taken(ledger, 2) == "0001-a"
    for late in (
        lambda: ledger.finish("0001-a", 1, "published"),
        lambda: ledger.postpone("0001-a", 1, "late"),
    ):
        with pytest.raises(LeaseLost):
            late()
    ledger.finish("0001-a", 2, "published")
    assert states(ledger) == {"0001-a": "published", "0002-b": "pending"}


def test_failures_are_counted_and_what_was_set_aside_can_be_given_again(ledger: Ledger) -> None:
    ledger.take(1)
    assert [ledger.postpone("0001-a", 1, "damaged") for _ in range(3)] == [1, 2, 3]
    ledger.finish("0001-a", 1, "aside", why="damaged")
    ledger.keep_only(["0002-b"])
    assert states(ledger) == {"0001-a": "aside", "0002-b": "pending"}, "on record, though it left the inbox"
    assert ledger.arrive(["0001-a", "0002-b"]) == ["0001-a"]
    again = ledger.get("0001-a")
    assert again is not None
    assert (again.state, again.tries) == ("pending", 0)


def test_a_release_made_elsewhere_settles_its_batches(ledger: Ledger) -> None:
    ledger.learnt(["0001-a", "0002-b"], "v000004-x")
    assert set(states(ledger).values()) == {"published"}
    assert taken(ledger, 1) is None


def test_what_left_the_inbox_leaves_the_ledger_and_a_lost_ledger_starts_anew(ledger: Ledger) -> None:
    ledger.keep_only(["0002-b"])
    assert states(ledger) == {"0002-b": "pending"}
    ledger.path.unlink()
    assert states(Ledger(ledger.path)) == {}


def test_a_wish_is_kept_until_it_was_done(ledger: Ledger) -> None:
    ledger.want("retrain", "drift")
    ledger.want("retrain", "again")
    assert ledger.wanted() == {"retrain": "drift"}
    ledger.did("retrain")
    assert ledger.wanted() == {}
