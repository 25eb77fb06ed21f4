"""Documents are taken out of everything, and a release without them takes over.

python -m flows.forget ids.txt --reason "asked by the customer"        or: autoglm forget
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from prefect import flow

from flows.begin import begin, kept, shell
from flows.continual import catch_up
from flows.pipeline import read_on, stages
from flows.server import ROOT
from openautoglm.corpus.arrivals import aside
from openautoglm.corpus.mirror import look
from openautoglm.errors import NotPublished
from openautoglm.files import save_json
from openautoglm.loop import Lease, Ledger
from openautoglm.loop.forgetting import FINISH
from openautoglm.params import Params
from openautoglm.release import Release
from tasks.deliver import LEDGER, draw_chain, store_of
from tasks.forget import Request, clear_reports, note, purge, read_ids, take_out, take_up, unknown_ids
from tasks.lineage import fine_tuned, forgotten, has_seen, head_of, pin_forget

RESULT = Path(".autoglm/forget.json")


@flow(name="forget", log_prints=True, persist_result=False)
def forget(ids: str = "", reason: str = "", ignore_unknown: bool = False, finish: bool = False) -> str | None:
    """Take documents out of inbox, model and caches, and publish what the gate lets pass.

    Killed on the way, the same call again ends it, or one with `finish`.

    Args:
        ids: a file of ids, one a line or JSON Lines with `id`; it is not kept anywhere.
        reason: goes into the store's log.
        ignore_unknown: go on although some of the ids are in no batch.
        finish: end what killed calls began; ids and reason are those that the inbox has on record.

    Raises:
        SourceError: ids that nobody knows, or that only their owner can take out, or a remote that cannot be reached;
            nothing has changed.
        NotPublished: a gate said no; the documents are out of everything else.
    """
    wanted = frozenset() if finish else read_ids(Path(ids))
    with begin() as lease:
        params = Params.load()
        if params.ingest.remote:
            look(params.ingest.remote)  # before anything changes: they have to go there too
        request = take_up(params) if finish else take_out(params, wanted, reason, ignore_unknown)
        if not request.records:
            print("nothing was left to do" if finish else "none of these ids is in the inbox: nothing to do")
            return None
        print(f"{request.documents} rows taken out of {len(request.entries)} batches of the inbox")
        return _relearn(params, request, lease, kept(params.ingest))


def _relearn(params: Params, request: Request, lease: Lease, not_sent: list[str]) -> str | None:
    """The model without them, then the caches, then the log. ``not_sent``: why the remote may still have them."""
    before, refusal, delivered = head_of(params), "", None
    seen_by = _ask_for_retrain(params, request, before) if before else None
    clear_reports()
    pin_forget(_through(catch_up()))
    try:
        _, delivered = stages(lease.token)
    except NotPublished as error:  # dvc.lock names the new corpus all the same
        refusal = str(error)
    lease.check()
    gone, after = purge(params), head_of(params)
    note(params, request, after.id if after and not refusal else None)
    draw_chain(params)  # with this entry of the log
    told = {
        "documents": request.documents,
        "unknown": list(request.unknown),
        "before": before.id if before else None,
        "release": after.id if after and not refusal else None,
        "refused": refusal or None,
        "fine_tuned_on_them": seen_by,
        "source": params.ingest.source,
        "remote": params.ingest.remote,
        "not_sent": not_sent,
        "aside": len(aside(Path(params.ingest.inbox))),
        **gone,
    }
    save_json(RESULT, told)
    _say(told)
    if delivered:
        read_on(delivered)
    if refusal:
        raise NotPublished(f"{refusal}; {told['before']} stays in service, and it knows the documents")
    return told["release"]


def _ask_for_retrain(params: Params, request: Request, head: Release) -> str | None:
    """Where a fine-tune has seen them, only training without them helps; returns that release's id."""
    tuned = fine_tuned(head, store_of(params))
    if tuned and not has_seen(tuned, request.entries, forgotten(params)):
        return None
    which = tuned.id if tuned else "a release that is not in the store any more"
    if request.entries:
        Ledger(LEDGER).want("retrain", f"{which} was fine-tuned on documents that are to be forgotten")
    return which if request.entries else None


def _through(ledger: Ledger) -> str | None:
    taken = [batch.entry for batch in ledger.batches() if batch.state in ("published", "refused")]
    return taken[-1] if taken else None


def _say(told: dict[str, Any]) -> None:
    if told["fine_tuned_on_them"]:
        print(
            f"{told['fine_tuned_on_them']} was fine-tuned on them: its features are what they are until the retrain "
            "that is now asked for (autoglm retrain)"
        )
    elif told["release"]:
        print(f"{told['release']}: its weights are those of a pipeline that never had them")
    if told["objects"] is None:
        print(
            f"{told['cache']}: a cache outside this checkout, left as it is; see `dvc gc --workspace --projects`"
        )
    else:
        print(
            f"{told['objects']} objects taken out of DVC's cache: `autoglm checkout` of earlier releases needs a remote"
        )
    if told["aside"]:
        print(
            f"{told['aside']} batches lie set aside in the inbox's _aside, where nothing reads them: look there yourself"
        )
    if told["remote"]:
        print(
            "; ".join(told["not_sent"]) + ": the next run takes them out there"
            if told["not_sent"]
            else f"{told['remote']} has them no more, but for what lies set aside there; checkouts that share it are told when "
            f"a run begins there, and follow with `{FINISH}`"
        )
    if told["source"]:
        print(
            f"{told['source']} may still have them: take them out there, a changed file would bring them back"
        )
    for remote in told["remotes"]:
        print(
            f"remote {remote} still has them; `dvc gc --workspace --cloud --remote {remote}` takes them out"
        )
    print("earlier releases stay in the store, and learnt from them; `autoglm gc` shows what can be removed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m flows.forget", allow_abbrev=False)
    parser.add_argument("ids", type=os.path.abspath, nargs="?", default="")
    parser.add_argument("--reason", default="")
    parser.add_argument("--ignore-unknown", action="store_true")
    parser.add_argument("--finish", action="store_true")
    given = vars(parser.parse_args())

    def check() -> None:
        params = Params.load(ROOT / "params.yaml")
        if not (
            given["finish"] or params.ingest.source or params.ingest.remote
        ):  # what those have come into the inbox first
            unknown_ids(params, read_ids(Path(given["ids"])), given["ignore_unknown"], ROOT)

    sys.exit(shell(lambda: forget(**given), check))
