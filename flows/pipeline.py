"""From raw texts to a published release: python -m flows.pipeline, autoglm run, or Prefect's UI after `make up`."""

from __future__ import annotations

import sys

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, wait

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


def stages(fence: int, force: str = "", dry_run: bool = False) -> tuple[list[Step], Delivered]:
    """The seven stages in their order, then the gate; the release delivered is that in service, None after a dry run.

    Raises:
        LeaseLost: the training lease with the token ``fence`` is another run's by now; told before the next stage.
    """
    corpus = ingest(fence)
    clean = validate(fence, corpus)
    graphs = graph(fence, clean)
    checkpoint = train(fence, clean, graphs)
    exam, model = evaluate.submit(fence, graphs, checkpoint), export.submit(fence, checkpoint)
    both_ended([exam, model])
    candidate = publish(fence, model.result(), exam.result())
    delivered = hand_over(candidate, fence, force, dry_run)
    steps = show([corpus, clean, graphs, checkpoint, exam.result(), model.result(), candidate], delivered)
    if delivered.moved:
        ahead()
    return steps, delivered


def both_ended(futures: list[PrefectFuture[Step]]) -> None:
    """Wait for them also when we are asked to stop: they cannot be, and the lease is ours until they are through."""
    try:
        wait(futures)
    except BaseException:
        wait(futures)
        raise


@task(
    name="read_ahead",
    task_run_name="read_ahead",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=True,
)
def ahead() -> None:
    """Nothing waits for this any more; what goes wrong here is told and costs the next batch some seconds."""
    try:
        if read := read_ahead(Params.load()):
            print(f"{read} documents read for the next batch")
    except Exception as error:
        print(f"nothing read ahead: {type(error).__name__}: {error}")


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
        return delivered.release


if __name__ == "__main__":
    from flows.begin import run_from_shell

    sys.exit(run_from_shell(pipeline, sys.argv[1:]))
