"""reports/chain.html: the history of a channel on one page, for a person.

    write_chain(store, "stable", Path("reports/chain.html"), Ledger(path).batches())

Everything is inside the page; it can be written again at any time, from the store alone.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from openautoglm.evaluate.report import page
from openautoglm.files import write_atomic
from openautoglm.loop.history import History, Version, read
from openautoglm.loop.ledger import Batch
from openautoglm.loop.moves import Entry, marks
from openautoglm.release import ReleaseStore

GONE = ("rolled back", "taken back")
COLUMNS, DENSE = 10, 60  # batches in the heat map with numbers, and without; the first and the last of more
SHOWN = 60  # lines of the log
MEASURES = {"backward": "backward_transfer", "forgetting": "forgetting", "forward": "forward_transfer"}


def write_chain(store: ReleaseStore, channel: str, out: Path, batches: Sequence[Batch] = ()) -> Path:
    """Raises what the store raises. A store without a release gives a page that says so."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, page("chain.html.j2", **view(read(store, channel, batches))).encode())
    return out


def view(history: History) -> dict[str, Any]:
    """Everything that the template shows."""
    from openautoglm.evaluate import chain_figures as figures  # matplotlib takes a second

    published = history.published
    head = next((version for version in published if version.state == "in service"), None)
    drifts = _drifts(history)
    return {
        "history": history,
        "head": head,
        "before": next((version for version in published if version.state == "previous"), None),
        "published": published,
        "rejected": len(history.versions) - len(published),
        "rollbacks": sum(entry["kind"] == "rollback" for entry in marks(history.log, history.channel)),
        "joint": history.joint,
        "accuracy": Markup(figures.accuracies(_points(published), _marks(history))) if published else "",
        "transfer": Markup(figures.transfers(transfers)) if (transfers := _transfers(published)) else "",
        "map": heat_map(history),
        "drift": Markup(figures.drifts(*drifts)) if drifts[0] else "",
        "sizes": Markup(figures.sizes([_size(version) for version in published])) if published else "",
        "sent": sum(version.sent for version in published if version.kind == "delta"),
        "deltas": [version for version in published if version.kind == "delta"],
        "times": stage_times(history.batches),
        "log": [told(entry) for entry in history.log[::-1][:SHOWN]],
        "older": max(len(history.log) - SHOWN, 0),
    }


def heat_map(history: History) -> dict[str, Any]:
    """``groups`` and ``rows`` of the lineage: accuracy on each batch, and how much of its best is gone (0-1)."""
    chain, names = history.chain, {version.id: version.name for version in history.published}
    shown = _ends(len(chain.groups), DENSE)
    losses = chain.losses()
    rows: list[dict[str, Any]] = []
    for number, release in enumerate(history.lineage):
        cells = [
            None
            if math.isnan(chain.scores[number, j])
            else {"score": float(chain.scores[number, j]), "loss": float(losses[number, j])}
            for j in shown
        ]
        rows.append({"name": names[release], "id": release, "cells": cells})
    return {
        "groups": [chain.groups[j] for j in shown],
        "rows": [rows[place] for place in _ends(len(rows), DENSE)] if shown else [],
        "dense": len(shown) > COLUMNS,
        "left_out": len(chain.groups) - len(shown),
        "worst": float(max((cell["loss"] for row in rows for cell in row["cells"] if cell), default=0)),
    }


def stage_times(batches: Sequence[Batch]) -> list[dict[str, Any]]:
    """Seconds of each batch from its arrival to the end, of those that a continual run took: waiting, stages, rest."""
    rows = []
    for batch in batches:
        if batch.state in ("published", "refused") and (parts := batch.way()):
            total = max(sum(parts.values()), 1e-9)
            rows.append({"entry": batch.entry, "state": batch.state, "parts": parts, "total": total})
    return rows


def told(entry: Entry) -> dict[str, str]:
    """A line of the log for reading."""
    when = datetime.datetime.fromisoformat(entry["when"]).strftime("%Y-%m-%d %H:%M:%S")
    gates = ", ".join(str(gate.get("name")) for gate in entry.get("gates") or [])
    return {
        "when": when,
        "kind": entry["kind"],
        "release": str(entry.get("release") or ""),
        "why": str(entry.get("why") or gates),
        "who": str(entry.get("who") or ""),
        "tone": {"publish": "yes", "promotion": "yes", "rejection": "no", "rollback": "warn", "undo": "no"}.get(
            entry["kind"], ""
        ),
    }  # fmt: skip


def _points(published: Sequence[Version]) -> list[dict[str, Any]]:
    return [
        {
            "name": version.name,
            "accuracy": version.metrics.get("accuracy"),
            "average": version.summary.get("average_accuracy"),
            "hollow": version.state in GONE,
            "joint": version.joint,
            "told": len(published) <= 12 or version is published[-1],
        }
        for version in published
    ]


def _transfers(published: Sequence[Version]) -> list[dict[str, Any]]:
    """A row a release; none where fewer than two of the chain have values. The first of a lineage has nothing to keep."""
    stored = {version.id for version in published}
    rows = [
        {
            "name": version.name,
            "hollow": version.state in GONE,
            **{
                key: version.summary.get(measure) if version.parent in stored else None
                for key, measure in MEASURES.items()
            },
        }
        for version in published
    ]
    return rows if sum(row["backward"] is not None and not row["hollow"] for row in rows) > 1 else []


def _marks(history: History) -> list[tuple[float, str, str]]:
    """Between the releases: after the last one that the log has before it."""
    places = {version.id: place for place, version in enumerate(history.published)}
    last, found = -1, []
    for entry in history.log:
        if entry["kind"] == "publish":
            last = max(last, places.get(entry["release"], last))
        elif entry in marks([entry], history.channel):
            to = f"to v{_number(entry['to'])}" if entry["to"] else "taken back"
            found.append((last + 0.5, entry["kind"], "refused" if entry["kind"] == "rejection" else to))
    return found


def _number(release: str) -> int:
    return int(release[1:].split("-")[0])


def _size(version: Version) -> dict[str, Any]:
    return {"name": version.name, "sent": version.sent, "full": version.full, "kind": version.kind}


def _drifts(history: History) -> tuple[list[str], dict[str, list[float | None]]]:
    """Batches in their order, and each measure as a share of its bound; of what releases say of their newest batch."""
    found = {
        version.drift["batch"]: version.drift["measures"] for version in history.published if version.drift
    }
    names = dict.fromkeys(name for measures in found.values() for name in measures)
    rows: dict[str, list[float | None]] = {}
    for name in names:
        pairs = [measures.get(name) for measures in found.values()]
        rows[name] = [pair[0] / pair[1] if pair and pair[1] else None for pair in pairs]
    return list(found), rows


def _ends(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    return [*range(most // 4), *range(count - (most - most // 4), count)]
