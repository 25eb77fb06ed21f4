"""One training at a time: a lease with a heartbeat and a fencing token.

    with hold(path, "continual", floor=3) as lease:
        ...
        lease.check()          # raises LeaseLost when somebody else holds it by now

The token grows with every holder. Whatever a holder does to shared state carries its token, and state that has seen a
higher one refuses it (Kleppmann, "How to do distributed locking", 2016): a holder that slept through its lease can do
no harm when it wakes up. A holder that died on this machine is followed at once, one elsewhere after its time limit.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openautoglm.errors import AutoGLMError
from openautoglm.loop.database import reading, writing
from openautoglm.processes import is_process, started

LIFE = 60.0  # seconds that a lease lasts without a heartbeat
BEAT = 15.0  # seconds between heartbeats
POLL = 0.5  # seconds between looks while somebody else holds it


class LeaseLost(AutoGLMError):
    """Somebody else holds the lease by now; what this run was about to do, they do."""


@dataclass(frozen=True)
class Lease:
    path: Path
    token: int
    holder: str

    def check(self) -> None:
        """Raises LeaseLost unless this is still the holder."""
        with reading(self.path) as database:
            row = database.execute("SELECT * FROM lease").fetchone()
        if row is None or row["token"] != self.token:
            raise LeaseLost(
                f"the training lease went from {self.holder} to {row['holder'] if row else 'nobody'} "
                "while this run was not heard of; that run does what is left to do"
            )

    def renew(self, life: float = LIFE) -> bool:
        """Hold it for ``life`` seconds more; False: it is somebody else's by now."""
        with writing(self.path) as database:
            done = database.execute(
                "UPDATE lease SET until = ? WHERE token = ?", (time.time() + life, self.token)
            )
            return done.rowcount == 1

    def release(self) -> None:
        with writing(self.path) as database:
            database.execute("UPDATE lease SET holder = '', until = 0 WHERE token = ?", (self.token,))


@contextmanager
def hold(
    path: Path,
    holder: str,
    *,
    floor: int = 0,
    wait: float = float("inf"),
    life: float = LIFE,
    beat: float = BEAT,
    log: Callable[[str], object] = print,
) -> Iterator[Lease]:
    """Hold the lease, kept alive by a thread; wait for whoever holds it now.

    Args:
        floor: a token that was seen elsewhere (the release store); ours becomes higher.
        wait: seconds after which to give up.

    Raises:
        LeaseLost: ``wait`` is over.
    """
    until, told = time.monotonic() + wait, ""
    while not (lease := _take(path, holder, floor, life)):
        if (other := holder_of(path)) and other != told:
            log(f"waiting: {other} is training")
            told = other
        if time.monotonic() > until:
            raise LeaseLost(f"{told or 'another run'} is training; try again later")
        time.sleep(POLL)
    stop = threading.Event()
    thread = threading.Thread(target=_keep_alive, args=(lease, stop, beat, life), daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        stop.set()
        thread.join()
        lease.release()


def holder_of(path: Path) -> str | None:
    """Who trains now; None: nobody."""
    with reading(path) as database:
        row = database.execute("SELECT * FROM lease").fetchone()
    return None if row is None or _is_free(row) else str(row["holder"])


def _take(path: Path, holder: str, floor: int, life: float) -> Lease | None:
    with writing(path) as database:
        row = database.execute("SELECT * FROM lease").fetchone()
        if row is not None and not _is_free(row):
            return None
        token = max(row["token"] if row else 0, floor) + 1
        database.execute(
            "INSERT OR REPLACE INTO lease VALUES (1, ?, ?, ?, ?, ?, ?)",
            (token, holder, platform.node(), os.getpid(), started(os.getpid()), time.time() + life),
        )
    return Lease(path, token, holder)


def _is_free(row: sqlite3.Row) -> bool:
    if not row["holder"] or row["until"] < time.time():
        return True
    return row["host"] == platform.node() and not is_process(row["pid"], row["started"])


def _keep_alive(lease: Lease, stop: threading.Event, beat: float, life: float) -> None:
    while not stop.wait(beat):
        try:
            if not lease.renew(life):
                return
        except sqlite3.OperationalError:
            continue  # a full disk or a busy file: the next beat may come through
