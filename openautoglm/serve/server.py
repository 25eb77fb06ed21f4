"""The server process: a follower in one thread, uvicorn in the main one, and an end that drops no request."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable

import uvicorn

from openautoglm.errors import UserError
from openautoglm.serve.app import Node, create_app
from openautoglm.serve.follow import Follower
from openautoglm.serve.puller import ChildPuller

DRAIN = 30  # seconds that requests under way have when the server is asked to end
SWITCH_INTERVAL = (
    0.001  # seconds; Python's 5 ms would be added to an answer for each time the follower is in its way
)


def serve(node: Node, host: str, port: int, told: Callable[[str], None]) -> None:
    """Answer until SIGTERM or SIGINT; SIGHUP looks at the channel now.

    Raises:
        UserError: nothing to serve and nobody to wait for, or the address is taken.
    """
    follower = node.follower
    sys.setswitchinterval(SWITCH_INTERVAL)
    # first: a node that cannot answer fetches nothing, and tells nobody that it serves
    bound = _bind(host, port)
    try:
        bring_up(follower)
        config = uvicorn.Config(
            create_app(node),
            host,
            port,
            log_level="warning",
            timeout_graceful_shutdown=DRAIN,
            access_log=False,
        )
        server = uvicorn.Server(config)
        bound.listen(config.backlog)  # who connects from here on waits, and is not turned away
        told(f"http://{host}:{bound.getsockname()[1]} serves {node.live.release or 'nothing yet'}")
        signal.signal(signal.SIGHUP, lambda number, frame: follower.tell())
        # uvicorn drains, then raises the signal it got once more: by then all is done
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        thread = threading.Thread(target=follower.run, name="follow", daemon=True)
        thread.start()
        server.run(sockets=[bound])
        follower.stop()
    finally:
        bound.close()
        follower.puller.close()


def bring_up(follower: Follower) -> None:
    """What this node served last, at once; else what the channel points at. A follower may also wait for a first release.

    Raises:
        UserError: nothing to serve, and nothing is followed.
    """
    if isinstance(follower.puller, ChildPuller):
        follower.puller.start()
    if follower.resume() is None:
        follower.step()
    if follower.live.release is None and follower.every is None:
        raise UserError(f"nothing to serve: {follower.trouble}")


def _bind(host: str, port: int) -> socket.socket:
    """uvicorn's own complaint is two lines of log and exit code 1."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named: asyncio switches Nagle's algorithm off only then, and it costs 40 ms an answer
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        raise UserError(f"{host}:{port}: {error.strerror}; choose another --port or --host") from None
    return bound
