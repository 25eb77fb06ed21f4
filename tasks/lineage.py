"""Which release the next model trains on from: decided here, written to `train.parent` in params.yaml.

The parent is a declared input, so that `dvc status` stays clean after publishing and `dvc repro` repeats what the
flow did. The flow door looks it up anew only when the inbox changed since the last ingest. While everything that the
release in service learnt from is still in the inbox, the model goes on from that release; when a batch was added and taken away
again, the parent is the earlier one again, and everything comes from the cache; with anything taken out or
replaced it starts from the pretrained backbone, because weights cannot be made to forget a document.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from openautoglm.files import load_json, save_json
from openautoglm.params import Params, set_values

LEARNT = Path(
    ".autoglm/lineage.json"
)  # {release id: {batches: names in the inbox when it was made, parent: its own}}

Head = Callable[[str, str], str | None]


def pin_parent(
    root: Path = Path(), head: Head | None = None, log: Callable[[str], object] = print
) -> str | None:
    """Set `train.parent` for the inbox as it is now; return it. ``head`` gives a channel's release id."""
    from tasks.stage import input_hash

    params = Params.load(root / "params.yaml")
    inbox = params.ingest.inbox
    ingested, now = input_hash("ingest", inbox, root=root)
    if now is None or now == ingested:
        return params.train.parent
    store = params.publish.store
    newest = (head or channel_head)(store if "://" in store else str(root / store), params.publish.channel)
    parent, why = _choose(newest, _learnt(root).get(newest or ""), set(entries(root / inbox)))
    if set_values(root / "params.yaml", {"train.parent": parent}):
        log(f"train.parent: {params.train.parent or 'null'} -> {parent or 'null'}, {why}")
    return parent


def _choose(newest: str | None, learnt: dict[str, Any] | None, batches: set[str]) -> tuple[str | None, str]:
    if learnt is None or not set(learnt["batches"]) <= batches:
        return None, "the inbox no longer holds all that the release in service learnt from"
    if set(learnt["batches"]) == batches:  # as it was: what made that release is still in the cache
        return learnt["parent"], "the inbox is again what the release in service was made of"
    return newest, "the inbox grew"


def remember_release(params: Params, root: Path = Path()) -> None:
    """Note what the release that was just made learnt from; called after `publish`, whichever door ran it."""
    path = root / "models/release.json"
    release = load_json(path) if path.is_file() else {}
    inbox = root / params.ingest.inbox
    if release.get("published") and inbox.is_dir():
        found = {"batches": entries(inbox), "parent": params.train.parent}
        save_json(root / LEARNT, _learnt(root) | {str(release["id"]): found})


def channel_head(store: str, channel: str) -> str | None:
    """Id of the release that ``channel`` points at; None: the store is empty."""
    from openautoglm.release import ReleaseStore

    release = ReleaseStore(store).head(channel)
    return None if release is None else str(release.id)


def entries(inbox: Path) -> list[str]:
    """Names of the batches, in order of arrival; none when there is no inbox."""
    return (
        sorted(entry.name for entry in inbox.iterdir() if entry.name[0] not in "._") if inbox.is_dir() else []
    )


def _learnt(root: Path) -> dict[str, dict[str, Any]]:
    return dict(load_json(root / LEARNT)) if (root / LEARNT).is_file() else {}
