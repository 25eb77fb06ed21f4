"""autoglm checkout"""

from __future__ import annotations

import click

from openautoglm.commands._checkout import program


@click.command(epilog="Example: autoglm checkout v000002 && dvc metrics show")
@click.argument("release", metavar="RELEASE")
@click.option("--force", is_flag=True, help="Also where params.yaml has changes that no run has used.")
def command(release: str, force: bool) -> None:
    """Bring back data, params and model of a release: its version, id or channel.

    Nothing is trained and nothing published. Afterwards `dvc repro` finds every stage unchanged while its code is;
    `autoglm run --keep-parent` too, and `autoglm run` goes on with the whole inbox. Exit code 1: DVC's cache has not
    all of it. 2: no such release, or params.yaml has changes that would be lost.
    """
    program(["-m", "tasks", "checkout", release, *(["--force"] if force else [])])
