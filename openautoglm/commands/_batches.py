"""What the commands that take batches share."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from openautoglm.errors import ParamsError
from openautoglm.files import SCRATCH
from openautoglm.params import Params
from openautoglm.params_file import set_values, with_values


def assignments(pairs: Sequence[str]) -> dict[str, str]:
    """``section.key=value`` strings → a mapping.

    Raises:
        ParamsError: no ``=``.
    """
    for pair in pairs:
        if "=" not in pair:
            raise ParamsError(f"--set {pair}: expected section.key=value, for instance train.epochs=2")
    return dict(pair.split("=", 1) for pair in pairs)


def change_params(folder: Path, values: Mapping[str, object]) -> None:
    if values and set_values(folder / "params.yaml", values):
        click.echo(f"params.yaml: {', '.join(f'{name}={value}' for name, value in values.items())}")


def inbox_of(folder: Path, values: Mapping[str, object] | None = None) -> Path:
    """The inbox folder that params.yaml names, or will when ``values`` are set.

    Raises:
        ParamsError: a fault in params.yaml or ``values``.
    """
    return folder / with_values(folder / "params.yaml", values or {}).ingest.inbox


def check(folder: Path, sources: Sequence[str], values: Mapping[str, object] | None = None) -> None:
    """Raises UserError for what :func:`put` or :func:`change_params` would refuse, before either has done anything."""
    from openautoglm.corpus import first_look, inbox
    from openautoglm.corpus.mirror import look

    ingest = with_values(folder / "params.yaml", values or {}).ingest
    for source in sources:
        inbox.check(absolute(source))
        first_look.look(absolute(source), ingest.columns)
    if sources and ingest.remote:
        look(ingest.remote)


def put(folder: Path, source: str, values: Mapping[str, object] | None = None) -> str:
    """Put ``source`` into the inbox; return the entry's name."""
    from openautoglm.corpus import inbox

    entry = inbox.put(inbox_of(folder, values), absolute(source))
    click.echo(f"inbox: {entry.name}")
    return entry.name


def share(folder: Path) -> None:
    """Send what the inbox has to `ingest.remote`, where there is one.

    Raises:
        SourceError: it takes nothing by now; what was put is in the inbox, and goes there with the next run.
    """
    from openautoglm.corpus.remote import send

    ingest = Params.load(folder / "params.yaml").ingest
    if ingest.remote:
        for name in send(ingest.remote, folder / ingest.inbox, folder / SCRATCH).names:
            click.echo(f"inbox: {name} went to {ingest.remote}")


def replace(folder: Path, sources: Sequence[str], values: Mapping[str, object] | None = None) -> None:
    """The inbox holds ``sources``, in this order, and nothing else."""
    from openautoglm.corpus import inbox

    for entry in inbox.replace(inbox_of(folder, values), [absolute(source) for source in sources]):
        click.echo(f"inbox: {entry.name}")


def absolute(source: str) -> str:
    return source if "://" in source else os.path.abspath(source)
