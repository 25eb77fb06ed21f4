"""autoglm demo"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from openautoglm.commands import _batches
from openautoglm.commands._checkout import program, root
from openautoglm.errors import UserError
from openautoglm.params import Params

QUESTION = (
    "Hello, my gift card shows a balance of zero although I never used it. Can you check?"  # new in batch 2
)
SHOWN = ("accuracy", "macro_f1", "ece")


@click.command(epilog="Example: autoglm demo")
@click.option("--text", default=QUESTION, metavar="TEXT", help="What to ask the published model.")
def command(text: str) -> None:
    """The whole way on the built-in sample: a first release, a second batch, the second release as a delta."""
    folder = root()
    first, second = _sample(folder)
    _refuse_other_data(folder, first, second)
    if _holds(folder, second):  # so a run that was killed goes on where it was
        program(["-m", "flows.pipeline"])
    else:
        _batches.put(folder, str(first))
        program(["-m", "flows.pipeline", "--then", str(second.resolve())])
    click.echo("\n".join(["", *_releases(folder), *_answer(text)]))


def _sample(folder: Path) -> tuple[Path, Path]:
    from openautoglm.corpus.sample import write_sample

    first, second, *_ = write_sample(folder / "data/sample")
    return first, second


def _refuse_other_data(folder: Path, *ours: Path) -> None:
    found = [entry for entry in _entries(folder) if not any(_is(entry, path) for path in ours)]
    if found:
        raise UserError(
            f"the inbox holds other data than the sample: found {found[0].name}; "
            "use `autoglm run` for it, or move inbox/ away and try again"
        )


def _holds(folder: Path, batch: Path) -> bool:
    return any(_is(entry, batch) for entry in _entries(folder))


def _is(entry: Path, batch: Path) -> bool:
    return entry.is_file() and entry.read_bytes() == batch.read_bytes()


def _entries(folder: Path) -> list[Path]:
    from openautoglm.corpus.inbox import names

    inbox = _batches.inbox_of(folder)
    return [inbox / name for name in names(inbox)]


def _releases(folder: Path) -> list[str]:
    """One line a release: its id, metrics and size."""
    params = Params.load(folder / "params.yaml").publish
    if "://" in params.store:
        return []
    lines = []
    for path in sorted((folder / params.store / "manifests").glob("v*.json")):
        manifest = json.loads(path.read_text())
        metrics = manifest.get("metrics", {})
        told = ", ".join(f"{name} {metrics[name]:.3f}" for name in SHOWN if name in metrics)
        lines.append(f"{manifest.get('id', path.stem)}  {told}")
    newest = json.loads((folder / "models/release.json").read_text())
    return [*lines, *_size(newest)]


def _size(newest: dict[str, Any]) -> list[str]:
    delta, full = newest.get("delta_bytes"), newest.get("full_bytes")
    if not delta or not full:
        return []
    return [f"delta {delta / 1e6:.2f} MB of {full / 1e6:.2f} MB ({delta / full:.1%})"]


def _answer(text: str) -> list[str]:
    from openautoglm.commands._answer import in_service
    from openautoglm.export.session import Session

    asked = in_service()
    answer = Session(asked.folder).predict([text])[0]
    return [
        "",
        text,
        f"  {asked.name} -> {answer.label} ({answer.probability:.1%}), seen: {', '.join(answer.phrases)}",
    ]
