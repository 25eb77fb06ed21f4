"""A stage as a Prefect task: order, retries, time limits and a state; DVC stays the only cache."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from prefect import Task, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, State
from prefect.tasks import exponential_backoff

from flows.heavy import SIDE_BY_SIDE, load
from flows.progress import training_shown
from flows.server import OWNER
from openautoglm.errors import AutoGLMError, Conflict
from openautoglm.loop import Lease
from tasks.__main__ import run_stage
from tasks.deliver import LEDGER
from tasks.lineage import read_of_inbox
from tasks.stage import How, ensure

# our own mistakes do not go away by trying again
PERMANENT = (
    AutoGLMError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Step:
    """A finished stage, handed to the next one so that Prefect draws the line between them."""

    stage: str
    how: How
    seconds: float

    def __repr__(self) -> str:
        return f"Step({self.stage}: {self.how}, {self.seconds:.1f} s)"


def step(name: str, *, retries: int = 2, hours: float = 1.0) -> Task[Any, Step]:
    """The task that brings stage ``name`` up to date. What DVC finds unchanged ends in a state named `Cached`.

    Called with the run's fence and the steps before it; it raises LeaseLost where another run trains by now.
    """

    def body(fence: int, *after: Step) -> Step | State[Step]:
        still_ours(fence)
        start = time.monotonic()
        with training_shown() if name == "train" else nullcontext():
            how = bring_up_to_date(name)
        done = Step(name, how, time.monotonic() - start)
        if how == "ran":
            return done
        return Completed(name="Cached", message=f"DVC: {how}", data=done)

    body.__name__ = name  # a task's key is made of it
    return Task(
        body,
        name=name,
        task_run_name=name,
        retries=retries,
        retry_delay_seconds=exponential_backoff(2),
        retry_jitter_factor=0.5,
        retry_condition_fn=is_transient,
        timeout_seconds=hours * 3600,
        cache_policy=NO_CACHE,
        persist_result=False,
        log_prints=True,
    )


def still_ours(fence: int) -> None:
    """Raises LeaseLost where the training lease with the token ``fence`` went to another run."""
    Lease(LEDGER, fence, "this run").check()


def bring_up_to_date(name: str, force: bool = False) -> How:
    """Run stage ``name`` where DVC says so, or in any case."""
    reads = read_of_inbox if name == "ingest" else dict
    return ensure(name, lambda: _run(name), log=get_run_logger().info, force=force, reads=reads)


def _run(name: str) -> object:
    if threading.current_thread() is not threading.main_thread():  # another stage runs beside it
        load(SIDE_BY_SIDE)
    return run_stage(name)


def is_transient(task: object, run: object, state: State[Any]) -> bool:
    """Whether trying again may help; a race with another publisher is one of these."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, Conflict) or not isinstance(error, PERMANENT)


class OneLine(logging.Filter):
    """An error that we raised on purpose is said in one line, without a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, AutoGLMError):
            record.msg, record.args, record.exc_info = str(error), (), None
        said = record.getMessage()
        # a temporary server has no pages to view; and Prefect warns of every stage in a thread that its limit ends no call
        # that hangs, which is why the flow waits for them only so long (pipeline.both_ended)
        return not ((said.startswith("View at") and OWNER in os.environ) or said.startswith("Timeout of "))


for _logger in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_logger).addFilter(OneLine())
# at the end of a process on a busy machine, after the one line that says what is wrong; it waits for them all the same
for _service in ("EventsWorker", "APILogWorker"):
    logging.getLogger(_service).addFilter(lambda said: not said.getMessage().startswith("Still processing"))
# it tells where its temporary folders are, at a level that it sets itself when it is imported
logging.getLogger("great_expectations.data_context.types.base").addFilter(
    lambda said: said.levelno > logging.INFO
)
