"""The checkout a command works in: the library may not import flows or tasks, so it starts them as programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO

import click

from openautoglm.errors import UserError
from openautoglm.processes import end_with_parent

MARKS = ("params.yaml", "dvc.yaml", "flows", "tasks")


def root() -> Path:
    """The nearest folder, from here upwards, that is an Open-AutoGLM checkout.

    Raises:
        UserError: there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if all((folder / mark).exists() for mark in MARKS):
            return folder
    raise UserError(f"{here}: not in an Open-AutoGLM checkout (params.yaml, dvc.yaml); change into one")


def python(folder: Path, *arguments: str, output: IO[str] | None = None) -> int:
    """Run this Python on ``arguments`` in ``folder``, its output ours, or to ``output``; return the exit code."""
    bin_first = {"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}
    command, env = [sys.executable, *arguments], os.environ | bin_first
    ends = partial(
        end_with_parent, os.getpid()
    )  # a flow whose `autoglm` was killed would train on for nobody
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, preexec_fn=ends)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the child got it too and ends in its own way


def background(folder: Path, *arguments: str) -> None:
    """Start this Python on ``arguments`` in ``folder`` and leave it to itself; what it says is in .autoglm/background.log."""
    log = folder / ".autoglm/background.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as said:
        subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True,
        )  # fmt: skip


def program(arguments: Sequence[str]) -> None:
    """As :func:`python` in the checkout, and leave with its exit code when that is not 0."""
    leave_with(python(root(), *arguments))


def leave_with(code: int) -> None:
    if code:
        # a shell's way to say that a signal ended it
        raise click.exceptions.Exit(code if code > 0 else 128 - code)
