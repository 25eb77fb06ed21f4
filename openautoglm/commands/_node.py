"""What `serve` and `pull --follow` share: a follower made of a command's options, and how it tells of a change."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openautoglm.commands._store import megabytes
from openautoglm.release import ReleaseStore

if TYPE_CHECKING:
    from openautoglm.serve.follow import Change, Follower
    from openautoglm.serve.live import LiveModel

LOCAL, REMOTE = 0.5, 5.0  # seconds between polls

trust_option = click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="KEY.pub",
    help="Refuse what none of these keys signed.",
)
keep_option = click.option(
    "--keep",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Versions to hold; the current one and its chain's anchor always stay.",
)
node_option = click.option(
    "--node", metavar="NAME", help="Name in `autoglm nodes`; default: host and folder."
)
every_option = click.option(
    "--every",
    type=click.FloatRange(0.01),
    metavar="SECONDS",
    help=f"Between looks at the channel; default {LOCAL} for a folder, {REMOTE} for a URL.",
)


def follower(
    store: ReleaseStore,
    to: Path,
    live: LiveModel,
    *,
    channel: str,
    follow: bool,
    every: float | None,
    keep: int,
    node: str | None,
    trust: Sequence[Path],
    as_json: bool,
    count: Callable[[], tuple[int, int]],
    own_process: bool,
) -> Follower:
    """``own_process``: pull in a child, so that what this process answers does not feel it."""
    from openautoglm.release.places import LocalStorage
    from openautoglm.serve.follow import Follower
    from openautoglm.serve.puller import ChildPuller, Puller
    from openautoglm.serve.report import Reporter, checked_name, default_name

    to.mkdir(parents=True, exist_ok=True)
    name = checked_name(node) if node else default_name(to)
    pause = every or (LOCAL if isinstance(store.storage, LocalStorage) else REMOTE)
    return Follower(
        store,
        live,
        (ChildPuller if own_process else Puller)(store.url, to, trust),
        channel,
        pause if follow else None,
        keep,
        Reporter(store.storage, name, channel, count, lambda text: click.echo(f"warning: {text}", err=True)),
        lambda change: tell(change, as_json),
    )


def tell(change: Change, as_json: bool) -> None:
    """One line."""
    click.echo(
        json.dumps(change.to_json()) if as_json else _line(change), err=not (as_json or change.accepted)
    )


def _line(change: Change) -> str:
    if not change.accepted:
        kept = f"; still {change.previous}" if change.previous else ""
        return f"refused: {change.reason}{kept}"
    came = "already there" if change.route == "held" else f"{megabytes(change.fetched)} by {change.route}"
    steps = ", ".join(f"{step} {seconds:.3f}" for step, seconds in change.seconds.items())
    return f"{change.previous or 'nothing'} -> {change.release} ({came}; seconds: {steps})"


def told(as_json: bool) -> Callable[[str], Any]:
    return lambda text: click.echo(json.dumps({"told": text}) if as_json else text)
