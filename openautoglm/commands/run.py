"""autoglm run"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click

from openautoglm.commands._batches import absolute, assignments, change_params, check, put, replace
from openautoglm.commands._checkout import program, root
from openautoglm.errors import UserError
from openautoglm.files import LEDGER


@click.command(epilog="Example: autoglm run --data tickets.jsonl --set train.epochs=2")
@click.option(
    "--data", multiple=True, metavar="SRC", help="Replace what is in the inbox: a file, folder or URL."
)
@click.option("--add", multiple=True, metavar="SRC", help="Add to what is in the inbox.")
@click.option("--set", "pairs", multiple=True, metavar="SECTION.KEY=VALUE", help="Change params.yaml first.")
@click.option("--stream", is_flag=True, help="One run after each of STREAMED, as if they arrived one by one.")
@click.option(
    "--keep-parent", is_flag=True, help="Train on from train.parent as it stands, whatever the inbox holds."
)
@click.option("--dry-run", is_flag=True, help="Everything but publish; the verdict is logged.")
@click.option("--force", is_flag=True, help="Publish although a gate says no; needs --reason.")
@click.option("--reason", default="", metavar="TEXT", help="Why --force; goes into the store's log.")
@click.argument("streamed", nargs=-1)
def command(
    data: tuple[str, ...],
    add: tuple[str, ...],
    pairs: tuple[str, ...],
    stream: bool,
    keep_parent: bool,
    dry_run: bool,
    force: bool,
    reason: str,
    streamed: tuple[str, ...],
) -> None:
    """Bring everything up to date and publish what passes the gate.

    Exit code 0: published, or nothing had changed. 1: a gate said no, or a stage broke. 2: something given is wrong.
    """
    if bool(streamed) != stream:
        raise UserError(
            f"--stream needs sources after it, found {len(streamed)}; for one run use --data SRC or --add SRC"
        )
    asked = _asked(dry_run, force, reason.strip())
    folder, values = root(), assignments(pairs)
    check(folder, [*data, *add, *streamed], values)
    with _nobody_else(folder) if data or values else nullcontext():
        if data:
            replace(folder, data, values)
        for source in add:
            put(folder, source, values)
        change_params(folder, values)
    keep = ["--keep-parent"] if keep_parent or "train.parent" in values else []
    if streamed and not data and not add:
        put(folder, streamed[0])
        streamed = streamed[1:]
    later = [word for source in streamed for word in ("--then", absolute(source))]
    program(["-m", "flows.pipeline", *keep, *asked, *later])


def _nobody_else(folder: Path) -> AbstractContextManager[object]:
    """A run under way reads params.yaml and the inbox: what it reads is not changed under its hands.

    Raises:
        LeaseLost: there is one.
    """
    from openautoglm.loop import hold

    return hold(folder / LEDGER, "autoglm run", wait=0, log=lambda _: None)


def _asked(dry_run: bool, force: bool, reason: str) -> list[str]:
    if force and not reason:
        raise UserError("--force needs a reason; give --reason 'why it is published although a gate says no'")
    if reason and not force:
        raise UserError("--reason is that of --force; give both, or none")
    if dry_run and force:
        raise UserError("--dry-run publishes nothing and --force in any case; give one of them")
    return ["--dry-run"] if dry_run else ["--force", reason] if force else []
