"""autoglm pull"""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import click

from openautoglm.commands import _node
from openautoglm.commands._store import megabytes, open_store
from openautoglm.errors import UserError
from openautoglm.release import ReleaseStore, pull


@click.command(epilog="Example: autoglm pull --store s3://models/releases --to /srv/model --follow --json")
@click.option("--store", metavar="URL", help="Folder or URL of the release store; default: params.yaml's.")
@click.option("--to", type=click.Path(path_type=Path), required=True, help="Folder of this node.")
@click.option(
    "--version", "ref", metavar="V", help="v000002, 2 or an id; default: what the channel points at."
)
@click.option("--channel", help="Channel to follow; default: params.yaml's, or stable.")
@click.option("--follow", is_flag=True, help="Go on: pull whenever the channel moves, until interrupted.")
@_node.every_option
@_node.keep_option
@_node.trust_option
@_node.node_option
@click.option("--json", "as_json", is_flag=True, help="For programs; with --follow one line a change.")
def command(
    store: str | None,
    to: Path,
    ref: str | None,
    channel: str | None,
    follow: bool,
    every: float | None,
    keep: int,
    trust: tuple[Path, ...],
    node: str | None,
    as_json: bool,
) -> None:
    """Bring a folder to a release: fetch what is missing, verify, build beside the old one, switch.

    With --follow a release must also open and answer its canary before `current` points at it. SIGHUP: look now.
    """
    found, default = open_store(store, trust)
    if follow:
        if ref is not None:
            raise UserError(
                "--follow and --version: a channel is followed, a version is pulled; give one of them"
            )
        _follow(found, to, channel or default, every, keep, trust, node, as_json)
        return
    from openautoglm.release.signature import Trust

    pulled = pull(found.url, to, ref, channel or default, trust=Trust.load(trust))
    if as_json:
        click.echo(json.dumps(pulled.to_json(), indent=2))
        return
    came = "was already there" if pulled.route == "held" else f"{megabytes(pulled.fetched)} by {pulled.route}"
    click.echo(
        f"{to}/current is {pulled.release.id} ({came}, verified, {sum(pulled.seconds.values()):.2f} s)"
    )
    if pulled.previous not in (None, pulled.release.id):
        click.echo(f"before: {pulled.previous}, still there")


def _follow(
    store: ReleaseStore,
    to: Path,
    channel: str,
    every: float | None,
    keep: int,
    trust: tuple[Path, ...],
    node: str | None,
    as_json: bool,
) -> None:
    from openautoglm.serve.live import LiveModel

    follower = _node.follower(
        store, to, LiveModel(),
        channel=channel, follow=True, every=every, keep=keep, node=node, trust=trust,
        as_json=as_json, count=lambda: (0, 0), own_process=False,
    )  # fmt: skip
    signal.signal(signal.SIGHUP, lambda number, frame: follower.tell())
    signal.signal(signal.SIGTERM, lambda number, frame: follower.stop())
    follower.resume()
    # not in the main thread: a handler that runs there may then touch what the follower waits for
    thread = threading.Thread(target=follower.run, name="follow", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
