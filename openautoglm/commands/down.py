"""autoglm down"""

from __future__ import annotations

import click

from openautoglm.commands._checkout import program


@click.command(epilog="Example: autoglm down")
def command() -> None:
    """Stop what `autoglm up` started, and nothing else."""
    program(["infra/servers.py", "down"])
