"""autoglm pull"""

from __future__ import annotations

import json
from pathlib import Path

import click

from openautoglm.commands._store import megabytes, open_store
from openautoglm.release import pull


@click.command(epilog="Example: autoglm pull --store s3://models/releases --to /srv/model")
@click.option("--store", metavar="URL", help="Folder or URL of the release store; default: params.yaml's.")
@click.option("--to", type=click.Path(path_type=Path), required=True, help="Folder of this node.")
@click.option(
    "--version", "ref", metavar="V", help="v000002, 2 or an id; default: what the channel points at."
)
@click.option("--channel", help="Channel to follow; default: params.yaml's, or stable.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(store: str | None, to: Path, ref: str | None, channel: str | None, as_json: bool) -> None:
    """Bring a folder to a release: fetch what is missing, verify, build beside the old one, switch."""
    found, default = open_store(store)
    pulled = pull(found.url, to, ref, channel or default)
    if as_json:
        click.echo(json.dumps(pulled.to_json(), indent=2))
        return
    came = "was already there" if pulled.route == "held" else f"{megabytes(pulled.fetched)} by {pulled.route}"
    click.echo(
        f"{to}/current is {pulled.release.id} ({came}, verified, {sum(pulled.seconds.values()):.2f} s)"
    )
    if pulled.previous not in (None, pulled.release.id):
        click.echo(f"before: {pulled.previous}, still there")
