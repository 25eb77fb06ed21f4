"""What comes before the first stage, and what a shell sees after the last."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prefect.context import get_run_context
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.reaper import sign_in
from flows.server import ROOT, temporary
from openautoglm.errors import AutoGLMError, SourceError
from openautoglm.params import Params
from tasks.__main__ import run_stage
from tasks.lineage import entries, pin_parent
from tasks.stage import ensure
from tasks.tracking import FLOW_RUN


def begin(keep_parent: bool) -> None:
    """Stand in the checkout, close dead runs, refresh the code keys, decide what to train on from."""
    os.chdir(ROOT)
    if not _batches():
        raise SourceError(
            "no batch in the inbox; give one with `autoglm run --data FILE`, or try the sample with `make run`"
        )
    run = get_run_context().flow_run  # type: ignore[union-attr]
    os.environ[FLOW_RUN] = str(run.id)
    for name in sign_in(run.id):
        print(f"closed {name}: its process is gone")
    ensure("code", lambda: run_stage("code"))
    if not keep_parent:
        pin_parent()


def _batches() -> list[str]:
    inbox = Params.load().ingest.inbox
    return [inbox] if "://" in inbox else entries(Path(inbox))


def run_from_shell(flow: Callable[..., Any], words: Sequence[str]) -> int:
    """Call ``flow``; exit code 0: published or unchanged, 1: not published or broken, 2: something given is wrong.

    ``--keep-parent`` is the flow's parameter. Each ``--then SRC`` puts SRC into the inbox after a run and runs once
    more, on the same server and with everything imported.
    """
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", allow_abbrev=False)
    parser.add_argument("--keep-parent", action="store_true")
    parser.add_argument("--then", action="append", default=[], metavar="SRC")
    given = parser.parse_args(words)
    try:
        with temporary_settings({PREFECT_API_URL: PREFECT_API_URL.value() or temporary()}):
            flow(keep_parent=given.keep_parent)
            for source in given.then:
                from openautoglm.corpus.inbox import put

                print(f"inbox: {put(Path(Params.load().ingest.inbox), source).name}", flush=True)
                flow(keep_parent=given.keep_parent)
    except AutoGLMError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # Prefect has logged the traceback
        first = (str(error).splitlines() or [""])[0]
        print(f"error: {type(error).__name__}: {first}", file=sys.stderr)
        return 1
    return 0
