"""Runs that a kill -9 left `Running` for ever: the runner, or the next run on this machine, says that they crashed."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Container
from typing import Any
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed, State

from flows.server import is_process

UNFINISHED: dict[str, Any] = {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}


def sign_in(flow_run: UUID) -> list[str]:
    """Note whose process ``flow_run`` is, and close the runs whose process is gone; return their names."""
    with get_client(sync_client=True) as client:
        label(client, flow_run)
        return close_dead(client, but=(flow_run,), is_me_alive=False)


def label(client: SyncPrefectClient, flow_run: UUID) -> None:
    me = psutil.Process()
    mine = {
        "autoglm.host": platform.node(),
        "autoglm.pid": str(me.pid),
        "autoglm.started": f"{me.create_time():.2f}",
    }
    client.update_flow_run_labels(flow_run, mine)


def close_dead(client: SyncPrefectClient, but: Container[UUID] = (), is_me_alive: bool = True) -> list[str]:
    """Close the unfinished runs whose process on this machine is gone; return their names.

    ``is_me_alive=False``: an earlier run of this very process, which goes on to the next one, is over too.
    """
    unfinished = FlowRunFilter.model_validate(UNFINISHED)
    found = client.read_flow_runs(flow_run_filter=unfinished, limit=200)
    dead = [run for run in found if run.id not in but and _is_dead(run, is_me_alive)]
    for run in dead:
        crash(client, run, "its process is gone")
    return [run.name for run in dead]


def _is_dead(run: FlowRun, is_me_alive: bool) -> bool:
    labels = run.labels
    if labels.get("autoglm.host") != platform.node():
        return False
    pid = int(str(labels["autoglm.pid"]))
    if pid == os.getpid():
        return not is_me_alive
    return not is_process(pid, float(str(labels["autoglm.started"])))


def crash(
    client: SyncPrefectClient, run: FlowRun, message: str, to: Callable[..., State[Any]] = Crashed
) -> None:
    """Close ``run``, its tasks and the flows that it called."""
    only_its = FlowRunFilter.model_validate({"id": {"any_": [str(run.id)]}})
    called = FlowRunFilter.model_validate({"parent_flow_run_id": {"any_": [str(run.id)]}, **UNFINISHED})
    for inner in client.read_flow_runs(flow_run_filter=called):
        crash(client, inner, message, to)
    unfinished = TaskRunFilter.model_validate(UNFINISHED)
    for task in client.read_task_runs(flow_run_filter=only_its, task_run_filter=unfinished):
        client.set_task_run_state(task.id, to(message=message), force=True)
    client.set_flow_run_state(run.id, to(message=message), force=True)
