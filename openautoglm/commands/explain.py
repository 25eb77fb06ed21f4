"""autoglm explain"""

from __future__ import annotations

from pathlib import Path

import click

from openautoglm.commands._answer import find_model, model_option


@click.command(epilog='Example: autoglm explain "My card still has not arrived." --html answer.html')
@click.argument("text")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Page to write.")
@model_option
def command(text: str, html: Path, model: str | None) -> None:
    """Answer one TEXT and draw what the model saw: its phrases, how they relate, and the likeliest labels."""
    from openautoglm.commands.predict import shown
    from openautoglm.export.page import page
    from openautoglm.export.session import Session
    from openautoglm.files import write_atomic

    asked = find_model(model)
    answer = Session(asked.folder).predict([text], top=5)[0]
    write_atomic(html, page(answer, asked.name).encode())
    click.echo(asked.name, err=True)
    click.echo(shown(answer))
    click.echo(f"\n{html} shows them drawn")
