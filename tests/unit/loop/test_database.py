"""The file of ledger and lease: in WAL mode whoever makes it, so that readers wait for nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from openautoglm.loop import Ledger, hold
from openautoglm.loop.database import writing


def by_ledger(path: Path) -> None:
    Ledger(path).arrive(["0001-a"])


def by_lease(path: Path) -> None:
    with hold(path, "a run"):
        pass


@pytest.mark.parametrize("made", [by_ledger, by_lease])
def test_whoever_makes_the_file_leaves_it_in_wal_mode(tmp_path: Path, made: Callable[[Path], None]) -> None:
    path = tmp_path / "ledger.db"
    made(path)
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()


def test_a_reader_does_not_wait_for_a_writer_and_sees_what_was_committed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.want("retrain", "drift")
    with writing(ledger.path) as database:
        database.execute("DELETE FROM wanted")
        other = sqlite3.connect(ledger.path, timeout=0)  # where it had to wait, it would raise
        assert other.execute("SELECT what FROM wanted").fetchall() == [("retrain",)]
        assert ledger.wanted() == {"retrain": "drift"}
    assert other.execute("SELECT what FROM wanted").fetchall() == []
    other.close()
