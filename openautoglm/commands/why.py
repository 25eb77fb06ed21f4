"""autoglm why"""

from __future__ import annotations

import click

from openautoglm.commands._checkout import program


@click.command(epilog="Example: autoglm why train")
@click.argument("stage")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(stage: str, as_json: bool) -> None:
    """Say which input, param or line of code makes STAGE run, or made it run the last time."""
    program(["-m", "tasks", "why", stage, *(["--json"] if as_json else [])])
