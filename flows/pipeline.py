"""From raw texts to a published release: python -m flows.pipeline, autoglm run, or Prefect's UI after `make up`."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import Future, wait
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.artifacts import show
from flows.begin import begin
from flows.delivery import hand_over
from flows.steps import Step, step
from openautoglm.params import Params
from tasks.ahead import read_ahead
from tasks.deliver import Delivered
from tasks.lineage import pin_all

ingest = step("ingest", retries=3)
validate = step("validate")
graph = step("graph")
train = step("train", hours=24)
evaluate = step("evaluate")
export = step("export")
publish = step("publish", retries=3)
LONGEST = 4 * 3600.0  # seconds: more than the limit of a stage and its retries


def stages(fence: int, force: str = "", dry_run: bool = False) -> tuple[list[Step], Delivered]:
    """The seven stages in their order, then the gate; the release delivered is that in service, None after a dry run.

    Raises:
        LeaseLost: the training lease with the token ``fence`` is another run's by now; told before the next stage.
    """
    corpus = ingest(fence)
    clean = validate(fence, corpus)
    graphs = graph(fence, clean)
    checkpoint = train(fence, clean, graphs)
    side_by_side = evaluate.submit(fence, graphs, checkpoint), export.submit(fence, checkpoint)
    both_ended(*(one.wrapped_future for one in side_by_side))
    exam, model = (one.result() for one in side_by_side)
    candidate = publish(fence, model, exam)
    delivered = hand_over(candidate, fence, force, dry_run)
    return show([corpus, clean, graphs, checkpoint, exam, model, candidate], delivered), delivered


def both_ended(*threads: Future[Any], longest: float = LONGEST) -> None:
    """Wait for both, also when we are asked to stop: a thread cannot be, and the lease is ours until it is through.

    After ``longest`` seconds one hangs. Then the process ends as a killed one does, and what it held is free.
    """
    until, stopped = time.monotonic() + longest, None
    while not all(one.done() for one in threads):
        try:
            if wait(threads, timeout=max(until - time.monotonic(), 0)).not_done:
                print(
                    f"evaluate or export hangs, after {longest:g} s: giving up", file=sys.stderr, flush=True
                )
                os._exit(1)
        except BaseException as error:
            print("stopping as soon as evaluate and export are through", file=sys.stderr, flush=True)
            stopped = stopped or error
    if stopped:
        raise stopped


@task(
    name="read_ahead",
    task_run_name="read_ahead",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=True,
)
def ahead() -> None:
    """What goes wrong here is told, and costs the next batch some seconds."""
    try:
        if read := read_ahead(Params.load()):
            print(f"{read} documents read for the next batch")
    except Exception as error:
        print(f"nothing read ahead: {type(error).__name__}: {error}")


def read_on(delivered: Delivered) -> None:
    """Once everybody was told of the release: what the next batch would have to do first."""
    if delivered.moved:
        ahead()


@flow(name="pipeline", log_prints=True, persist_result=False)
def pipeline(keep_parent: bool = False, dry_run: bool = False, force: str = "") -> str | None:
    """Bring every stage up to date with the inbox, the params and the code, and publish what passes the gate.

    Args:
        keep_parent: train on from `train.parent` as it stands in params.yaml, also when the inbox changed.
        dry_run: do everything but publish; the verdict is logged.
        force: a reason to publish although a gate says no; it is logged.

    Raises:
        NotPublished: a gate said no.
    """
    with begin(must_reach=True) as lease:
        if not keep_parent:
            pin_all()
        _, delivered = stages(lease.token, force, dry_run)
        read_on(delivered)
        return delivered.release


if __name__ == "__main__":
    from flows.begin import run_from_shell

    sys.exit(run_from_shell(pipeline, sys.argv[1:]))
