"""autoglm watch"""

from __future__ import annotations

import click

from openautoglm.commands._checkout import program


@click.command(epilog="Example: autoglm watch --every 10")
@click.option("--every", default=5.0, show_default=True, metavar="SECONDS", type=click.FloatRange(min=0.1))
@click.option("--once", is_flag=True, help="One look, then the end: for cron.")
def command(every: float, once: bool) -> None:
    """Look into the inbox again and again, and take each batch that arrives: the loop without a Prefect server."""
    program(["-m", "flows.watch", "--every", f"{every:g}", *(["--once"] if once else [])])
