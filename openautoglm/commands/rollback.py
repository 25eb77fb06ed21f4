"""autoglm rollback"""

from __future__ import annotations

import click

from openautoglm.commands._checkout import background, root
from openautoglm.commands._store import open_store


@click.command(epilog='Example: autoglm rollback v000001 --reason "wrong answers on refunds"')
@click.argument("version", required=False)
@click.option("--reason", required=True, help="Goes into the store's log.")
@click.option("--channel", help="Channel to move; default: params.yaml's, or stable.")
@click.option("--store", metavar="URL", help="Folder or URL of the release store; default: params.yaml's.")
def command(version: str | None, reason: str, channel: str | None, store: str | None) -> None:
    """Point the channel at an earlier release (by default the one before), and say why."""
    found, default = open_store(store)
    before = found.head(channel or default)
    release = found.rollback(version, channel or default, reason)
    if before and before.id == release.id:
        click.echo(f"{channel or default}: {release.id} is in service already, nothing was moved")
        return
    click.echo(f"{channel or default}: {before.id if before else 'nothing'} -> {release.id}")
    if store is None and channel in (None, default):
        # MLflow's alias and the page in a process of its own: imports take two seconds, and nodes ask neither
        background(root(), "-m", "tasks", "follow")
