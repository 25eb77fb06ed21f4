"""autoglm serve"""

from __future__ import annotations

from pathlib import Path

import click

from openautoglm.commands import _node
from openautoglm.commands._store import open_store


@click.command(epilog="Example: autoglm serve --store s3://models/releases --to /srv/model --follow")
@click.option("--store", metavar="URL", help="Folder or URL of the release store; default: params.yaml's.")
@click.option(
    "--to", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of this node."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free one."
)
@click.option("--follow", is_flag=True, help="Change version when the channel does; else only when told.")
@_node.every_option
@click.option("--channel", help="Channel to follow; default: params.yaml's, or stable.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of one answer.")
@click.option("--workers", type=click.IntRange(1), help="Answers side by side; default: one a processor.")
@_node.keep_option
@_node.trust_option
@_node.node_option
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON line a change of version.")
def command(
    store: str | None,
    to: Path,
    host: str,
    port: int,
    follow: bool,
    every: float | None,
    channel: str | None,
    threads: int,
    workers: int | None,
    keep: int,
    trust: tuple[Path, ...],
    node: str | None,
    as_json: bool,
) -> None:
    """Answer over HTTP: POST /predict {"texts": [...]}, GET /health, GET /version.

    A new version is fetched, verified, opened beside the old one and asked its canary before it takes over; no request
    is dropped. If any of that fails the old one stays. SIGHUP or POST /refresh: look at the channel now.
    """
    from openautoglm.processors import processors
    from openautoglm.serve.app import Counts, Node
    from openautoglm.serve.live import LiveModel
    from openautoglm.serve.server import serve

    found, default = open_store(store, trust)
    live, counts = LiveModel(threads), Counts()
    follower = _node.follower(
        found, to, live,
        channel=channel or default, follow=follow, every=every, keep=keep, node=node, trust=trust,
        as_json=as_json, count=counts.pair, own_process=True,
    )  # fmt: skip
    serve(Node(live, follower, workers or processors(), counts), host, port, _node.told(as_json))
