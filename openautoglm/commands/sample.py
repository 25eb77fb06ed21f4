"""autoglm sample"""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: autoglm sample --to data/sample")
@click.option("--to", default="data/sample", metavar="DIR", help="Folder to write to.", show_default=True)
def command(to: str) -> None:
    """Write the built-in sample: a support desk's texts in three batches, the third one damaged."""
    from openautoglm.corpus.sample import write_sample

    for path in write_sample(Path(to)):
        click.echo(path)
