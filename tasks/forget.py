"""Documents out of everything that this checkout keeps: the inbox, what was learnt, caches, reports.

Two halves, with a run of the pipeline between them: `take_out` (or `take_up`, after a kill) changes the inbox, `purge` removes what is left of them
in caches, once DVC's lock no longer names it. Both may be done again, and again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openautoglm.corpus.forgotten import Forgotten
    from openautoglm.params import Params

TEXTS_IN = (
    "reports/data_docs",
    "reports/report.html",
)  # drawn anew when the run is over (tasks/pages.py); no outs of a stage


@dataclass(frozen=True)
class Request:
    """documents: rows that went; entries: of the inbox, by the names that they had when they held them; records: the
    lines that were left about them, none where none of the ids was ever there.
    """

    documents: int
    unknown: tuple[str, ...]
    entries: frozenset[str]
    records: tuple[Forgotten, ...]


def read_ids(path: Path) -> frozenset[str]:
    """One id a line, or JSON Lines with `id`.

    Raises:
        SourceError: no such file, a line of JSON without an id, no id at all.
    """
    from openautoglm.errors import SourceError

    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from None
    found = set()
    for number, line in enumerate(map(str.strip, lines), 1):
        if line.startswith("{"):
            try:
                found.add(str(json.loads(line)["id"]))
            except (ValueError, KeyError):
                raise SourceError(f"{path}: line {number}: expected a JSON object with id") from None
        elif line:
            found.add(line)
    if not found:
        raise SourceError(f"{path}: no ids in it; expected one a line")
    return frozenset(found)


def take_out(
    params: Params, ids: frozenset[str], reason: str, ignore_unknown: bool, root: Path = Path()
) -> Request:
    """Rewrite the inbox without ``ids``, and the ledger's names with it.

    Raises:
        SourceError: as :func:`unknown_ids`, or a pointer that holds one; nothing has changed.
    """
    from openautoglm.corpus.forgotten import hashed

    unknown = unknown_ids(params, ids, ignore_unknown, root)
    return _taken_out(params, ids, frozenset(hashed(ids)), reason, unknown, root)


def unknown_ids(
    params: Params, ids: frozenset[str], ignore_unknown: bool = False, root: Path = Path()
) -> tuple[str, ...]:
    """Those that are in no batch of the inbox and never were.

    Raises:
        SourceError: there are some, unless we ``ignore_unknown``.
    """
    from openautoglm.corpus.forgotten import hashed, records
    from openautoglm.corpus.redact import look
    from openautoglm.errors import SourceError

    inbox = root / params.ingest.inbox
    known = {digest for record in records(inbox) for digest in record.ids}
    unknown = sorted(i for i in ids - look(inbox, ids, params.ingest)[1] if hashed([i])[0] not in known)
    if unknown and not ignore_unknown:
        shown = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
        raise SourceError(
            f"{len(unknown)} of {len(ids)} ids are in no batch of the inbox: {shown}; nothing has changed; "
            "correct them, or give --ignore-unknown"
        )
    return tuple(unknown)


def take_up(params: Params, root: Path = Path()) -> Request:
    """What killed calls left to do; the record of the inbox says what they were asked for, so no ids are needed."""
    from openautoglm.corpus.redact import still_there
    from openautoglm.loop.forgetting import unfinished
    from tasks.deliver import store_of

    found = unfinished(root / params.ingest.inbox, store_of(params, root))
    if not found:
        return Request(0, (), frozenset(), ())
    digests = frozenset(digest for record in found for digest in record.ids)
    left = still_there(root / params.ingest.inbox, digests, params.ingest)
    return _taken_out(params, left, digests, found[-1].reason, (), root)


def _taken_out(
    params: Params,
    ids: frozenset[str],
    digests: frozenset[str],
    reason: str,
    unknown: tuple[str, ...],
    root: Path,
) -> Request:
    """Take ``ids`` out of the inbox and rename what held them in the ledger; ``digests``: of all that was asked for."""
    from openautoglm.corpus.forgotten import records
    from openautoglm.corpus.redact import take_out as redact
    from openautoglm.loop import Ledger
    from tasks.deliver import LEDGER

    inbox, ledger = root / params.ingest.inbox, Ledger(root / LEDGER)
    taken = redact(inbox, ids, reason, params.ingest)
    mine = tuple(record for record in records(inbox) if digests & set(record.ids))
    renamed = {old: new for record in mine for old, new in record.renamed.items()}
    for old, new in renamed.items():
        ledger.rename(old, new)
    documents = taken.documents or (mine[-1].documents if mine else 0)
    return Request(documents, unknown, frozenset(renamed), mine)


def clear_reports(root: Path = Path()) -> None:
    """Reports that quote texts and that no stage has among its outs."""
    for name in TEXTS_IN:
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def purge(params: Params, root: Path = Path()) -> Mapping[str, Any]:
    """Features, memories and training states of what the corpus no longer holds; parents; what dvc.lock does not name.

    To be called when every stage is up to date.
    """
    from openautoglm.files import PARENTS
    from openautoglm.release.prune import drop_materialised
    from openautoglm.train.forget import keep_only
    from openautoglm.train.job import Job

    runs = root / ".autoglm/train"
    job = Job(params.train, root / "data/validated", root / "data/graphs", runs)
    features = keep_only(job)
    drop_materialised(root / PARENTS)  # fetched from the store when they are needed
    return {"features": features, **clear_cache(root)}


def clear_cache(root: Path = Path()) -> dict[str, Any]:
    """`dvc gc --workspace`: of this checkout's own cache alone; a shared one is not ours to empty."""
    from tasks.stage import opened

    with opened(root) as repo:
        folder = Path(repo.cache.local.path)
        remotes = sorted(repo.config["remote"])
        if not folder.resolve().is_relative_to(root.resolve()):
            return {"cache": str(folder), "objects": None, "remotes": remotes}
        before = _objects(folder)
        repo.gc(workspace=True)
        return {"cache": str(folder), "objects": before - _objects(folder), "remotes": remotes}


def _objects(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def note(params: Params, request: Request, release: str | None, root: Path = Path()) -> None:
    """Into the store's log: how many and why, no ids; each record once."""
    from tasks.deliver import store_of

    store = store_of(params, root)
    said = {entry["record"] for entry in store.log() if entry["kind"] == "forget"}
    for record in request.records:
        if record.fingerprint not in said:
            store.note(
                "forget",
                channel=params.publish.channel,
                release=release,
                documents=record.documents,
                entries=len(record.renamed),
                why=record.reason,
                record=record.fingerprint,
            )
