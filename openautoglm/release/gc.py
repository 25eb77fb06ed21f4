"""``autoglm gc``: the only thing that removes anything from a store, and only what it showed first.

    plan = collect(store)            # what would go: nothing is touched
    remove(store, plan, why="...")   # exactly that; logged

What stays: every release that a channel points at and its parent, where a rollback leads, the chains behind them down
to their anchors, and everything newer than those. What goes: older versions, blobs that no kept manifest names, temporary files of writers that died. Blobs
and temporary files younger than the grace period may belong to a publish under way and stay as well.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from openautoglm.errors import ReleaseError
from openautoglm.release.layout import manifest_name, signature_name
from openautoglm.release.release import Release
from openautoglm.release.store import ReleaseStore

GRACE = 24.0  # hours


@dataclass(frozen=True)
class Plan:
    """Names to be removed, the releases among them by id, and the bytes that this frees."""

    names: tuple[str, ...]
    releases: tuple[str, ...]
    size: int

    def __repr__(self) -> str:
        return f"Plan({len(self.names)} files, {len(self.releases)} releases, {self.size:,} bytes)"


def collect(store: ReleaseStore, grace: float = GRACE) -> Plan:
    """What can go. ``grace`` in hours.

    Raises:
        ReleaseError: the store has faults; what is damaged must be looked at before anything is removed.
    """
    found = store.verify()
    if found:
        raise ReleaseError(f"{store.url}: {len(found)} faults, nothing is removed; the first: {found[0]}")
    releases = [store.get(version) for version in store.versions()]
    kept = _kept(store, releases)
    needed = {blob for release in releases if release.id in kept for blob in release.blobs()}
    dropped = [release for release in releases if release.id not in kept]
    old = [manifest_name(release.version) for release in dropped]
    old += [name for release in dropped if store.storage.size(name := signature_name(release.version))]
    orphans = [f"blobs/{name}" for name in store.storage.names("blobs") if name not in needed]
    ours = {f"blobs/{blob}" for release in dropped for blob in release.blobs()}
    left = [
        f"{folder}/{name}"
        for folder in ("manifests", "blobs", "channels", "log", "nodes")
        for name in store.storage.leftovers(folder)
    ]
    loose = [name for name in [*orphans, *left] if name in ours or _age(store, name) > grace]
    # manifests first: a reader that still sees one must find its blobs
    names = (*old, *loose)
    size = sum(store.storage.size(name) or 0 for name in names)
    return Plan(names, tuple(release.id for release in dropped), size)


def remove(store: ReleaseStore, plan: Plan, why: str) -> None:
    """Remove what ``plan`` names. The log says it before it happens, so that a gc that dies leaves no riddle."""
    if not plan.names:
        return
    store.note("removal", removed=list(plan.releases), files=len(plan.names), bytes=plan.size, why=why)
    for name in plan.names:
        if store.storage.size(name) is not None:
            store.storage.remove(name)


def _kept(store: ReleaseStore, releases: list[Release]) -> set[str]:
    channels = [name.removesuffix(".json") for name in store.storage.names("channels")]
    heads = [head for channel in channels if (head := store.head(channel))]
    there = {release.id: release for release in releases}
    heads += [there[head.parent] for head in heads if head.parent in there]
    if not heads:
        return {release.id for release in releases}
    chains = {link.release for head in heads for link in head.weights.chain}
    oldest = min(store.get(head.weights.chain[0].release).version for head in heads)
    newer = {release.id for release in releases if release.version >= oldest}
    # a newer version may hang on a chain that starts before the oldest head's anchor
    return (
        chains | newer | {link.release for one in releases if one.id in newer for link in one.weights.chain}
    )


def _age(store: ReleaseStore, name: str) -> float:
    """Hours since the file was written."""
    return (datetime.datetime.now(datetime.UTC) - store.storage.written(name)).total_seconds() / 3600
