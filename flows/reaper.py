"""Runs that a kill -9 left `Running` for ever: the runner, or the next run on this machine, says that they crashed."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Container
from contextlib import suppress
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed, State

from openautoglm.processes import is_process, started

TAKEN = re.compile(r"taken by process (\d+), started ([\d.]+), on (.+)")
UNFINISHED: dict[str, Any] = {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}


def sign_in(flow_run: UUID) -> list[str]:
    """Note whose process ``flow_run`` is, and close the runs whose process is gone; return their names."""
    with get_client(sync_client=True) as client:
        label(client, flow_run)
        return close_dead(client, but=(flow_run,))


def label(client: SyncPrefectClient, flow_run: UUID) -> None:
    mine = {
        "autoglm.host": platform.node(),
        "autoglm.pid": str(os.getpid()),
        "autoglm.started": f"{started(os.getpid()):.2f}",
    }
    client.update_flow_run_labels(flow_run, mine)


def taken() -> str:
    """The message of a Pending state that this process set; read again by :func:`close_dead`."""
    return f"taken by process {os.getpid()}, started {started(os.getpid()):.2f}, on {platform.node()}"


def close_dead(client: SyncPrefectClient, but: Container[UUID]) -> list[str]:
    """Close the unfinished runs whose process on this machine is gone; return their names.

    ``but``: those that this very process runs, or has children for. What else is its own is over too: an earlier run, or
    one that it took and could not start.
    """
    unfinished = FlowRunFilter.model_validate(UNFINISHED)
    found = client.read_flow_runs(flow_run_filter=unfinished, limit=200)
    dead = [run for run in found if run.id not in but and _is_dead(run)]
    for run in dead:
        crash(client, run, "its process is gone")
    return [run.name for run in dead]


def _is_dead(run: FlowRun) -> bool:
    host, pid, since = _owner(run)
    return host == platform.node() and (pid == os.getpid() or not is_process(pid, since))


def _owner(run: FlowRun) -> tuple[str, int, float]:
    """Host, pid and start of the process that has ``run``; while it is Pending its labels may be of an earlier one."""
    state = run.state
    if state and state.is_pending() and (told := TAKEN.fullmatch(state.message or "")):
        return told[3], int(told[1]), float(told[2])
    labels = {name: str(value) for name, value in run.labels.items()}
    if "autoglm.host" not in labels:
        return "", 0, 0.0
    return labels["autoglm.host"], int(labels["autoglm.pid"]), float(labels["autoglm.started"])


def crash(
    client: SyncPrefectClient, run: FlowRun, message: str, to: Callable[..., State[Any]] = Crashed
) -> None:
    """Close ``run``, its tasks and the flows that it called; what somebody deleted meanwhile needs no closing."""
    only_its = FlowRunFilter.model_validate({"id": {"any_": [str(run.id)]}})
    called = FlowRunFilter.model_validate({"parent_flow_run_id": {"any_": [str(run.id)]}, **UNFINISHED})
    for inner in client.read_flow_runs(flow_run_filter=called):
        crash(client, inner, message, to)
    unfinished = TaskRunFilter.model_validate(UNFINISHED)
    for task in client.read_task_runs(flow_run_filter=only_its, task_run_filter=unfinished):
        with suppress(ObjectNotFound):
            client.set_task_run_state(task.id, to(message=message), force=True)
    with suppress(ObjectNotFound):
        client.set_flow_run_state(run.id, to(message=message), force=True)
