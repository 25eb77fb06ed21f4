"""autoglm nodes"""

from __future__ import annotations

import datetime
import json
from typing import Any

import click

from openautoglm.commands._store import open_store
from openautoglm.release.messages import NodeState, listed

SILENT = 3  # heartbeats that did not come


@click.command(epilog="Example: autoglm nodes --store s3://models/releases --json")
@click.option("--store", metavar="URL", help="Folder or URL of the release store; default: params.yaml's.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(store: str | None, as_json: bool) -> None:
    """Which node serves what, since when, when it was last heard of, and what it refused."""
    found, _ = open_store(store)
    states, faults = listed(found.storage)
    rows = [_row(state) for state in states]
    for fault in faults:
        click.echo(fault, err=True)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif not rows:
        click.echo(
            f"{found.url}: no node has said anything; autoglm serve --follow and autoglm pull --follow do"
        )
    else:
        _print(rows)


def _row(state: NodeState) -> dict[str, Any]:
    beat, last = state.heartbeat, state.acks[-1] if state.acks else None
    age = _age(beat.when) if beat else None
    return {
        "node": state.node,
        "release": state.have.current,
        "since": state.have.since,
        "channel": state.hello.channel,
        "heard": beat.when if beat else None,
        "seconds_ago": round(age, 1) if age is not None else None,
        "silent": beat is None or age is None or age > SILENT * beat.every,
        "wants": state.want.release,
        "refused": last.reason if last and not last.accepted else None,
        "holds": list(state.have.releases),
        "requests": beat.requests if beat else 0,
        "failures": beat.failures if beat else 0,
        "host": state.hello.host,
        "software": state.hello.software,
        "last_change": last.seconds if last and last.accepted else None,
    }


def _age(when: str) -> float:
    return (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(when)).total_seconds()


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("node", "serves", "since (UTC)", "heard", "requests", "state"):
        table.add_column(name, justify="right" if name in ("heard", "requests") else "left")
    for row in rows:
        heard = f"{row['seconds_ago']:.0f} s ago" if row["seconds_ago"] is not None else "never"
        state = "silent" if row["silent"] else f"refused: {row['refused']}" if row["refused"] else "serving"
        since = (row["since"] or "?")[:19].replace("T", " ")
        table.add_row(row["node"], row["release"] or "nothing", since, heard, str(row["requests"]), state)
    Console(width=max(Console().width, 120)).print(table)
