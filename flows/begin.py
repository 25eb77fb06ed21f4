"""What comes before the first stage, and what a shell sees after the last."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect.context import get_run_context
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.reaper import sign_in
from flows.server import ROOT, temporary
from flows.steps import bring_up_to_date
from openautoglm.corpus import inbox as boxes
from openautoglm.corpus.arrivals import adopt
from openautoglm.errors import AutoGLMError, SourceError
from openautoglm.files import SCRATCH
from openautoglm.loop import Lease, hold
from openautoglm.loop.forgetting import FINISH
from openautoglm.params import IngestParams, Params
from tasks.deliver import LEDGER, store_of
from tasks.lineage import entries
from tasks.pages import draw
from tasks.tracking import FLOW_RUN


@contextmanager
def begin(may_be_empty: bool = False, must_reach: bool = False) -> Iterator[Lease]:
    """Stand in the checkout, close dead runs, be the only one who trains, take in what came, refresh the code keys.

    Raises:
        SourceError: the inbox is empty, unless it ``may_be_empty``; `ingest.source` or `ingest.remote` is not there though we ``must_reach`` it.
    """
    os.chdir(ROOT)
    run = get_run_context().flow_run  # type: ignore[union-attr]
    for name in sign_in(run.id):
        print(f"closed {name}: its process is gone")
    with alone(run.name) as lease, tracked(), drawn():
        for fault in take_in(must_reach):
            print(f"warning: {fault}")
        if not entries(Params.load()) and not may_be_empty:
            raise SourceError(
                "no batch in the inbox; give one with `autoglm run --data FILE`, or try the sample with `make run`"
            )
        bring_up_to_date("code")
        yield lease


@contextmanager
def tracked() -> Iterator[None]:
    """MLflow's parent run for the stages in this block is that of this flow run."""
    before = os.environ.pop(FLOW_RUN, None)
    os.environ[FLOW_RUN] = str(get_run_context().flow_run.id)  # type: ignore[union-attr]
    try:
        yield
    finally:
        del os.environ[FLOW_RUN]
        if before is not None:
            os.environ[FLOW_RUN] = before


@contextmanager
def drawn() -> Iterator[None]:
    """The pages tell of what the block left, also where it ended with an error.

    Then a report that is not there stays away: `forget` may have cleared it, and the exam be still the one with the texts.
    """
    try:
        yield
    except BaseException:
        draw(missing=False)
        raise
    draw()


@contextmanager
def alone(holder: str) -> Iterator[Lease]:
    """The training lease; waits for whoever holds it."""
    params = Params.load()
    floor = store_of(params).fence(params.publish.channel)
    with hold(LEDGER, holder, floor=floor) as lease:
        yield lease


def take_in(must_reach: bool = False) -> list[str]:
    """Bring the inbox and `ingest.remote` up to each other, mirror `ingest.source`, and adopt what was dropped into the folder.

    Returns what did not work, a line each.

    Raises:
        SourceError: the remote or the source cannot be reached, and we ``must_reach`` it.
    """
    ingest = Params.load().ingest
    for entry in adopt(Path(ingest.inbox)):
        print(f"inbox: {entry.name} was dropped there", flush=True)
    faults = reached("source", ingest.source, must_reach, lambda url: mirrored(url, ingest, must_reach))
    return faults + kept(ingest, must_reach)


def kept(ingest: IngestParams, must_reach: bool = False) -> list[str]:
    """Bring the inbox and `ingest.remote`, if there is one, up to each other; returns and raises as :func:`take_in`."""
    return reached("remote", ingest.remote, must_reach, lambda url: shared(url, ingest, must_reach))


def reached(which: str, url: str | None, must_reach: bool, take: Callable[[str], list[str]]) -> list[str]:
    """What ``take`` tells of ``url``, which is `ingest.` ``which``; nothing where there is none."""
    if not url:
        return []
    try:
        return take(url)
    except SourceError as error:
        if must_reach:
            raise
        return [f"ingest.{which}: {error}; the inbox goes on without it"]


def shared(url: str, ingest: IngestParams, must_reach: bool) -> list[str]:
    """Send what the inbox has to ``url``, and take what is new there; returns and raises as :func:`mirrored`."""
    from openautoglm.corpus.remote import send

    sent = send(url, Path(ingest.inbox), SCRATCH)
    for name in sent.names:
        print(f"inbox: {name} went to {url}", flush=True)
    faults = mirrored(url, ingest, must_reach, sent.leave)
    if sent.to_cut:
        faults.append(
            f"documents were taken out of {', '.join(sent.to_cut)} at {url}; `{FINISH}` does so here"
        )
    return faults


def mirrored(url: str, ingest: IngestParams, must_reach: bool, leave: Container[str] = ()) -> list[str]:
    """Mirror ``url`` into the inbox; returns what was refused or did not come, a line each.

    Raises:
        SourceError: it cannot be reached, or a batch did not come and we ``must_reach`` it.
    """
    from openautoglm.corpus.mirror import mirror

    found = mirror(url, Path(ingest.inbox), SCRATCH, ingest.columns, leave=leave)
    for name in found.taken:
        print(f"inbox: {name} came from {url}", flush=True)
    if found.failed and must_reach:
        raise SourceError("; ".join(found.failed + found.refused))
    return found.refused + found.failed


def run_from_shell(flow: Callable[..., Any], words: Sequence[str]) -> int:
    """Call ``flow``; exit code 0: published or unchanged, 1: not published or broken, 2: something given is wrong.

    Each ``--then SRC`` puts SRC into the inbox after a run and runs once more, on the same server and with everything
    imported. The other options are the flow's parameters.
    """
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", allow_abbrev=False)
    parser.add_argument("--keep-parent", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--force", default="", metavar="REASON")
    parser.add_argument("--then", action="append", default=[], metavar="SRC")
    given = vars(parser.parse_args(words))
    later = given.pop("then")

    def all_runs() -> None:
        flow(**given)
        for source in later:
            print(f"inbox: {boxes.put(Path(Params.load().ingest.inbox), source).name}", flush=True)
            flow(**given)

    return shell(all_runs)


def shell(action: Callable[[], object], check: Callable[[], object] = lambda: None) -> int:
    """Call ``action`` with a Prefect server there; what goes wrong becomes one line and an exit code.

    ``check``: what can be found wrong before a server is started for nothing.
    """
    try:
        Params.load(ROOT / "params.yaml")
        check()
        with temporary_settings({PREFECT_API_URL: PREFECT_API_URL.value() or temporary()}):
            action()
    except AutoGLMError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # Prefect has logged the traceback
        first = (str(error).splitlines() or [""])[0]
        if first.startswith("Failed to reach API"):
            print(
                f"error: {first}: `autoglm up` starts a server, `unset PREFECT_API_URL` does without",
                file=sys.stderr,
            )
            return 2
        print(f"error: {type(error).__name__}: {first}", file=sys.stderr)
        return 1
    return 0
