"""What `predict` and `explain` share: the model to ask, and the terminal's view of an answer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openautoglm.errors import UserError

if TYPE_CHECKING:
    from openautoglm.export.session import Session

DEFAULT = Path("models/onnx")
PARENTS = Path(".autoglm/parents")  # releases that a run has materialised already
_RELEASE = re.compile(r"v?\d+(-[0-9a-f]{12})?")

model_option = click.option(
    "--model",
    metavar="DIR|RELEASE",
    default=str(DEFAULT),
    show_default=True,
    help="A model folder, the folder of a node (autoglm pull --to), or a release of this checkout's store.",
)


def open_session(model: str) -> Session:
    """The session of ``model``: a folder, a node's folder (its current release), or a release's name.

    Raises:
        UserError: nothing there that could answer.
    """
    from openautoglm.export.session import Session

    return Session(find_model(model))


def find_model(model: str) -> Path:
    path = Path(model)
    for folder in (path, path / "current"):
        if (folder / "model.onnx").is_file():
            return folder
    if not path.exists() and _RELEASE.fullmatch(model):
        return _from_store(model)
    found = "nothing there" if not path.exists() else "no model.onnx in it"
    raise UserError(
        f"--model {model}: {found}; run `autoglm run`, or give the folder of `autoglm pull`, or a release"
    )


def _from_store(ref: str) -> Path:
    from openautoglm.commands._store import open_store
    from openautoglm.release import materialise

    store, _ = open_store(None)
    release = store.get(ref)
    return materialise(store, release, PARENTS / release.id)
