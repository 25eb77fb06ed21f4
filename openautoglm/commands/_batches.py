"""What the commands that take batches share."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from openautoglm.errors import ParamsError
from openautoglm.params import Params, set_values


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


def inbox_of(folder: Path) -> Path:
    """The inbox folder that params.yaml names.

    Raises:
        ParamsError: it is a URL, which is filled by whoever owns it.
    """
    inbox = Params.load(folder / "params.yaml").ingest.inbox
    if "://" in inbox:
        raise ParamsError(
            f"ingest.inbox is {inbox}: put batches there with that store's own tools, then autoglm run"
        )
    return folder / inbox


def put(folder: Path, source: str) -> None:
    from openautoglm.corpus import inbox

    entry = inbox.put(inbox_of(folder), absolute(source))
    click.echo(f"inbox: {entry.name}")


def replace(folder: Path, sources: Sequence[str]) -> None:
    """The inbox holds ``sources``, in this order, and nothing else."""
    from openautoglm.corpus import inbox

    entry = inbox.replace(inbox_of(folder), absolute(sources[0]))
    click.echo(f"inbox: {entry.name}")
    for source in sources[1:]:
        put(folder, source)


def absolute(source: str) -> str:
    return source if "://" in source else os.path.abspath(source)
