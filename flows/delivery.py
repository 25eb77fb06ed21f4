"""The end of a run: the candidate into the store and MLflow's registry, together or not at all."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import State
from prefect.tasks import exponential_backoff
from prefect.transactions import Transaction, transaction

from flows.steps import Step, bring_up_to_date, is_transient, still_ours
from openautoglm.params import Params
from tasks.deliver import Delivered, deliver, is_stale, settle, take_back

OPTIONS: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_transient,
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "log_prints": True,
}


def hand_over(candidate: Step | State[Step], fence: int, force: str, dry_run: bool) -> Delivered:
    """Publish and register the candidate. If anything after the pointer's move fails, the pointer returns."""
    with transaction():
        delivered = move_pointer(candidate, fence, force, dry_run)
        register(delivered)
    return delivered


@task(name="deliver", task_run_name="deliver", **OPTIONS)
def move_pointer(candidate: Step | State[Step], fence: int, force: str, dry_run: bool) -> Delivered:
    still_ours(fence)
    params = Params.load()
    if is_stale(params):  # the store moved on since the candidate was made
        bring_up_to_date("publish", force=True)
    delivered = deliver(params, fence=fence, force=force, dry_run=dry_run)
    _MOVED.append(delivered)
    return delivered


@move_pointer.on_rollback
def _return_pointer(txn: Transaction) -> None:
    delivered = _MOVED[-1]
    take_back(Params.load(), delivered, "what follows a publication failed: see the flow run's log")
    if delivered.moved:
        print(f"{delivered.release}: taken back, {delivered.before or 'nothing'} is in service again")


_MOVED: list[Delivered] = []  # a hook gets a transaction, not a result


@task(name="register", task_run_name="register", **OPTIONS)
def register(delivered: Delivered) -> None:
    """MLflow's registry and the ledger follow the store."""
    settle(Params.load(), delivered)
