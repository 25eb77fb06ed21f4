"""autoglm up"""

from __future__ import annotations

import click

from openautoglm.commands._checkout import program


@click.command(epilog="Example: autoglm up")
def command() -> None:
    """Start Prefect's server, a warm runner, MLflow's pages and those of reports/ here, deploy prefect.yaml; print the links."""
    program(["infra/servers.py", "up"])
