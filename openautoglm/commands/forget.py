"""autoglm forget"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from openautoglm.commands._checkout import leave_with, python, root
from openautoglm.errors import UserError

RESULT = ".autoglm/forget.json"


@click.command(epilog='Example: autoglm forget --ids ids.txt --reason "asked by the customer on 3 May"')
@click.option("--ids", metavar="FILE", help="One id a line, or JSON Lines with id.")
@click.option("--reason", default="", metavar="TEXT", help="Goes into the store's log; the ids do not.")
@click.option("--ignore-unknown", is_flag=True, help="Go on although some of the ids are in no batch.")
@click.option("--finish", is_flag=True, help="End what killed calls began; needs no ids and no reason.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(ids: str | None, reason: str, ignore_unknown: bool, finish: bool, as_json: bool) -> None:
    """Take documents out of the inbox, of what was learnt, and of every cache; publish a release without them.

    Killed on the way, the same command again ends it, or --finish, which `autoglm status` asks for. Exit code 1: a gate refused the release; the documents are out
    of everything else. 2: ids that are in no batch, or that only their owner can take out; nothing has changed.
    """
    folder, words = root(), ["-m", "flows.forget", *_asked(ids, reason, ignore_unknown, finish)]
    if not as_json:
        leave_with(python(folder, *words))
        return
    result = folder / RESULT
    result.unlink(missing_ok=True)
    code = python(folder, *words, output=sys.stderr)
    if result.is_file():
        click.echo(result.read_text(), nl=False)
    leave_with(code)


def _asked(ids: str | None, reason: str, ignore_unknown: bool, finish: bool) -> list[str]:
    if finish:
        if ids or reason or ignore_unknown:
            raise UserError("--finish ends what is on record already; give it alone, or --ids and --reason")
        return ["--finish"]
    if not ids:
        raise UserError("which documents? give --ids FILE with one id a line, or --finish after a kill")
    if not reason.strip():
        raise UserError("forgetting needs a reason; give --reason 'who asked for it'")
    path = os.path.abspath(ids)
    if not Path(path).is_file():
        raise UserError(f"{ids}: not found; expected a file with one id a line")
    return [path, "--reason", reason, *(["--ignore-unknown"] if ignore_unknown else [])]
