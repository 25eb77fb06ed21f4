"""autoglm retrain"""

from __future__ import annotations

import click

from openautoglm.commands._checkout import program


@click.command(epilog='Example: autoglm retrain --why "the tickets of autumn are other tickets" --dry-run')
@click.option("--why", default="by hand", show_default=True, help="Shown in Prefect's UI; changes nothing.")
@click.option("--dry-run", is_flag=True, help="Everything but publish; the verdict is logged.")
def command(why: str, dry_run: bool) -> None:
    """Train anew on every batch taken so far; the release in service stays unless the challenger is good enough.

    Exit code 0: promoted, or the champion stays.
    """
    program(["-m", "flows.retrain", "--why", why, *(["--dry-run"] if dry_run else [])])
