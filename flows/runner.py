"""The warm runner: starts the runs of a process work pool, each in a child forked from a process with everything imported.

python -m flows.runner --pool local        started by `make up`; in place of `prefect worker start --pool local`

A stock worker starts a new interpreter for each run, which takes 5 s before the flow's first line; a fork takes
milliseconds. One runner loop, no threads: it looks for due runs, starts them, closes those whose child ended badly,
ends those that somebody cancelled, and tells the server that it lives.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import platform
import random
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from types import FrameType
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, WorkPoolFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import SetStateStatus
from prefect.engine import handle_engine_signals
from prefect.events.worker import EventsWorker
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.flow_engine import run_flow
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Cancelled, Pending

from flows.reaper import close_dead, crash, label, taken
from flows.server import ROOT
from openautoglm.processes import end_with_parent

POLL = 0.4  # seconds between looks for due runs
BEAT = 10.0  # seconds between signs of life; three missed ones and the UI calls the pool not ready
GRACE = 20.0  # seconds that a child has to say goodbye after a SIGTERM
WATCHED = ("flows", "tasks", "openautoglm")
AWAY = (
    httpx.HTTPError,
    PrefectHTTPStatusError,
    ObjectNotFound,
    OSError,
)  # it restarts, is busy, or has no such pool


class Runner:
    """Starts the due runs of ``pool``; :meth:`serve` returns after SIGTERM or SIGINT."""

    def __init__(self, client: SyncPrefectClient, pool: str) -> None:
        self.client, self.pool = client, pool
        self.name = f"autoglm-{platform.node()}-{os.getpid()}"
        self.children: dict[UUID, BaseProcess] = {}
        self.is_ending = False
        self.code = code_on_disk()

    def serve(self) -> None:
        beat, quiet = 0.0, False
        while not self.is_ending:
            try:
                beats = time.monotonic() > beat
                if beats:
                    self.sign_of_life()
                    beat = time.monotonic() + BEAT
                self.bury()
                self.cancel()
                if (
                    beats or self.is_any_due()
                ):  # now and then for nothing: else the server thinks that nobody asks
                    self.start_due()
                quiet = False
            except AWAY as error:
                if not quiet:
                    _say(f"the server does not answer, trying on: {type(error).__name__}: {error}")
                quiet = True
            time.sleep(POLL)

    def sign_of_life(self) -> None:
        """Tell the server that we live, close what others left open, and begin anew when the code on disk changed."""
        if not self.children and code_on_disk() != self.code:
            _say("the code changed: starting anew")
            os.execv(sys.executable, [sys.executable, "-m", "flows.runner", "--pool", self.pool])
        self.client.send_worker_heartbeat(self.pool, self.name, heartbeat_interval_seconds=BEAT)
        for name in close_dead(self.client, but=self.children):
            _say(f"closed {name}: its process is gone")

    def is_any_due(self) -> bool:
        """Asked this way the server writes nothing. It notes each time that somebody asks for the runs themselves, and
        such a note in the middle of another client's request makes SQLite refuse that, and the client sleep two seconds.
        """
        due = {
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "next_scheduled_start_time": {"before_": datetime.now(UTC)},
        }
        found = self.client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate(due),
            work_pool_filter=WorkPoolFilter.model_validate({"name": {"any_": [self.pool]}}),
            limit=1,
        )
        return bool(found)

    def start_due(self) -> None:
        """Start what is scheduled for now, as far as the server lets it be Pending (concurrency limits)."""
        due = self.client.get_scheduled_flow_runs_for_work_pool(self.pool, scheduled_before=datetime.now(UTC))
        for run in (found.flow_run for found in due):
            if run.id not in self.children and not self.is_ending:
                with suppress(ObjectNotFound):  # deleted meanwhile
                    self._start(run)

    def _start(self, run: FlowRun) -> None:
        if run.deployment_id is None:
            crash(self.client, run, "its deployment was deleted")
            return
        entrypoint = str(self.client.read_deployment(run.deployment_id).entrypoint)
        # whose it is goes in with the state: a label set before would be written over by another runner that wants the run
        proposed = self.client.set_flow_run_state(run.id, Pending(message=taken()))
        # who is refused it is told Pending as well: the state that the run is in, of another runner
        if proposed.status != SetStateStatus.ACCEPT:
            return
        with suppress(*AWAY):  # the child does so as well, as soon as it runs
            label(self.client, run.id)
        self.children[run.id] = self._fork(run, entrypoint)

    def _fork(self, run: FlowRun, entrypoint: str) -> BaseProcess:
        """A child of the warm process, or, when the code on disk is no longer what that imported, a fresh one."""
        kind = "forkserver" if code_on_disk() == self.code else "spawn"
        child = multiprocessing.get_context(kind).Process(
            target=work, args=(run.id, entrypoint), name=run.name
        )
        child.start()
        _say(f"started {run.name} ({entrypoint}) as {child.pid}")
        return child

    def bury(self) -> None:
        """Close runs whose child ended without saying how."""
        for run_id, child in list(self.children.items()):
            if child.exitcode is None:
                continue
            run = self._read(run_id)
            if run and (run.state is None or not (run.state.is_final() or run.state.is_scheduled())):
                crash(self.client, run, f"its process ended with {child.exitcode}")
            _say(f"{child.name} ended with {child.exitcode}")
            del self.children[run_id]

    def cancel(self) -> None:
        """End the children of runs that are Cancelling."""
        if not self.children:
            return
        ours = {"id": {"any_": list(self.children)}, "state": {"type": {"any_": ["CANCELLING"]}}}
        for run in self.client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(ours)):
            end([self.children[run.id]])
            crash(self.client, run, "cancelled", Cancelled)
            del self.children[run.id]
            _say(f"cancelled {run.name}")

    def close(self) -> None:
        """End the children; each tells the server itself, and what it could not tell, we do."""
        end(list(self.children.values()))
        for run_id in self.children:
            run = self._read(run_id)
            if run and (run.state is None or not run.state.is_final()):
                crash(self.client, run, "its runner was stopped")

    def _read(self, run_id: UUID) -> FlowRun | None:
        """None: somebody deleted it."""
        with suppress(ObjectNotFound):
            return self.client.read_flow_run(run_id)
        return None


def work(run_id: UUID, entrypoint: str) -> None:
    """In the child: the flow run, from its first line to its last state."""
    end_with_parent()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    random.seed()  # else every child of the warm process rolls the same dice
    os.chdir(ROOT)
    os.environ["PREFECT__FLOW_RUN_ID"] = str(run_id)
    path, _, name = entrypoint.partition(":")
    with handle_engine_signals(run_id), get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(run_id)
        flow = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
        try:
            run_flow(flow, flow_run=flow_run)
        finally:
            for service in (EventsWorker, APILogWorker):  # a forked child runs no exit handlers
                service.drain_all(timeout=5)


def end(children: Sequence[BaseProcess]) -> None:
    for child in children:
        child.terminate()
    until = time.monotonic() + GRACE
    for child in children:
        child.join(max(0.0, until - time.monotonic()))
        if child.exitcode is None:
            child.kill()
            child.join()


def code_on_disk() -> frozenset[tuple[str, int, int]]:
    """(path, time of change, size) of each file of the project's code: a file that went, or an older one, counts too."""
    found = set()
    for path in (path for name in WATCHED for path in (ROOT / name).rglob("*")):
        with suppress(FileNotFoundError):  # an editor's
            if path.suffix != ".pyc" and path.is_file():
                found.add((str(path), (stat := path.stat()).st_mtime_ns, stat.st_size))
    return frozenset(found)


def ready() -> None:
    """Start the warm process and wait until it has imported everything."""
    multiprocessing.set_forkserver_preload(["flows.warm", "flows.runner"])
    first = multiprocessing.get_context("forkserver").Process(target=int)
    first.start()
    first.join()


def _say(line: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {line}", flush=True)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.runner", allow_abbrev=False)
    parser.add_argument("--pool", default="local")
    pool = parser.parse_args(words).pool
    os.chdir(ROOT)
    if str(PREFECT_API_URL.value()).startswith(
        "http://"
    ):  # reading the certificates took each child 0.2 CPU-seconds
        os.environ.setdefault("PREFECT_API_TLS_INSECURE_SKIP_VERIFY", "true")
    started = time.monotonic()
    # Prefect's client sleeps 2 s and more when SQLite is busy for a moment; the loop asks again after POLL
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
        runner = Runner(client, pool)

        def stop(number: int, frame: FrameType | None) -> None:
            runner.is_ending = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        with suppress(*AWAY):
            runner.sign_of_life()  # what is due waits for seconds only
        ready()
        _say(f"{runner.name}: warm after {time.monotonic() - started:.1f} s, waiting for runs of pool {pool}")
        runner.serve()
        runner.close()
    return 0


if __name__ == "__main__":
    from flows import runner  # under its own name: the children import it by that

    vars(sys.modules["__main__"]).update(
        __spec__=None, __file__=None
    )  # else each of them runs this file once more
    sys.exit(runner.main(sys.argv[1:]))
