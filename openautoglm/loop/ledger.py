"""The ledger: which batch of the inbox is where, so that each is taken exactly once.

    ledger = Ledger(root / ".autoglm/ledger.db")
    ledger.arrive(["0003-tickets-3fa9c1d2.jsonl"])     # again and again, it changes nothing
    batch = ledger.take(lease.token)                   # the oldest that is left, now `running`
    ledger.finish(batch.entry, lease.token, "published", release="v000003-…")

    pending → running → published      learnt from, its release is in the store
                      → refused        a gate said no; its documents stay, the next batch's candidate has them too
                      → aside          failed its checks three times; moved out of the inbox
                      → pending        the run broke, or died

The inbox is the truth and the ledger a memory of it: an entry that the ledger does not know is pending, and a ledger
that is lost is written anew from the inbox and the release in service.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from openautoglm.corpus.inbox import place
from openautoglm.loop.database import reading, writing
from openautoglm.loop.lease import LeaseLost

State = Literal["pending", "running", "published", "refused", "aside"]
END: tuple[State, ...] = ("published", "refused", "aside")
# of a batch's way; two stages of one part run side by side
PARTS = {
    "ingest": ("ingest",),
    "validate": ("validate",),
    "graph": ("graph",),
    "train": ("train",),
    "evaluate-export": ("evaluate", "export"),
    "publish": ("publish",),
}


@dataclass(frozen=True)
class Batch:
    """One row of the ledger; ``times`` in seconds since 1970."""

    entry: str
    state: State
    arrived: float
    tries: int
    release: str | None
    why: str
    times: Mapping[str, float]

    @property
    def is_done(self) -> bool:
        return self.state in END

    def way(self) -> dict[str, float] | None:
        """{part: seconds} from arrival to the end, together the whole; None where no continual run took it so far.

        Of stages that run side by side the longer one counts.
        """
        if not {"taken", "done"} <= self.times.keys():
            return None
        parts = {part: max(self.times.get(stage, 0.0) for stage in stages) for part, stages in PARTS.items()}
        parts = {"waiting": max(self.times["taken"] - self.arrived, 0.0), **parts}
        rest = self.times["done"] - self.arrived - sum(parts.values())
        return {**parts, "rest": max(rest, 0.0)}


class Ledger:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        found = self.batches()
        counts = {
            state: sum(batch.state == state for batch in found) for state in ("pending", "running", *END)
        }
        told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        return f"Ledger({told or 'empty'})"

    def batches(self) -> list[Batch]:
        """All, in order of arrival."""
        with reading(self.path) as database:
            found = [_batch(row) for row in database.execute("SELECT * FROM batches")]
        return sorted(found, key=lambda batch: place(batch.entry))

    def get(self, entry: str) -> Batch | None:
        with reading(self.path) as database:
            row = database.execute("SELECT * FROM batches WHERE entry = ?", (entry,)).fetchone()
        return _batch(row) if row else None

    def arrive(self, entries: Iterable[str]) -> list[str]:
        """Note entries of the inbox; returns those that were new. What is known keeps its state.

        What was set aside and lies in the inbox again was given again: it is pending once more.
        """
        with writing(self.path) as database:
            known = {
                row["entry"]: row["state"] for row in database.execute("SELECT entry, state FROM batches")
            }
            new = [entry for entry in entries if known.get(entry, "aside") == "aside"]
            database.executemany(
                "INSERT OR REPLACE INTO batches (entry, state, arrived) VALUES (?, 'pending', ?)",
                [(entry, time.time()) for entry in new],
            )
        return new

    def keep_only(self, entries: Iterable[str]) -> None:
        """Drop what left the inbox by hand; what was set aside stays on record."""
        kept = set(entries)
        with writing(self.path) as database:
            gone = [
                row["entry"]
                for row in database.execute("SELECT entry FROM batches WHERE state != 'aside'")
                if row["entry"] not in kept
            ]
            database.executemany("DELETE FROM batches WHERE entry = ?", [(entry,) for entry in gone])

    def rename(self, old: str, new: str | None) -> None:
        """An entry has another name since some of its rows were taken out; None: nothing of it was left."""
        with writing(self.path) as database:
            if (
                new is not None
                and database.execute("SELECT 1 FROM batches WHERE entry = ?", (old,)).fetchone()
            ):
                database.execute("DELETE FROM batches WHERE entry = ?", (new,))
                database.execute("UPDATE batches SET entry = ? WHERE entry = ?", (new, old))
            database.execute("DELETE FROM batches WHERE entry = ?", (old,))

    def take(self, token: int) -> Batch | None:
        """The oldest batch that is not done, now running under ``token``; None: nothing is left.

        One that an earlier holder of the lease left running is its rest: it comes first, and starts over.
        """
        with writing(self.path) as database:
            rows = database.execute("SELECT * FROM batches WHERE state IN ('pending', 'running')").fetchall()
            if not rows:
                return None
            row = min(rows, key=lambda row: place(row["entry"]))
            times = json.loads(row["times"]) | {"taken": time.time()}
            _move(database, row["entry"], token, state="running", token=token, times=json.dumps(times))
        return self.get(row["entry"])

    def finish(
        self,
        entry: str,
        token: int,
        state: State,
        *,
        release: str | None = None,
        why: str = "",
        **times: float,
    ) -> None:
        """Close a batch, with more ``times`` to remember; ``done`` is now, where it is not among them.

        Raises:
            LeaseLost: somebody else took it meanwhile.
        """
        with writing(self.path) as database:
            row = database.execute("SELECT times FROM batches WHERE entry = ?", (entry,)).fetchone()
            noted = json.loads(row["times"] if row else "{}") | {"done": time.time()} | times
            _move(database, entry, token, state=state, release=release, why=why, times=json.dumps(noted))

    def postpone(self, entry: str, token: int, why: str) -> int:
        """Back to pending after a failure; returns how often it failed so far."""
        with writing(self.path) as database:
            _move(database, entry, token, state="pending", why=why)
            database.execute("UPDATE batches SET tries = tries + 1 WHERE entry = ?", (entry,))
            row = database.execute("SELECT tries FROM batches WHERE entry = ?", (entry,)).fetchone()
        return int(row["tries"])

    def back(self, entry: str, token: int, why: str) -> None:
        """Back to pending, through no fault of its own."""
        with writing(self.path) as database:
            _move(database, entry, token, state="pending", why=why)

    def learnt(self, entries: Sequence[str], release: str) -> None:
        """A release learnt from ``entries``, whichever door made it: none of them is pending any more."""
        self.arrive(entries)
        with writing(self.path) as database:
            database.executemany(
                "UPDATE batches SET state = 'published', release = ?, why = '' "
                "WHERE entry = ? AND state IN ('pending', 'refused')",
                [(release, entry) for entry in entries],
            )

    def want(self, what: str, why: str) -> None:
        """Ask for a flow that is to run when it can, such as `retrain`; asking again changes nothing."""
        with writing(self.path) as database:
            database.execute("INSERT OR IGNORE INTO wanted VALUES (?, ?, ?)", (what, why, time.time()))

    def wanted(self) -> dict[str, str]:
        """{flow: why} that nobody ran yet."""
        with reading(self.path) as database:
            return {
                row["what"]: row["why"] for row in database.execute("SELECT * FROM wanted ORDER BY since")
            }

    def did(self, what: str) -> None:
        with writing(self.path) as database:
            database.execute("DELETE FROM wanted WHERE what = ?", (what,))


def _move(database: sqlite3.Connection, entry: str, under: int, **columns: object) -> None:
    """Change a row, unless a later holder of the lease has it."""
    columns = {"token": under, **columns}
    names = ", ".join(f"{name} = :{name}" for name in columns)
    done = database.execute(
        f"UPDATE batches SET {names} WHERE entry = :_entry AND token <= :_under",
        {**columns, "_entry": entry, "_under": under},
    )
    if done.rowcount != 1:
        raise LeaseLost(
            f"{entry}: taken by a later run, or gone from the ledger; that run says what became of it"
        )


def _batch(row: sqlite3.Row) -> Batch:
    return Batch(
        entry=row["entry"],
        state=row["state"],
        arrived=row["arrived"],
        tries=row["tries"],
        release=row["release"],
        why=row["why"],
        times=json.loads(row["times"]),
    )
