"""autoglm keygen"""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: autoglm keygen team.key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def command(file: Path) -> None:
    """Make a pair of Ed25519 keys: FILE signs releases, FILE.pub lets nodes check who published them."""
    from openautoglm.release.signature import KEY_ENV, write_keys

    public = write_keys(file)
    click.echo(f"{file}: the private key; {KEY_ENV}={file} signs what is published")
    click.echo(f"{public}: the public key; nodes take it with --trust")
