"""A batch arrives, and a better model is in service, exactly once.

python -m flows.continual       or: the deployment `continual`, by event, by schedule, or `autoglm watch`

The inbox is the truth and an event only a hint: every run takes all that is pending, in the order of arrival, one
batch after the other, so lost, doubled and swapped events lead to the same chain of releases.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.events import emit_event
from prefect.states import Completed, State

from flows.begin import begin, kept, tracked
from flows.pipeline import read_on, stages
from flows.steps import bring_up_to_date
from openautoglm.corpus.arrivals import set_aside
from openautoglm.errors import NotPublished, SourceError, ValidationFailed
from openautoglm.loop import Batch, Lease, Ledger
from openautoglm.loop.servers import INBOX
from openautoglm.params import Params
from tasks import STAGES
from tasks.deliver import LEDGER, Delivered, draw_chain
from tasks.lineage import entries, head_of, learnt, pin_all, pin_batch

DRIFT = Path("reports/drift.json")
TRIES = 3  # failed checks after which a batch is set aside
ITS_OWN_FAULT = (ValidationFailed, SourceError)


@flow(name="continual", log_prints=True, persist_result=False)
def continual(why: str = "by hand") -> list[str] | State[list[str]]:
    """Take every pending batch of the inbox, each exactly once, and publish what passes the gate.

    Args:
        why: what started this run; shown in the UI, changes nothing.
    """
    told: list[str] = []
    with begin(may_be_empty=True) as lease:
        ledger = catch_up()
        while batch := ledger.take(lease.token):
            told.append(_taken(batch, ledger, lease))
            print(told[-1])
            ledger = catch_up()
        last = ledger.get(Params.load().ingest.through or "")
        if last and last.state == "aside":
            put_back(lease)
        if told:
            draw_chain(Params.load())  # now the ledger knows how long it took
        ask_for(ledger.wanted())
    return told or Completed(name="NothingNew", message="no batch was pending", data=[])


@flow(name="batch", flow_run_name="{entry}", log_prints=True, persist_result=False)
def one_batch(entry: str, fence: int) -> tuple[Delivered, dict[str, float]]:
    """One batch through all stages; returns the release it is in, and the seconds that each stage took.

    Raises:
        NotPublished: a gate said no.
    """
    with tracked():
        pin_batch(entry)
        try:
            steps, delivered = stages(fence)
        except NotPublished:
            tell_drift(entry)
            raise
        tell_drift(entry)
        assert delivered.release is not None, "a run that is no dry run publishes or raises"
        return delivered, {step.stage: step.seconds for step in steps}


def ask_for(wanted: Mapping[str, str]) -> None:
    """Announce the flows that somebody asked for, but those that are due or under way: a sweep comes every few minutes."""
    due = {
        "state": {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING"]}},
        "expected_start_time": {"before_": datetime.now(UTC)},
    }
    for what, reason in wanted.items():
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(
                flow_filter=FlowFilter.model_validate({"name": {"any_": [what]}}),
                flow_run_filter=FlowRunFilter.model_validate(due),
            )
        if not found:
            emit_event(f"autoglm.{what}.wanted", {"prefect.resource.id": INBOX}, payload={"why": reason})


def put_back(lease: Lease) -> None:
    """After a batch was set aside: data, models and reports are again those of the batches that are left, from the cache."""
    if entries(Params.load()):
        pin_all()
        for stage in STAGES:
            lease.check()
            bring_up_to_date(stage)


def tell_drift(entry: str, root: Path = Path()) -> None:
    """Raise `autoglm.drift.detected` for what evaluate found in the newest batch; where the params say so, ask for a retrain."""
    if not (root / DRIFT).is_file():
        return
    from openautoglm.evaluate.drift import drifted

    found = {measure.name: measure.value for measure in drifted(root / DRIFT)}
    if not found:
        return
    print(f"{entry}: drifted in {', '.join(found)}")
    emit_event("autoglm.drift.detected", {"prefect.resource.id": INBOX}, payload={"entry": entry, **found})
    if Params.load(root / "params.yaml").continual.retrain_on_drift:
        Ledger(root / LEDGER).want("retrain", f"{entry} drifted in {', '.join(found)}")


def catch_up(root: Path = Path()) -> Ledger:
    """The ledger, brought up to the inbox as it is and to what the release in service learnt."""
    params, ledger = Params.load(root / "params.yaml"), Ledger(root / LEDGER)
    found, head = entries(params, root), head_of(params, root)
    ledger.keep_only(found)
    ledger.arrive(found)
    if head:
        ledger.learnt([entry for entry in learnt(head, root) or () if entry in found], head.id)
    return ledger


def _taken(batch: Batch, ledger: Ledger, lease: Lease) -> str:
    """Run ``batch``, write into the ledger what became of it, and say so in one line."""
    try:
        delivered, seconds = one_batch(batch.entry, lease.token)
    except NotPublished as error:
        ledger.finish(batch.entry, lease.token, "refused", why=str(error).removeprefix("not published: "))
        return f"{batch.entry}: {error}"
    except ITS_OWN_FAULT as error:
        return _failed(batch, ledger, lease, str(error))
    except BaseException as error:  # not the batch's fault: it stays the next one
        ledger.back(batch.entry, lease.token, f"{type(error).__name__}: {error}")
        raise
    ledger.finish(
        batch.entry, lease.token, "published", release=delivered.release, done=delivered.at, **seconds
    )
    done = ledger.get(batch.entry)
    read_on(delivered)
    way = (done and done.way()) or {}
    parts = ", ".join(f"{part} {took:.1f}" for part, took in way.items() if took >= 0.05)
    took = sum(way.values())
    return f"{batch.entry}: published as {delivered.release}, {took:.1f} s after it arrived ({parts})"


def _failed(batch: Batch, ledger: Ledger, lease: Lease, why: str) -> str:
    tries = ledger.postpone(batch.entry, lease.token, why)
    if tries < TRIES:
        time.sleep(2**tries)  # what it points to may still be on its way
        return f"{batch.entry}: failed its checks, try {tries} of {TRIES}"
    # first the record: a batch that is gone from the inbox without one would be forgotten
    ledger.finish(batch.entry, lease.token, "aside", why=why)
    ingest = Params.load().ingest
    aside = set_aside(Path(ingest.inbox), batch.entry, why)
    for fault in kept(ingest):
        print(f"warning: {fault}")
    return f"{batch.entry}: failed its checks {tries} times, set aside in {aside}; put it right and ingest it again"


if __name__ == "__main__":
    from flows.begin import shell

    sys.exit(shell(continual))
