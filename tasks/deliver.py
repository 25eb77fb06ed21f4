"""After `publish`: models/release → the release store, its pointer and MLflow's registry, exactly once.

    python -m tasks publish          through DVC's door
    deliver(params)                  through the flow's, also when the stage was cached

The stage makes the candidate and its verdict, which DVC caches; what happens outside the checkout is here, is safe to
repeat, and is left out inside a DVC experiment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openautoglm.files import LEDGER, PARENTS, load_json, located, write_atomic

if TYPE_CHECKING:
    from openautoglm.params import Params
    from openautoglm.release import Release, ReleaseStore

CANDIDATE, RESULT = Path("models/release"), Path("models/release.json")
REGISTERED = Path(".autoglm/registered")  # the last release that MLflow's registry was told of
CHAIN = Path("reports/chain.html")


@dataclass(frozen=True)
class Delivered:
    """release: id of what is in the store now, None: refused; before: what the channel pointed at; moved: this call did.

    at: when that was so, in seconds since 1970.
    """

    release: str | None
    before: str | None
    moved: bool
    at: float = field(default_factory=time.time, compare=False)


def is_stale(params: Params, root: Path = Path()) -> bool:
    """Whether the cached candidate was made for another state of the store: then `publish` has to run again.

    Its base and its comparison with the head are not among DVC's dependencies. What was ever on the channel stays as
    it is: a rollback is not undone by running the pipeline again.
    """
    record, store = load_json(root / RESULT), store_of(params, root)
    head = store.head(params.publish.channel)
    if (head and head.id) == record["parent"]:
        return False
    known = store.find(record["fingerprint"])
    return not (known and params.publish.channel in store.channels_of(known))


def deliver(
    params: Params, root: Path = Path(), *, fence: int | None = None, force: str = "", dry_run: bool = False
) -> Delivered:
    """Publish models/release if its gates agree, else log that it was refused.

    Args:
        fence: token of the training lease, which the pointer keeps.
        force: a reason to publish although a gate says no; it is logged.
        dry_run: log the verdict, and publish nothing.

    Raises:
        Conflict: somebody else published since the candidate was made.
    """
    record, store, channel = load_json(root / RESULT), store_of(params, root), params.publish.channel
    head, known = store.head(channel), store.find(record["fingerprint"])
    before = head.id if head else None
    if head and known and head.id == known.id:
        before = head.parent  # a publish that died before it was logged has moved it
    if known and channel in store.channels_of(known) and (record["passed"] or _was_forced(store, known.id)):
        return Delivered(known.id, before, False)
    if dry_run:
        store.note(
            "dry-run", release=record["id"], channel=channel, why=record["reason"], passed=record["passed"]
        )
        return Delivered(None, before, False)
    if not record["passed"] and not force:
        store.reject(root / CANDIDATE, channel, record["reason"])
        return Delivered(None, before, False)
    why = record["reason"] if record["passed"] else f"forced: {force}; {record['reason']}"
    release = store.publish(root / CANDIDATE, channel, why, fence=fence)
    return Delivered(release.id, before, True)


def _was_forced(store: ReleaseStore, release: str) -> bool:
    moves = [entry for entry in store.log() if entry["kind"] == "publish" and entry["to"] == release]
    return bool(moves) and str(moves[-1]["why"]).startswith("forced: ")


def settle(params: Params, delivered: Delivered, root: Path = Path()) -> None:
    """What follows a publication: MLflow's registry, and the ledger. Where it fails, :func:`take_back` undoes the move.

    A refused candidate becomes the registry's `challenger`; if MLflow cannot be told, a line says so.

    Raises:
        whatever MLflow or the disk raises.
    """
    from openautoglm.loop import Ledger
    from openautoglm.release.prune import prune_materialised
    from tasks.registry import register
    from tasks.tracking import tried

    keep = [params.train.parent] if params.train.parent else []
    if delivered.release is None:
        if not recorded(root)["passed"]:  # a dry run leaves one that passed
            tried(lambda: register(params, root, is_refused=True))
        prune_materialised(root / PARENTS, store_of(params, root), params.publish.channel, keep)
        draw_chain(params, root)  # a refused candidate is part of the history
        return
    if not (delivered.moved or _was_cut_short(delivered.release, root)):
        if not (root / CHAIN).is_file():
            draw_chain(params, root)
        return
    register(params, root)
    write_atomic(root / REGISTERED, delivered.release.encode())
    release = store_of(params, root).get(delivered.release)
    Ledger(root / LEDGER).learnt(release.facts["data"].get("entries") or [], release.id)
    prune_materialised(root / PARENTS, store_of(params, root), params.publish.channel, keep)
    draw_chain(params, root)


def draw_chain(params: Params, root: Path = Path()) -> Path | None:
    """Write reports/chain.html. A fault of the drawing is told and takes nothing back: then None."""
    try:
        from openautoglm.loop import Ledger
        from openautoglm.loop.page import write_chain

        batches = Ledger(root / LEDGER).batches() if (root / LEDGER).is_file() else []
        return write_chain(store_of(params, root), params.publish.channel, root / CHAIN, batches)
    except Exception as error:
        print(f"{CHAIN}: not drawn: {type(error).__name__}: {error}")
        return None


def _was_cut_short(release: str, root: Path) -> bool:
    """Whether the run that published ``release`` was killed before it could register it; ids grow."""
    path = root / REGISTERED
    return release > (path.read_text() if path.is_file() else "")


def take_back(params: Params, delivered: Delivered, why: str, root: Path = Path()) -> None:
    """Point the channel at what it pointed at before, and log why; only where this delivery had moved it."""
    if delivered.moved and delivered.release is not None:
        store_of(params, root).take_back(delivered.release, delivered.before, params.publish.channel, why)


def deliver_now(params: Params, root: Path = Path()) -> None:
    """All of it, for a door without flows."""
    if os.environ.get("DVC_EXP_NAME"):
        return  # an experiment is compared, not served
    delivered = deliver(params, root)
    try:
        settle(params, delivered, root)
    except Exception as error:
        take_back(params, delivered, f"{type(error).__name__}: {error}", root)
        raise


def store_of(params: Params, root: Path = Path()) -> ReleaseStore:
    """The store that the checkout ``root`` publishes to."""
    from openautoglm.release import ReleaseStore

    return ReleaseStore(located(root, params.publish.store))


def put_back(store: ReleaseStore, release: Release, root: Path) -> Mapping[str, object]:
    """models/release and models/release.json of a release that is in the store."""
    store.restore(release, root / CANDIDATE)
    return write_result(root, release)


def write_result(root: Path, release: Release) -> dict[str, object]:
    """Write models/release.json: the candidate's id, verdict and sizes; return them without its gates."""
    from openautoglm.files import save_json
    from openautoglm.release import gates

    weights, found = release.weights, release.facts["gates"]
    refused = gates.refusing(found)
    facts: dict[str, object] = {
        "id": release.id,
        "version": release.version,
        "fingerprint": release.fingerprint,
        "parent": release.parent,
        "passed": not refused,
        "reason": f"refused by {', '.join(refused)}" if refused else f"all {len(found)} gates passed",
        "kind": weights.kind,
        "delta_bytes": weights.own.size,
        "full_bytes": weights.size,
        "ratio": round(weights.size / max(weights.own.size, 1), 2),
    }
    save_json(root / RESULT, {**facts, "gates": found, "metrics": release.metrics})
    return facts


def recorded(root: Path = Path()) -> Mapping[str, Any]:
    """models/release.json: the candidate's id, verdict and sizes."""
    found: Mapping[str, Any] = load_json(root / RESULT)
    return found
