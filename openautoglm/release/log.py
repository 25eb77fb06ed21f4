"""The log of a release store: who did what when. One sealed file an entry, numbered; none is ever changed."""

from __future__ import annotations

import datetime
import getpass
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from openautoglm.release.layout import MOVES
from openautoglm.release.release import seal, unseal
from openautoglm.release.storage import Storage

Entry = dict[str, Any]


def entries(storage: Storage) -> list[Entry]:
    """All, oldest first.

    Raises:
        Corrupt: one was altered.
    """
    names = storage.names("log")
    return [unseal(storage.read(f"log/{name}") or b"", f"log/{name}") for name in names]


def append(storage: Storage, kind: str, facts: Mapping[str, Any]) -> None:
    """Write the next entry, with who and when."""
    who = f"{_user()}@{socket.gethostname()}"
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    number = len(storage.names("log")) + 1
    while not storage.create(
        f"log/{number:06d}.json",
        seal({"kind": kind, "who": who, "when": when, **facts, "number": number}),
    ):
        number += 1  # somebody else's entry came first


def channels_of(found: Iterable[Entry], release: str) -> set[str]:
    """The channels that ``release`` was ever put on, and not taken back from."""
    channels: set[str] = set()
    for entry in found:
        if entry["kind"] in MOVES and entry["to"] == release:
            channels.add(entry["channel"])
        elif entry["kind"] == "undo" and entry["from"] == release:
            channels.discard(entry["channel"])
    return channels


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"
