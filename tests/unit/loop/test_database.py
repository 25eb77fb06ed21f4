"""The file of ledger and lease: in WAL mode whoever makes it, so that readers wait for nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from openautoglm.loop import Ledger, database, hold


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


def test_a_writer_and_a_slow_reader_do_not_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.1)  # seconds; who had to wait longer would raise
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.want("retrain", "drift")
    reader = sqlite3.connect(ledger.path, timeout=0.1, isolation_level=None)
    reader.execute("BEGIN")
    asked = "SELECT what FROM wanted"
    assert reader.execute(asked).fetchall() == [("retrain",)]
    ledger.did("retrain")
    assert reader.execute(asked).fetchall() == [("retrain",)], "what was so when it began"
    reader.execute("COMMIT")
    assert reader.execute(asked).fetchall() == []
    reader.close()
