"""The bridge between the two doors: bring one DVC stage up to date, in this process.

    ensure("train", lambda: run_stage("train"))    # -> "ran" | "restored" | "cached"

DVC's own `reproduce` runs with only its command runner replaced, so its locks, run-cache, clean-up and dvc.lock are
the ones of `dvc repro`; but torch and friends are imported once, and a stage's real exception arrives.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

import dvc.dvcfile
import dvc.rwlock
import dvc.stage.run
from dvc.exceptions import DvcException
from dvc.lock import LockError, make_lock
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, RWLockFileCorruptedError
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import dumps_yaml, parse_yaml
from dvc.utils.strictyaml import validate

import tasks  # sets the environment before anything reads it
from openautoglm.files import write_atomic

BUSY = (LockError, RWLockFileCorruptedError)  # goes away: another process is at work, or was killed at it
How = Literal["ran", "restored", "cached"]
Log = Callable[[str], object]
Reads = Callable[[], Mapping[str, object]]
LOCK = "dvc.lock"
ORDER = {name: place for place, name in enumerate(("code", *tasks.STAGES))}

_BODY: ContextVar[Callable[[Any], object] | None] = ContextVar("stage_body", default=None)
# stages run side by side, DVC's part of them does not: it would poll its own lock twice a second
_DVC = threading.RLock()
_spawn, _modify, _rwlock = dvc.stage.run.cmd_run, dvc.dvcfile.modify_yaml, dvc.rwlock.rwlock


def _cmd_run(stage: Any, dry: bool = False, run_env: dict[str, str] | None = None) -> None:
    body = _BODY.get()
    if dry or body is None:
        _spawn(stage, dry=dry, run_env=run_env)
    else:
        body(stage)


@contextmanager
def _modified(path: str, fs: Any = None) -> Iterator[dict[str, Any]]:
    """DVC's own but for dvc.lock. That one is written whole or not at all, so that no process that is killed at it leaves half of
    it; with its stages in the order of dvc.yaml, whichever of two side by side was through first; and read without a thought
    for comments, which nobody writes there: that took half of what DVC takes for a stage.
    """
    file = Path(path)
    if file.name != LOCK:
        with _modify(path, fs=fs) as data:
            yield data
        return
    data = parse_yaml(file.read_text(), path) if file.is_file() else {}
    yield data
    if made := data.get("stages"):
        data["stages"] = dict(sorted(made.items(), key=lambda stage: ORDER.get(stage[0], len(ORDER))))
    write_atomic(file, dumps_yaml(data).encode())


@contextmanager
def _locked(folder: str, fs: Any, cmd: str, *given: Any) -> Iterator[None]:
    """DVC's own. It tells who reads a file by process and command; two stages of one process are two readers, or the first
    that is through would let go for both.
    """
    with _rwlock(folder, fs, f"{cmd} {threading.get_ident()}", *given):
        yield


# the only private names of DVC's that are touched; a test holds that they are there
dvc.stage.run.cmd_run, dvc.dvcfile.modify_yaml, dvc.rwlock.rwlock = _cmd_run, _modified, _locked
logging.getLogger("dvc").propagate = False  # else every line of DVC's appears twice under Prefect
logging.getLogger("dvc").setLevel(logging.WARNING)  # what it did is the state of the step


class InputChanged(Exception):
    """An input of a stage changed while it ran. Not an AutoGLMError: trying again helps."""


def ensure(
    name: str,
    body: Callable[[], object],
    *,
    root: Path = Path(),
    log: Log = print,
    wait: float = 600.0,
    force: bool = False,
    reads: Reads = dict,
) -> How:
    """Bring stage ``name`` up to date, calling ``body`` only when neither workspace nor cache has its outputs.

    ``force`` calls it in any case. ``reads`` tells {dependency: what the stage reads of it}, where that is not all of it.

    A lock that another DVC process holds is waited for, at most ``wait`` seconds: it fails no stage.

    Raises:
        InputChanged: what the stage read is no longer what is there; dvc.lock and the cache are as they were.
        whatever ``body`` raises, itself and not as DVC's "failed to reproduce".
    """
    until = time.monotonic() + wait
    while True:
        ran: list[bool] = []
        try:
            with (
                _DVC,
                _runner(lambda stage, ran=ran: (ran.append(True), _guarded(stage, body, reads))),
                opened(root) as repo,
            ):
                changed = repo.reproduce(targets=[name], single_item=True, force=force)
            return "ran" if ran else "restored" if changed else "cached"
        except Exception as error:
            cause = _root_cause(error)
            if not isinstance(cause, BUSY) or ran or time.monotonic() > until:
                raise cause from None
            log(f"{name}: waiting for the other door: {str(cause).splitlines()[0]}")
            time.sleep(1)


def input_hash(
    stage: str, path: str, *, root: Path = Path(), wait: float = 600.0
) -> tuple[str | None, str | None]:
    """(hash in dvc.lock, hash on disk) of the dependency ``path`` of ``stage``; None: not there."""
    until = time.monotonic() + wait
    while True:
        try:
            with _DVC, opened(root) as repo, repo.lock:
                (found,) = repo.stage.collect(stage)
                (dep,) = (dep for dep in found.deps if dep.def_path == path)
                return dep.hash_info.value, dep.get_hash().value if dep.exists else None
        except LockError:
            if time.monotonic() > until:
                raise
            time.sleep(1)


def _guarded(stage: Any, body: Callable[[], object], reads: Reads) -> None:
    """Call ``body``. DVC takes the hashes of what a stage read when it has run, which may be others by then."""
    stage.save_deps()  # what it reads, also with `force`, where DVC has not looked yet
    before = reads()
    _DVC.release()
    try:
        body()
    finally:
        _DVC.acquire()
    after = reads()
    moved = [dep.def_path for dep in stage.deps if dep.get_hash() != dep.hash_info]
    if lost := [path for path in moved if path not in before or before[path] != after.get(path)]:
        raise InputChanged(f"{stage.name}: {', '.join(lost)} changed while it ran; it has to run again")


@contextmanager
def _runner(body: Callable[[Any], object]) -> Iterator[None]:
    token = _BODY.set(body)
    try:
        yield
    finally:
        _BODY.reset(token)


@contextmanager
def opened(root: Path) -> Iterator[Any]:
    folder = root / ".dvc/tmp"
    with suppress(LockError):
        _mend(folder / RWLOCK_FILE, json.loads, make_lock(str(folder / RWLOCK_LOCK), tmp_dir=str(folder)))
    with Repo(str(root), _wait_for_lock=True) as repo:
        _mend(root / LOCK, _check_lockfile, repo.lock)  # comes back from the run-cache, stage by stage
        yield repo


def _mend(path: Path, check: Callable[[str], object], lock: Any) -> None:
    """Remove a file of DVC's that a process was killed at while it wrote it: DVC reads no half of one, and no stage would
    run again.
    """
    if not _is_whole(path, check):
        with lock:
            if not _is_whole(path, check):  # nobody else did it, and nobody is writing it
                path.unlink(missing_ok=True)


def _is_whole(path: Path, check: Callable[[str], object]) -> bool:
    try:
        check(path.read_text())
    except FileNotFoundError:
        return True
    except (DvcException, ValueError):
        return False
    return True


def _check_lockfile(text: str) -> None:
    if not text.endswith("\n"):
        raise ValueError("cut off in a line")
    validate(parse_yaml(text, LOCK), COMPILED_LOCKFILE_SCHEMA)


def _root_cause(error: BaseException) -> BaseException:
    """What a stage raised: below DVC's wrappers, if there is anything."""
    while isinstance(error, DvcException) and not isinstance(error, BUSY) and error.__cause__ is not None:
        error = error.__cause__
    return error
