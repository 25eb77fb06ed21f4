"""A node's own file in the store: what it tells, and that nothing depends on being able to tell it."""

from __future__ import annotations

import hashlib
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

from openautoglm import __version__
from openautoglm.errors import UserError
from openautoglm.release import container, release
from openautoglm.release.messages import NODE, Heartbeat, Hello, Message, NodeState, record
from openautoglm.release.storage import Storage
from openautoglm.serve.live import now

BEAT = 10.0  # seconds between heartbeats


class Reporter:
    """Gathers messages; :meth:`flush` writes them. A store that refuses is told of once."""

    def __init__(
        self,
        storage: Storage,
        node: str,
        channel: str,
        count: Callable[[], tuple[int, int]] = lambda: (0, 0),
        warn: Callable[[str], None] = print,
        beat: float = BEAT,
    ) -> None:
        hello = Hello(socket.gethostname(), __version__, release.FORMAT, container.FORMAT, channel, now())
        self.state = NodeState(node, hello)
        self.storage, self.count, self.warn, self.beat = storage, count, warn, beat
        self.refused: str | None = None
        self._next = 0.0

    def say(self, *messages: Message) -> None:
        """Take the messages down and write them at once."""
        for message in messages:
            self.state = self.state.after(message)
        self._write()

    def flush(self) -> None:
        """Write the heartbeat when it is time for one."""
        if time.monotonic() >= self._next:
            self._write()

    def _write(self) -> None:
        self._next = time.monotonic() + self.beat
        self.state = self.state.after(Heartbeat(now(), self.beat, *self.count()))
        try:
            record(self.storage, self.state)
            self.refused = None
        except Exception as error:  # every filesystem has its own; whatever it is, serving goes on
            if self.refused is None:
                self.warn(
                    f"the store takes no messages of this node, autoglm nodes will not show it: {error}"
                )
            self.refused = f"{type(error).__name__}: {error}"


def default_name(to: Path) -> str:
    """Of the host and the node's folder: the same after a restart, different for two nodes on one host."""
    host = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().lower()).strip("-")[:48] or "node"
    return f"{host}-{hashlib.sha256(str(to.resolve()).encode()).hexdigest()[:8]}"


def checked_name(name: str) -> str:
    """Raises UserError: no name for a node."""
    if not NODE.fullmatch(name):
        raise UserError(f"--node {name}: use small letters, digits, dot and dash, at most 63")
    return name
