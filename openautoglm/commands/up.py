"""autoglm up"""

from __future__ import annotations

import click

from openautoglm.commands._checkout import program


@click.command(epilog="Example: autoglm up")
def command() -> None:
    """Start the Prefect server, a warm runner and MLflow's pages on this machine, deploy prefect.yaml; print the links."""
    program(["infra/servers.py", "up"])
