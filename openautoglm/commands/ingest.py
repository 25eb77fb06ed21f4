"""autoglm ingest"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from openautoglm.commands._batches import check, put, share
from openautoglm.commands._checkout import root
from openautoglm.errors import UserError
from openautoglm.files import LEDGER
from openautoglm.loop import Batch, Ledger, servers
from openautoglm.loop.lease import holder_of

TAKERS = "`autoglm up` (by itself, from now on), `autoglm watch` or `autoglm run`"
STEP = 0.2  # seconds between looks while waiting
CODES = {"published": 0, "refused": 1, "aside": 2}


@click.command(epilog="Example: autoglm ingest today.jsonl --wait")
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@click.option(
    "--wait", is_flag=True, help="Until it is published, refused or set aside; then the time by stage."
)
@click.option(
    "--timeout", type=float, default=3600.0, show_default=True, metavar="SECONDS", help="Of --wait."
)
def command(sources: tuple[str, ...], wait: bool, timeout: float) -> None:
    """Put batches into the inbox: files, folders or URLs (JSONL, CSV, Parquet), and say that they are there.

    A file that is empty or begins with nothing of its kind is refused with exit code 2; what is wrong further down
    is for the run to find.

    Exit code with --wait: 0 published, 1 refused by a gate, 2 set aside for its data, or nobody took it.
    """
    folder = root()
    check(folder, sources)
    entries = [put(folder, source) for source in sources]
    ledger = Ledger(folder / LEDGER)
    ledger.arrive(entries)
    share(folder)
    idle = announce(folder, entries)
    if idle:
        click.echo(idle)
    if wait:
        _wait(folder, ledger, entries, timeout, idle)


def announce(folder: Path, entries: Sequence[str]) -> str:
    """Emit the event of each entry; returns why no run would start by it, in one line; empty: one does."""
    api = servers.api_url(folder)
    if api is None:
        return f"no Prefect server: the batch is taken by {TAKERS}"
    try:
        for entry in entries:
            servers.announce(api, entry, **_rows(folder, entry))
        return servers.why_idle(api)
    except OSError as error:
        return f"{api}: {error}; the batch is in the inbox all the same, and taken by {TAKERS}"


def _rows(folder: Path, entry: str) -> dict[str, int]:
    """How many documents, where one line is one."""
    from openautoglm.commands._batches import inbox_of

    path = inbox_of(folder) / entry
    if path.suffix != ".jsonl":
        return {}
    with path.open("rb") as lines:
        return {"rows": sum(1 for line in lines if line.strip())}


def _wait(folder: Path, ledger: Ledger, entries: Sequence[str], timeout: float, idle: str) -> None:
    """Say what became of the entries; leaves with an exit code when one was not published.

    Raises:
        UserError: nobody is there to take it, or nobody did in time.
    """
    if idle and not _is_taken(folder, ledger, entries):
        raise UserError(f"nobody is there to take {', '.join(entries)}; start {TAKERS}")
    until, left, code = time.monotonic() + timeout, list(entries), 0
    while left:
        batch = ledger.get(left[0])
        if batch is not None and batch.is_done:
            click.echo(fate(batch))
            code = max(code, CODES[batch.state])
            left.pop(0)
        elif time.monotonic() > until:
            raise UserError(
                f"{left[0]}: {_state(batch)} after {timeout:g} s; see `autoglm status` and `autoglm doctor`"
            )
        else:
            time.sleep(STEP)
    if code:
        raise click.exceptions.Exit(code)


def _is_taken(folder: Path, ledger: Ledger, entries: Sequence[str]) -> bool:
    """Whether it is done already, or a run or a watcher is at work that takes it too."""
    found = [ledger.get(entry) for entry in entries]
    if all(batch is not None and batch.is_done for batch in found):
        return True
    watching = servers.record(folder / servers.FOLDER, "watch") is not None
    return watching or holder_of(ledger.path) is not None


def _state(batch: Batch | None) -> str:
    if batch is None:
        return "gone from the inbox"
    return f"still {batch.state}" + (f" ({batch.why})" if batch.why else "")


def fate(batch: Batch) -> str:
    """What became of ``batch``, and how long each part of its way took."""
    if batch.state != "published":
        return f"{batch.entry}: {batch.state}: {batch.why}"
    lines = [f"{batch.entry}: published as {batch.release}"]
    if way := batch.way():
        lines[0] += f", {sum(way.values()):.1f} s after it arrived"
        lines += [f"  {part:<16} {seconds:6.1f} s" for part, seconds in way.items()]
    return "\n".join(lines)
