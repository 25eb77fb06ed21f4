"""What a run reads and what it trains on from: decided here, before its first stage, and written to params.yaml.

`ingest.through` (the last batch to read), `train.parent` (the release to compare with, and to go on from) and
`train.start` are declared inputs, so that `dvc status` stays clean after publishing and `dvc repro` repeats what the
flow did. While everything that the release in service learnt from is still in the inbox, the model goes on from that
release; when a batch was added and taken away again, the parent is the earlier one again, and everything comes from
the cache; with anything taken out or replaced it starts from the pretrained backbone, because weights cannot be made
to forget a document. What a release learnt from stands in its manifest.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openautoglm.corpus import inbox as boxes
from openautoglm.params import Params, set_values

if TYPE_CHECKING:
    from openautoglm.release import Release

Log = Callable[[str], object]


def pin_all(root: Path = Path(), log: Log = print) -> None:
    """A run on the whole inbox, after whatever came before. The same inbox as last time: the same parent."""
    from tasks.stage import input_hash

    params = Params.load(root / "params.yaml")
    ingested, now = input_hash("ingest", params.ingest.inbox, root=root)
    if now is None:
        return  # a URL: nobody can say here whether it changed
    if now == ingested and params.ingest.through is None:
        return
    found = entries(params, root)
    parent, why = choose(head_of(params, root), set(found))
    same = params.ingest.through is None or params.ingest.through == found[-1]
    start = params.train.start if now == ingested and same else "parent"
    _pin(root, params, None, parent, start, why, log)


def pin_batch(entry: str, root: Path = Path(), log: Log = print) -> None:
    """A run on the inbox up to ``entry``, on from the release in service."""
    params = Params.load(root / "params.yaml")
    parent, why = choose(head_of(params, root), set(entries(params, root, entry)))
    _pin(root, params, entry, parent, "parent", why, log)


def pin_retrain(through: str | None = None, root: Path = Path(), log: Log = print) -> str | None:
    """A run on the inbox up to ``through`` from the pretrained backbone; returns the champion that it challenges."""
    params = Params.load(root / "params.yaml")
    head = head_of(params, root)
    parent = head.id if head else None
    retrained = head is not None and made_by(head)["start"] == "pretrained"
    if head and retrained and set(entries(params, root, through)) == set(learnt(head) or ()):
        parent = made_by(head)[
            "parent"
        ]  # the release in service is this very retraining: everything comes from the cache
    _pin(root, params, through, parent, "pretrained", "the champion to challenge", log)
    return head.id if head else None


def choose(head: Release | None, batches: set[str]) -> tuple[str | None, str]:
    """(the parent of a model of ``batches``, why) while ``head`` is in service."""
    seen = learnt(head) if head else None
    if head is None:
        return None, "nothing is in service yet"
    if seen is None or not set(seen) <= batches:
        return None, "the inbox no longer holds all that the release in service learnt from"
    if set(seen) == batches:  # as it was: what made that release is still in the cache
        return made_by(head)["parent"], "the inbox is again what the release in service was made of"
    return head.id, "the inbox grew"


def entries(params: Params, root: Path = Path(), through: str | None = None) -> list[str]:
    """Names of the inbox's entries up to ``through``, in order of arrival."""
    inbox = params.ingest.inbox
    return boxes.names(inbox if "://" in inbox else root / inbox, through)


def head_of(params: Params, root: Path = Path()) -> Release | None:
    """The release in service; None: the store is empty."""
    from openautoglm.release import ReleaseStore

    store = params.publish.store
    return ReleaseStore(store if "://" in store else str(root / store)).head(params.publish.channel)


def learnt(release: Release) -> list[str] | None:
    """The inbox entries that ``release`` learnt from; None: its manifest does not say."""
    found: list[str] | None = release.facts["data"].get("entries")
    return found


def made_by(release: Release) -> dict[str, Any]:
    """`train` section of the params that made ``release``."""
    return {"start": "parent", **release.facts["params"]["train"]}


def _pin(
    root: Path, params: Params, through: str | None, parent: str | None, start: str, why: str, log: Log
) -> None:
    pins = {"ingest.through": through, "train.parent": parent, "train.start": start}
    if set_values(root / "params.yaml", pins) and parent != params.train.parent:
        log(f"train.parent: {params.train.parent or 'null'} -> {parent or 'null'}, {why}")
