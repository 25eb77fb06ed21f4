"""Runs that a kill -9 left `Running` for ever: the next run on this machine says that they crashed."""

from __future__ import annotations

import os
import platform
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed

from flows.server import is_process

LIVE = {"state": {"type": {"any_": ["RUNNING"]}}}
UNFINISHED = {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}


def sign_in(flow_run: UUID) -> list[str]:
    """Note whose process ``flow_run`` is, and close the runs whose process is gone; return their names."""
    with get_client(sync_client=True) as client:
        me = psutil.Process()
        mine = {
            "autoglm.host": platform.node(),
            "autoglm.pid": str(me.pid),
            "autoglm.started": f"{me.create_time():.2f}",
        }
        client.update_flow_run_labels(flow_run, mine)
        running = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(LIVE), limit=100)
        dead = [run for run in running if run.id != flow_run and _is_dead(run)]
        for run in dead:
            _crash(client, run)
        return [run.name for run in dead]


def _is_dead(run: FlowRun) -> bool:
    labels = run.labels
    if labels.get("autoglm.host") != platform.node():
        return False
    pid = int(str(labels["autoglm.pid"]))
    return pid == os.getpid() or not is_process(pid, float(str(labels["autoglm.started"])))


def _crash(client: SyncPrefectClient, run: FlowRun) -> None:
    message = "its process is gone"
    only_its = FlowRunFilter.model_validate({"id": {"any_": [str(run.id)]}})
    unfinished = TaskRunFilter.model_validate(UNFINISHED)
    for task in client.read_task_runs(flow_run_filter=only_its, task_run_filter=unfinished):
        client.set_task_run_state(task.id, Crashed(message=message), force=True)
    client.set_flow_run_state(run.id, Crashed(message=message), force=True)
