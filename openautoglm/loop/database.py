"""The one SQLite file behind ledger and lease: ``.autoglm/ledger.db``, in WAL mode.

Readers never wait for a writer, a writer waits for another one, and a kill -9 leaves the last committed state.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 30.0  # seconds that a writer waits for another one

TABLES = """
CREATE TABLE IF NOT EXISTS batches (
    entry   TEXT PRIMARY KEY,           -- name in the inbox: number, stem and content hash
    state   TEXT NOT NULL,              -- pending | running | published | refused | aside
    arrived REAL NOT NULL,              -- seconds since 1970
    token   INTEGER NOT NULL DEFAULT 0, -- of the lease under which it was last taken
    tries   INTEGER NOT NULL DEFAULT 0, -- times that it failed
    release TEXT,
    why     TEXT NOT NULL DEFAULT '',
    times   TEXT NOT NULL DEFAULT '{}'  -- {what: seconds since 1970}, JSON
);
CREATE TABLE IF NOT EXISTS lease (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    token   INTEGER NOT NULL,           -- grows with every holder, never falls
    holder  TEXT NOT NULL,              -- '' while nobody holds it
    host    TEXT NOT NULL,
    pid     INTEGER NOT NULL,
    started REAL NOT NULL,              -- when that process started: numbers are used again
    until   REAL NOT NULL               -- seconds since 1970; a holder that does not renew it has lost it
);
CREATE TABLE IF NOT EXISTS wanted (
    what    TEXT PRIMARY KEY,           -- a flow that somebody asked for, such as retrain
    why     TEXT NOT NULL,
    since   REAL NOT NULL
);
"""


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction that nobody else writes in; committed at the end, rolled back by an exception."""
    connection = _open(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.close()


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    connection = _open(path)
    try:
        yield connection
    finally:
        connection.close()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'wanted'").fetchone():
        connection.executescript(f"BEGIN IMMEDIATE;{TABLES}COMMIT;")
    return connection
