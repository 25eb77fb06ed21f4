"""A node under constant load while its channel moves: 20 releases, 5 rollbacks, the default backbone.

    python -m tests.bench serve

The releases wait on a channel of their own, so that the machine that serves is not also the one that makes deltas.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from openautoglm.release import Release, ReleaseStore, build, materialise
from tests.unit.serve.toys import Load, Server, make_export, nudged, serving, wait_for

RELEASES, ROLLBACKS = 20, 5
REST = 0.7  # seconds between a change and the next, in which the node is at rest


def run(
    backbone: str = "all-MiniLM-L6-v2", releases: int = RELEASES, rollbacks: int = ROLLBACKS
) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        store = ReleaseStore(root / "store")
        ids = stage(store, root, backbone, releases + 1)
        store.promote(ids[0], "stable", "the first")
        with serving(store.url, root / "node", "--follow", "--every", "0.1", "--keep", "3") as server:
            load = Load(server.port, pause=0.01)
            with load.on():
                wait_for(lambda: len(load.answers) > 100, 60)
                flips = drive(store, server, ids[1:], releases // max(rollbacks, 1))
            return told(load, server, flips)


def stage(store: ReleaseStore, root: Path, backbone: str, count: int) -> list[str]:
    """Publish ``count`` updates on the channel ``ready``."""
    export, base, ids = make_export(root, backbone), None, []
    head: Release | None = None
    for step in range(count):
        folder = nudged(export, root / f"v{step}", step)
        build(folder, head, base, root / "candidate", version=step + 1, anchor_every=8)
        head = store.publish(root / "candidate", "ready", "bench")
        base = materialise(store, head, root / "held" / head.id)
        ids.append(head.id)
    return ids


def drive(
    store: ReleaseStore, server: Server, ids: Sequence[str], every: int
) -> list[tuple[float, float, str]]:
    """Move the channel to each release, and back and forth after each ``every``-th: (flip, change told, release)."""
    flips = []
    for number, wanted in enumerate(ids, start=1):
        flips.append(_move(store, server, wanted))
        if number % every == 0:
            flips.append(_move(store, server, ids[number - 2], back=True))
            flips.append(_move(store, server, wanted))
    time.sleep(REST)
    return flips


def _move(store: ReleaseStore, server: Server, wanted: str, back: bool = False) -> tuple[float, float, str]:
    time.sleep(REST)
    before, start = len(server.changes()), time.perf_counter()
    if back:
        store.rollback(wanted, reason="bench")
    else:
        store.promote(wanted, "stable", "bench")
    wait_for(lambda: len(server.changes()) > before, 60)
    assert server.changes()[-1]["release"] == wanted, server.changes()[-1]
    return start, time.perf_counter(), wanted


def told(load: Load, server: Server, flips: Sequence[tuple[float, float, str]]) -> dict[str, object]:
    answers = sorted(load.answers)
    during = [
        took for start, took, _ in answers if any(a <= start + took and start <= b for a, b, _ in flips)
    ]
    rest = [
        took for start, took, _ in answers if not any(a <= start + took and start <= b for a, b, _ in flips)
    ]
    first = [
        next(s + t for s, t, release in answers if s + t > flip and release == new) - flip
        for flip, _, new in flips
    ]
    changes = [change for change in server.changes()[1:] if change["route"] != "held"]
    steps = {step: [change["seconds"].get(step, 0.0) for change in changes] for step in changes[0]["seconds"]}
    return {
        "requests": len(answers),
        "failed requests": len(load.failed),
        "changes of version": len(flips),
        "p50 at rest, ms": 1e3 * statistics.median(rest),
        "p99 at rest, ms": 1e3 * _p99(rest),
        "p50 during a change, ms": 1e3 * statistics.median(during),
        "p99 during a change, ms": 1e3 * _p99(during),
        "p99 ratio, change to rest": _p99(during) / _p99(rest),
        "pointer flip to first answer, s": statistics.median(first),
        "pointer flip to first answer, worst, s": max(first),
        "the way of a delta, s": {step: statistics.median(took) for step, took in steps.items()},
        "load of the machine": os.getloadavg()[0],
    }


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[min(int(0.99 * len(values)), len(values) - 1)]
