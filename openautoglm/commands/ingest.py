"""autoglm ingest"""

from __future__ import annotations

import click

from openautoglm.commands._batches import check, put
from openautoglm.commands._checkout import root


@click.command(epilog="Example: autoglm ingest today.jsonl && autoglm run")
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
def command(sources: tuple[str, ...]) -> None:
    """Put batches into the inbox: files, folders or URLs (JSONL, CSV, Parquet). The next run takes them."""
    folder = root()
    check(folder, sources)
    for source in sources:
        put(folder, source)
