"""autoglm predict"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from openautoglm.commands._answer import find_model, model_option
from openautoglm.errors import UserError

if TYPE_CHECKING:
    from openautoglm.export.session import Prediction

_BAR = 24  # cells


@click.command(epilog='Example: autoglm predict "My card still has not arrived." --model /srv/model')
@click.argument("text")
@model_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(text: str, model: str | None, as_json: bool) -> None:
    """Answer one TEXT with the release in service: its label, the next likeliest, the phrases and relations seen."""
    if not text.strip():
        raise UserError("the text is empty; give a sentence in quotes")
    from openautoglm.export.session import Session

    asked = find_model(model)
    answer = Session(asked.folder).predict([text])[0]
    if as_json:
        click.echo(json.dumps({"release": asked.release, **answer.to_json()}, ensure_ascii=False, indent=2))
        return
    click.echo(asked.name, err=True)
    click.echo(shown(answer))


def shown(answer: Prediction) -> str:
    """The answer in a terminal, coloured where it has colours."""
    from openautoglm.graph import as_lines

    wide = max(len(label) for label, _ in answer.top)
    lines = [click.style(answer.label, bold=True, fg="green"), ""]
    lines += [f"  {label:<{wide}}  {_bar(share)}  {share:6.1%}" for label, share in answer.top]
    if answer.in_scope is False:
        lines += [
            "",
            click.style("out of scope", fg="yellow") + ": it seems to belong to none of the classes",
        ]
    lines += ["", click.style("phrases", dim=True), "  " + (" · ".join(answer.phrases) or "none")]
    if answer.graph.edges:
        lines += [click.style("relations", dim=True)]
        lines += [f"  {line}" for line in as_lines(answer.text, answer.graph) if "→" in line]
    return "\n".join(lines)


def _bar(share: float) -> str:
    filled = round(share * _BAR)
    return click.style("█" * filled, fg="cyan") + click.style("░" * (_BAR - filled), dim=True)
