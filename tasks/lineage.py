"""What a run reads and what it trains on from: decided here, before its first stage, and written to params.yaml.

`ingest.through` (the last batch to read), `train.parent` (the release to compare with, and to go on from) and
`train.start` are declared inputs, so that `dvc status` stays clean after publishing and `dvc repro` repeats what the
flow did. While everything that the release in service learnt from is still in the inbox, the model goes on from that
release; when a batch was added and taken away again, the parent is the earlier one again, and everything comes from
the cache; with anything taken out or replaced it starts from the pretrained backbone, because weights cannot be made
to forget a document. Where the head alone can forget, as it does after `autoglm forget`, it goes on. What a release
learnt from stands in its manifest, and what became of those names in the inbox's record of what was taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openautoglm.corpus import inbox as boxes
from openautoglm.corpus.forgotten import Forgotten, records, today, trail
from openautoglm.params import Params
from openautoglm.params_file import set_values
from tasks.deliver import store_of

if TYPE_CHECKING:
    from openautoglm.release import Release, ReleaseStore

Log = Callable[[str], object]


def pin_all(root: Path = Path(), log: Log = print) -> None:
    """A run on the whole inbox, after whatever came before. The same inbox as last time: the same parent."""
    from tasks.stage import input_hash

    params = Params.load(root / "params.yaml")
    ingested, now = input_hash("ingest", params.ingest.inbox, root=root)
    if now is None:
        return  # there is none; `ingest` says so
    if now == ingested and params.ingest.through is None:
        return
    found = entries(params, root)
    parent, why = choose(head_of(params, root), set(found), forgotten(params, root))
    same = params.ingest.through is None or params.ingest.through == found[-1]
    start = params.train.start if now == ingested and same else "parent"
    _pin(root, params, None, parent, start, why, log)


def pin_batch(entry: str, root: Path = Path(), log: Log = print) -> None:
    """A run on the inbox up to ``entry``, on from the release in service."""
    params = Params.load(root / "params.yaml")
    found = set(entries(params, root, entry))
    parent, why = choose(head_of(params, root), found, forgotten(params, root))
    _pin(root, params, entry, parent, "parent", why, log)


def pin_retrain(through: str | None = None, root: Path = Path(), log: Log = print) -> str | None:
    """A run on the inbox up to ``through`` from the pretrained backbone; returns the champion that it challenges."""
    params = Params.load(root / "params.yaml")
    head = head_of(params, root)
    parent = head.id if head else None
    retrained = head is not None and made_by(head)["start"] == "pretrained"
    if head and retrained and set(entries(params, root, through)) == set(named_by(head) or ()):
        parent = made_by(head)[
            "parent"
        ]  # the release in service is this very retraining: everything comes from the cache
    _pin(root, params, through, parent, "pretrained", "the champion to challenge", log)
    return head.id if head else None


def pin_forget(through: str | None, root: Path = Path(), log: Log = print) -> Release | None:
    """A run on what is left of the inbox up to ``through``, on from the release in service, whose features stay."""
    params = Params.load(root / "params.yaml")
    head = head_of(params, root)
    parent, start = head.id if head else None, "parent"
    if head and set(named_by(head) or ()) == set(entries(params, root, through)):
        # made of exactly this: a killed run's rest, for which everything comes from the cache
        parent, start = made_by(head)["parent"], made_by(head)["start"]
    _pin(root, params, through, parent, start, "documents were taken out", log)
    return head


def choose(
    head: Release | None, batches: set[str], taken_out: Sequence[Forgotten] = ()
) -> tuple[str | None, str]:
    """(the parent of a model of ``batches``, why) while ``head`` is in service."""
    seen = named_by(head) if head else None
    if head is None:
        return None, "nothing is in service yet"
    if seen is None or not set(today(taken_out, seen)) <= batches:
        return None, "the inbox no longer holds all that the release in service learnt from"
    if set(seen) == batches:  # as it was: what made that release is still in the cache
        return made_by(head)["parent"], "the inbox is again what the release in service was made of"
    return head.id, "the inbox grew" if set(seen) <= batches else "documents were taken out"


def fine_tuned(head: Release, store: ReleaseStore) -> Release | None:
    """The release whose fine-tune the features of ``head`` come from; None: it is not in the store any more."""
    from openautoglm.errors import UnknownRelease

    release = head
    while release.facts["data"].get("mode") == "analytic" and made_by(release)["start"] == "parent":
        if made_by(release)["parent"] is None:
            return release
        try:
            release = store.get(made_by(release)["parent"])
        except UnknownRelease:
            return None
    return release


def has_seen(release: Release, entries: Collection[str], taken_out: Sequence[Forgotten]) -> bool:
    """Whether ``release`` was made of one of ``entries`` while they still held what was taken out; in doubt, yes."""
    seen = named_by(release)
    return seen is None or any(name in entries for entry in seen for name in trail(taken_out, entry)[:-1])


def forgotten(params: Params, root: Path = Path()) -> list[Forgotten]:
    """What was taken out of the inbox."""
    return records(root / params.ingest.inbox)


def entries(params: Params, root: Path = Path(), through: str | None = None) -> list[str]:
    """Names of the inbox's entries up to ``through``, in order of arrival."""
    return boxes.names(root / params.ingest.inbox, through)


def read_of_inbox(root: Path = Path()) -> dict[str, object]:
    """{the inbox: what `ingest` reads of it}: a batch that arrives behind ``ingest.through`` is none of that."""
    params = Params.load(root / "params.yaml")
    inbox, through = params.ingest.inbox, params.ingest.through
    tops = [root / inbox / name for name in entries(params, root, through)]
    files = [path for top in tops for path in (top, *sorted(top.rglob("*")))]
    return {inbox: [(path.name, path.stat().st_mtime_ns) for path in files]}


def head_of(params: Params, root: Path = Path()) -> Release | None:
    """The release in service; None: the store is empty."""
    return store_of(params, root).head(params.publish.channel)


def learnt(release: Release, root: Path = Path()) -> list[str] | None:
    """The inbox entries that ``release`` learnt from, by the names that they have today; None: its manifest does not say."""
    seen = named_by(release)
    return None if seen is None else today(forgotten(Params.load(root / "params.yaml"), root), seen)


def named_by(release: Release) -> list[str] | None:
    """The same, by the names that they had then."""
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
