"""The one SQLite file behind ledger and lease: ``.autoglm/ledger.db``, in WAL mode.

Readers never wait for a writer, a writer waits for another one, and a kill -9 leaves the last committed state.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openautoglm.errors import AutoGLMError

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
    started REAL NOT NULL,              -- of that process's start (processes.py): numbers are used again
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
    with reading(path) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection without a transaction.

    Raises:
        AutoGLMError: the file is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        _prepare(connection)
        yield connection
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # a full disk, a busy file, a statement of ours
            raise
        raise AutoGLMError(
            f"{path}: damaged: {error}; while no run is at work, move it away together with {path.name}-wal and "
            f"{path.name}-shm: the next run writes it anew from the inbox and the release in service"
        ) from error
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'wanted'").fetchone():
        connection.executescript(f"BEGIN IMMEDIATE;{TABLES}COMMIT;")
