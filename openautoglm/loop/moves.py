"""What a store's log says about each release: when it came, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openautoglm.release import Release

Entry = dict[str, Any]


def states(
    log: Sequence[Entry], channel: str, head: Release | None, releases: Mapping[str, Release]
) -> dict[str, str]:
    """{release: in service | previous | earlier | rolled back | taken back}; who is not in it was never on ``channel``.

    `previous` is what a rollback without a version goes to. A rollback takes back whatever lay between the two ends.
    """
    found: dict[str, str] = {}
    for entry in log:
        if entry.get("channel") != channel:
            continue
        if entry["kind"] in ("publish", "promotion"):
            found[entry["to"]] = "earlier"
        elif entry["kind"] == "rollback" and entry["to"] > entry["from"]:  # forward again; ids grow
            found |= dict.fromkeys(
                [entry["from"], *_between(entry["to"], entry["from"], releases)], "earlier"
            )
        elif entry["kind"] == "rollback":
            for name in _between(entry["from"], entry["to"], releases):
                found[name] = "rolled back"
            found[entry["to"]] = "earlier"
        elif entry["kind"] == "undo":
            found[entry["from"]] = "taken back"
    if head:
        found[head.id] = "in service"
        if head.parent in releases and found.get(str(head.parent), "earlier") == "earlier":
            found[str(head.parent)] = "previous"
    return found


def _between(end: str, start: str, releases: Mapping[str, Release]) -> list[str]:
    """``end`` and its ancestors down to ``start``, which is not among them; ``end`` alone where that is no ancestor."""
    found = [end]
    while (release := releases.get(found[-1])) and release.parent:
        if release.parent == start:
            return found
        found.append(release.parent)
    return [end]


def first_published(log: Sequence[Entry]) -> dict[str, tuple[str, str]]:
    """{release: (when, why) of its first publication}."""
    entries = [entry for entry in log if entry["kind"] == "publish"]
    return {entry["release"]: (entry["when"], entry.get("why") or "") for entry in reversed(entries)}


def rejections(log: Sequence[Entry], channel: str) -> list[Entry]:
    """Candidates that a gate refused, oldest first, each once."""
    found = [entry for entry in log if entry["kind"] == "rejection" and entry.get("channel") == channel]
    return list({entry["release"]: entry for entry in found}.values())


def marks(log: Sequence[Entry], channel: str) -> list[Entry]:
    """What a chart of the chain marks: rejections, rollbacks, publications taken back."""
    kinds = ("rejection", "rollback", "undo")
    return [entry for entry in log if entry["kind"] in kinds and entry.get("channel") == channel]
