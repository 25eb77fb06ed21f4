"""autoglm up"""

from __future__ import annotations

import click

from openautoglm.commands._checkout import program, root
from openautoglm.params import Params


@click.command(epilog="Example: autoglm up")
def command() -> None:
    """Start Prefect's server, a warm runner, MLflow's pages and those of reports/ here, deploy prefect.yaml; print the links."""
    Params.load(root() / "params.yaml")  # nothing that they start would run with a fault in it
    program(["infra/servers.py", "up"])
