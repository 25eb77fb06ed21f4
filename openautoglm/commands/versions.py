"""autoglm versions"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from openautoglm.commands._store import megabytes, open_store
from openautoglm.release import Release, ReleaseStore


@click.command(epilog="Example: autoglm versions --json")
@click.option("--store", metavar="URL", help="Folder or URL of the release store; default: params.yaml's.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(store: str | None, as_json: bool) -> None:
    """Every release: when, from what, how good, how large, and which one is in service."""
    found, channel = open_store(store)
    head, published = found.head(channel), _published(found)
    rows = [_row(found.get(version), head, published) for version in found.versions()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo(f"{found.url}: no release yet; autoglm run publishes the first")
        return
    _print(rows)


def _published(store: ReleaseStore) -> dict[str, str]:
    """{release: when it was published first}. One reading of the log serves all rows: on S3 each entry is a request."""
    entries = [entry for entry in store.log() if entry["kind"] == "publish"]
    return {entry["release"]: entry["when"] for entry in reversed(entries)}


def _row(release: Release, head: Release | None, published: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": release.id,
        "published": published.get(release.id),
        "parent": release.parent,
        "accuracy": release.metrics.get("accuracy"),
        "kind": release.weights.kind,
        "sent": release.weights.own.size,
        "full": release.weights.size,
        "state": "in service" if head and head.id == release.id else "",
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("release", "published (UTC)", "accuracy", "weights sent", "of", "state"):
        table.add_column(name, justify="right" if name in ("accuracy", "weights sent", "of") else "left")
    for row in rows:
        accuracy = f"{row['accuracy']:.2%}" if row["accuracy"] is not None else "?"
        sent = f"{megabytes(row['sent'])} {row['kind']}"
        table.add_row(
            row["id"],
            (row["published"] or "?")[:19].replace("T", " "),
            accuracy,
            sent,
            megabytes(row["full"]),
            row["state"],
        )
    # a narrow terminal wraps the line rather than hiding half of an id
    Console(width=max(Console().width, 110)).print(table)
