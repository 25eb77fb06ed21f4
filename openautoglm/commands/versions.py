"""autoglm versions"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openautoglm.commands._store import megabytes, open_store
from openautoglm.files import LEDGER

if TYPE_CHECKING:
    from openautoglm.loop import Batch
    from openautoglm.loop.history import Version

TONES = {
    "in service": "bold green",
    "previous": "green",
    "rejected": "dim",
    "rolled back": "red",
    "taken back": "red",
}


@click.command(epilog="Example: autoglm versions --json")
@click.option("--store", metavar="URL", help="Folder or URL of the release store; default: params.yaml's.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the chain page there.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(store: str | None, html: Path | None, as_json: bool) -> None:
    """Every release: when, from what, how good, how large, and what became of it."""
    from openautoglm.loop.history import read

    found, channel = open_store(store)
    if html:
        from openautoglm.loop.page import write_chain

        write_chain(found, channel, html, _batches() if store is None else [])
        click.echo(f"{html} shows the releases of {found.url}")
        return
    rows = [_row(version) for version in read(found, channel).versions]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo(f"{found.url}: no release yet; autoglm run publishes the first")
        return
    _print(rows)


def _batches() -> list[Batch]:
    """What the ledger of the checkout around us knows; it has the times of the stages."""
    from openautoglm.commands._checkout import root
    from openautoglm.loop import Ledger

    path = root() / LEDGER
    return Ledger(path).batches() if path.is_file() else []


def _row(version: Version) -> dict[str, Any]:
    return {
        "id": version.id,
        "published": version.when if version.state != "rejected" else None,
        "when": version.when,
        "parent": version.parent,
        "batches": list(version.batches),
        "how": "joint" if version.joint else version.mode,
        "accuracy": version.metrics.get("accuracy"),
        **{
            name: version.summary.get(name)
            for name in ("average_accuracy", "backward_transfer", "forgetting", "forward_transfer")
        },
        "kind": version.kind,
        "sent": version.sent,
        "full": version.full,
        "state": version.state,
        "why": version.why,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("release", "when (UTC)", "new data", "accuracy", "BWT", "weights sent", "state"):
        right = name in ("accuracy", "BWT", "weights sent")
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "new data")
    for row in rows:
        rejected = row["state"] == "rejected"
        table.add_row(
            row["id"],
            (row["when"] or "?")[:16].replace("T", " "),
            row["why"] if rejected else _some(row["batches"]),
            "" if row["accuracy"] is None else f"{row['accuracy']:.2%}",
            "" if row["backward_transfer"] is None else f"{100 * row['backward_transfer']:+.1f}",
            "" if rejected else f"{megabytes(row['sent'])} {row['kind']}",
            row["state"],
            style=TONES.get(row["state"], ""),
        )
    # a narrow terminal wraps the line rather than hiding half of an id
    Console(width=max(Console().width, 110)).print(table)


def _some(batches: list[str]) -> str:
    """Names of a few, the number of many."""
    if len(batches) > 3:
        return f"{batches[0]} and {len(batches) - 1} more"
    return ", ".join(batches) or "none"
