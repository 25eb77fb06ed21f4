"""What a node says of itself: typed messages, of which the store keeps each node's latest.

    nodes/<node>.json   one node's state: its last hello, have, want and heartbeat, and its latest acks

A node writes its own file and nobody else's; nothing that serves depends on it, so a store that nodes may only read
works as well, and then ``autoglm nodes`` is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from openautoglm.errors import AutoGLMError, Corrupt
from openautoglm.release.release import seal, unseal
from openautoglm.release.storage import Storage

FORMAT = 1
NODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
ACKS = 8  # of a node, the latest


@dataclass(frozen=True)
class Hello:
    """Who it is and what it can read: formats of manifest and delta. Times are ISO 8601, UTC."""

    host: str
    software: str
    manifest_format: int
    delta_format: int
    channel: str
    started: str


@dataclass(frozen=True)
class Have:
    """``current`` answers since ``since``; ``releases`` are held, so deltas can start from them."""

    current: str | None
    since: str | None
    releases: tuple[str, ...]


@dataclass(frozen=True)
class Want:
    """The release that the channel points at and the node does not serve yet; None when there is none."""

    release: str | None
    since: str | None


@dataclass(frozen=True)
class Ack:
    """A release was taken into service, or refused and why; ``seconds`` by step of the way."""

    release: str
    accepted: bool
    reason: str
    when: str
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Heartbeat:
    """Alive at ``when``; silent if the next one does not come within a few times ``every`` seconds."""

    when: str
    every: float
    requests: int
    failures: int


Message = Hello | Have | Want | Ack | Heartbeat
_KINDS = {"hello": Hello, "have": Have, "want": Want, "heartbeat": Heartbeat}


@dataclass(frozen=True)
class NodeState:
    node: str
    hello: Hello
    have: Have = Have(None, None, ())
    want: Want = Want(None, None)
    heartbeat: Heartbeat | None = None
    acks: tuple[Ack, ...] = ()  # the newest last

    def after(self, message: Message) -> NodeState:
        """The state once the node has said ``message`` too."""
        if isinstance(message, Ack):
            return replace(self, acks=(*self.acks, message)[-ACKS:])
        changes: dict[str, Any] = {
            name: message for name, kind in _KINDS.items() if isinstance(message, kind)
        }
        return replace(self, **changes)

    def to_bytes(self) -> bytes:
        return seal({"format": FORMAT, **asdict(self)})

    @classmethod
    def parse(cls, data: bytes, where: str) -> NodeState:
        """Raises Corrupt: altered, of another format, or without what it needs."""
        value = unseal(data, where)
        if value.get("format") != FORMAT:
            raise Corrupt(
                f"{where}: messages of format {str(value.get('format'))[:20]}, this version reads {FORMAT}"
            )
        try:
            said: dict[str, Any] = {
                name: kind(**value[name]) for name, kind in _KINDS.items() if value[name] is not None
            }
            if have := said.get("have"):
                said["have"] = replace(have, releases=tuple(have.releases))
            acks = tuple(Ack(**ack) for ack in value["acks"])
            return cls(value["node"], **said, acks=acks)
        except (KeyError, TypeError) as error:
            raise Corrupt(f"{where}: not a node's messages: {error!s:.100}") from None

    def __repr__(self) -> str:
        return (
            f"NodeState({self.node}: {self.have.current}, wants {self.want.release}, {len(self.acks)} acks)"
        )


def node_name(node: str) -> str:
    """The file of a node in a store."""
    if not NODE.fullmatch(node):
        raise Corrupt(f"{node[:80]!r} is no node's name; use small letters, digits, dot and dash, at most 63")
    return f"nodes/{node}.json"


def record(storage: Storage, state: NodeState) -> None:
    """Replace what the store holds of this node."""
    storage.overwrite(node_name(state.node), state.to_bytes())


def listed(storage: Storage) -> tuple[list[NodeState], list[str]]:
    """All nodes by name, and what is wrong with the files that are none."""
    states, faults = [], []
    for name in storage.names("nodes"):
        where = f"nodes/{name}"
        try:
            state = NodeState.parse(storage.read(where) or b"", where)
            if where != node_name(state.node):
                raise Corrupt(f"{where}: holds the messages of {state.node!r:.80}")
            states.append(state)
        except AutoGLMError as error:
            faults.append(error.message if error.message.startswith(where) else f"{where}: {error.message}")
    return states, faults
