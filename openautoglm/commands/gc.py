"""autoglm gc"""

from __future__ import annotations

import click

from openautoglm.commands._store import megabytes, open_store
from openautoglm.release.gc import GRACE, collect, remove


@click.command(epilog='Example: autoglm gc --yes --reason "yearly clean-up"')
@click.option("--yes", is_flag=True, help="Remove; without it this is a dry run.")
@click.option("--reason", default="gc", show_default=True, help="Goes into the store's log.")
@click.option(
    "--grace", default=GRACE, show_default=True, help="Hours for which unfinished uploads are left alone."
)
@click.option("--store", metavar="URL", help="Folder or URL of the release store; default: params.yaml's.")
def command(yes: bool, reason: str, grace: float, store: str | None) -> None:
    """Remove what lies behind the last anchor in use. Shows first, removes with --yes."""
    found, _ = open_store(store)
    plan = collect(found, grace)
    for name in plan.names:
        click.echo(name)
    if not plan.names and not plan.releases:
        click.echo("nothing to remove")
        return
    if yes:
        remove(found, plan, why=reason)
    what = f"{len(plan.names)} files, {len(plan.releases)} releases, {megabytes(plan.size)}"
    click.echo(f"{'removed' if yes else 'would remove'} {what}{'' if yes else '; --yes does it'}")
