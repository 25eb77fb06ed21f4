"""The history of a channel: its releases in their order, what each was worth, and what was done to them.

    history = read(store, "stable", Ledger(root / ".autoglm/ledger.db").batches())
    history.versions[-1].summary["backward_transfer"], history.chain.scores

Everything comes from the store, its log read once; times of stages from the ledger, where there is one. What only later
releases record (scores of each batch, drift, recall of each class) is left out of earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openautoglm.evaluate.continual import Chain
from openautoglm.loop.ledger import Batch
from openautoglm.loop.moves import Entry, first_published, rejections, states
from openautoglm.release import Release, ReleaseStore


@dataclass(frozen=True)
class Version:
    """A release, or a candidate that a gate refused: then ``state`` is `rejected`, and it has no metrics.

    ``batches``: those that its parent had not learnt. ``summary``: `Chain.summary` of its lineage up to here.
    ``joint``: trained from the pretrained backbone on all data at once, so that nothing could be forgotten.
    """

    id: str
    when: str | None
    state: str
    parent: str | None
    why: str = ""
    batches: tuple[str, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, float] = field(default_factory=dict)
    drift: Mapping[str, Any] | None = None
    mode: str = ""
    joint: bool = False
    kind: str = ""
    sent: int = 0
    full: int = 0

    @property
    def name(self) -> str:
        """v12, for where a whole id is too long."""
        return f"v{int(self.id[1:].split('-')[0])}"


@dataclass(frozen=True)
class History:
    """``versions`` with the rejected ones at their time; ``lineage``: ids from the first release to that in service."""

    channel: str
    versions: tuple[Version, ...]
    lineage: tuple[str, ...]
    chain: Chain
    log: tuple[Entry, ...]
    batches: tuple[Batch, ...] = ()

    def __repr__(self) -> str:
        return f"History({self.channel}: {len(self.published)} releases, {len(self.versions) - len(self.published)} rejected)"

    @property
    def published(self) -> list[Version]:
        return [version for version in self.versions if version.state != "rejected"]

    @property
    def joint(self) -> Version | None:
        """The last release of the lineage that was trained on all its data at once, after earlier ones."""
        found = [version for version in self.published if version.joint and version.id in self.lineage]
        return found[-1] if found else None


def read(store: ReleaseStore, channel: str, batches: Sequence[Batch] = ()) -> History:
    """Raises what the store raises: it cannot be reached, or a manifest was altered."""
    log, head = store.log(), store.head(channel)
    releases = {release.id: release for release in map(store.get, store.versions())}
    found, summaries = states(log, channel, head, releases), _summaries(releases)
    when = first_published(log)
    versions = [
        _version(release, releases, when.get(release.id), found.get(release.id, "elsewhere"), summaries)
        for release in releases.values()
    ]
    for entry in rejections(log, channel):
        versions.append(
            Version(entry["release"], entry["when"], "rejected", entry["from"], entry.get("why") or "")
        )
    lineage = _lineage(head, releases) if head else []
    return History(
        channel,
        tuple(_in_time(versions)),
        tuple(release.id for release in lineage),
        Chain.of([release.metrics for release in lineage]),
        tuple(log),
        tuple(batches),
    )


def _version(
    release: Release,
    releases: Mapping[str, Release],
    when: tuple[str, str] | None,
    state: str,
    summaries: Mapping[str, Mapping[str, float]],
) -> Version:
    data = release.facts.get("data") or {}
    before = releases.get(release.parent or "")
    known = set((before.facts.get("data") or {}).get("batches") or ()) if before else set()
    return Version(
        id=release.id,
        when=when[0] if when else None,
        state=state,
        parent=release.parent,
        why=when[1] if when else "",
        batches=tuple(batch for batch in data.get("batches") or () if batch not in known),
        metrics=release.metrics,
        summary=summaries[release.id],
        drift=data.get("drift"),
        mode=data.get("mode") or "fine-tuned",
        joint=_is_joint(release),
        kind=release.weights.kind,
        sent=release.weights.own.size,
        full=release.weights.size,
    )


def _is_joint(release: Release) -> bool:
    train = (release.facts.get("params") or {}).get("train") or {}
    return train.get("start") == "pretrained" and release.parent is not None


def _summaries(releases: Mapping[str, Release]) -> dict[str, dict[str, float]]:
    """{release: measures of its lineage up to it}. A lineage is walked once, from each end that nothing was built on."""
    parents = {release.parent for release in releases.values()}
    found: dict[str, dict[str, float]] = {}
    for tip in releases.values():
        if tip.id in parents:
            continue
        lineage = _lineage(tip, releases)
        chain = Chain.of([release.metrics for release in lineage])
        for row, release in enumerate(lineage, start=1):
            if release.id not in found:
                found[release.id] = chain.upto(row).summary() if chain.groups else {}
    return found


def _lineage(release: Release, releases: Mapping[str, Release]) -> list[Release]:
    """From the oldest ancestor that is still in the store to ``release``."""
    found = [release]
    while (parent := releases.get(found[-1].parent or "")) is not None:
        found.append(parent)
    return found[::-1]


def _in_time(versions: Iterable[Version]) -> list[Version]:
    """Releases by number; a rejected candidate after what was published before it."""
    return sorted(versions, key=lambda version: (version.when or "~", version.id))
