"""What `predict`, `explain` and `demo` share: the model to ask, by default the release in service."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import click

from openautoglm.errors import UserError
from openautoglm.files import PARENTS

_RELEASE = re.compile(r"v?\d+(-[0-9a-f]{12})?")

model_option = click.option(
    "--model",
    metavar="DIR|RELEASE",
    help="A model folder, the folder of a node (autoglm pull --to), or a release of this checkout's store; "
    "default: the release in service.",
)


@dataclass(frozen=True)
class Model:
    """A folder that can answer, and the ``release`` that it holds; None: a folder that is no release's."""

    folder: Path
    release: str | None

    @property
    def name(self) -> str:
        return self.release or str(self.folder)


def find_model(model: str | None) -> Model:
    """What to ask: a folder, a node's folder (its current release), a release's name, or what is in service.

    models/onnx is never taken unless it is asked for: a candidate lies there also when a gate refused it.

    Raises:
        UserError: nothing there that could answer.
    """
    if model is None:
        return in_service()
    path = Path(model)
    if (path / "model.onnx").is_file():
        return Model(path, None)
    if (path / "current" / "model.onnx").is_file():
        return Model(path / "current", (path / "current").resolve().name)
    if not path.exists() and _RELEASE.fullmatch(model):
        return in_service(model)
    found = "nothing there" if not path.exists() else "no model.onnx in it"
    raise UserError(
        f"--model {model}: {found}; run `autoglm run`, or give the folder of `autoglm pull`, or a release"
    )


def in_service(ref: str | None = None) -> Model:
    """The head of the checkout's channel, or the release ``ref``, on this disk.

    Raises:
        UserError: no checkout around us, or nothing published yet.
    """
    from openautoglm.commands._checkout import root
    from openautoglm.commands._store import store_of
    from openautoglm.release import materialise

    try:
        folder = root()
    except UserError as error:
        raise UserError(f"which model? {error}, or give --model DIR") from None
    store, channel = store_of(folder)
    release = store.head(channel) if ref is None else store.get(ref)
    if release is None:
        raise UserError(f"{channel}: nothing is in service yet; run `autoglm run`, or give --model DIR")
    return Model(materialise(store, release, folder / PARENTS / release.id), release.id)
