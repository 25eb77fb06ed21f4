"""Which release the next model trains on from: decided here, written to `train.parent` in params.yaml.

The parent is a declared input, so that `dvc status` stays clean after publishing and `dvc repro` repeats what the
flow did. The flow door looks it up anew only when the inbox changed since the last ingest. While everything that the
release in service learnt from is still in the inbox, the model goes on from that release; with anything taken out or
replaced it starts from the pretrained backbone, because weights cannot be made to forget a document.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from openautoglm.files import load_json, save_json
from openautoglm.params import Params, set_values

LEARNT = Path(".autoglm/lineage.json")  # {release id: names that were in the inbox when it was made}

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
    learnt = _learnt(root).get(newest or "")
    grown = learnt is not None and set(learnt) <= set(entries(root / inbox))
    parent = newest if grown else None
    if set_values(root / "params.yaml", {"train.parent": parent}):
        why = (
            "the inbox grew"
            if grown
            else "the inbox no longer holds all that the release in service learnt from"
        )
        log(f"train.parent: {params.train.parent or 'null'} -> {parent or 'null'}, {why}")
    return parent


def remember_release(params: Params, root: Path = Path()) -> None:
    """Note what the release that was just made learnt from; called after `publish`, whichever door ran it."""
    path = root / "models/release.json"
    release = load_json(path) if path.is_file() else {}
    inbox = root / params.ingest.inbox
    if release.get("published") and inbox.is_dir():
        save_json(root / LEARNT, _learnt(root) | {str(release["id"]): entries(inbox)})


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


def _learnt(root: Path) -> dict[str, list[str]]:
    return dict(load_json(root / LEARNT)) if (root / LEARNT).is_file() else {}
