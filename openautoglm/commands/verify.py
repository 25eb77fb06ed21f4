"""autoglm verify"""

from __future__ import annotations

import sys

import click

from openautoglm.commands._store import open_store


@click.command(epilog="Example: autoglm verify --store s3://models/releases")
@click.option("--store", metavar="URL", help="Folder or URL of the release store; default: params.yaml's.")
def command(store: str | None) -> None:
    """Check every blob, chain, fingerprint and pointer of the store. Exit code 1 when something is wrong."""
    found, _ = open_store(store)
    faults = found.verify()
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        sys.exit(1)
    click.echo(f"{found.url}: {len(found.versions())} releases, all sound")
