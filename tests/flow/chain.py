"""A toy project that learns on, and how to disturb it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from project import ToyProject

from openautoglm.corpus import inbox
from openautoglm.loop import Ledger
from openautoglm.processes import started
from openautoglm.release import ReleaseStore

DEPLOY = "import sys; from infra.servers import deploy; deploy(sys.argv[1])"
CONTINUAL = (sys.executable, "-m", "flows.continual")
# flows.continual in a process that kills itself as it enters the function named by its first argument
MORTAL = """
import importlib, os, signal, sys
where, _, name = sys.argv[1].partition(":")
owner = importlib.import_module(where)
*path, last = name.split(".")
for part in path:
    owner = getattr(owner, part)
setattr(owner, last, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
from flows.begin import shell
from flows.continual import continual
sys.exit(shell(continual))
"""


def give(toy: ToyProject, *texts: str) -> list[str]:
    """Put batches into the inbox, one after the other, as `autoglm ingest` does; return their entries."""
    found = []
    for text in texts:
        path = toy.root / f"{text}.jsonl"
        path.write_text(f"{text}\n")
        found.append(inbox.put(toy.root / "inbox", str(path)).name)
        path.unlink()
    return found


def continual(toy: ToyProject, code: int | None = 0, **env: str) -> str:
    return toy.run(*CONTINUAL, code=code, **env)


def killed_at(toy: ToyProject, point: str, **env: str) -> None:
    """Run the continual flow until it enters ``point`` (module:attribute), where it dies by kill -9."""
    process = toy.start(sys.executable, "-c", MORTAL, point, **env)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == -signal.SIGKILL, said


def kill(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGKILL)
    return process.communicate()[0]


def deploy(toy: ToyProject) -> str:
    """Have the deployments of its prefect.yaml on the server, as `make up` does; returns what that says."""
    return toy.run(sys.executable, "-c", DEPLOY, toy.api_url)


@contextmanager
def runners(toy: ToyProject, *names: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Warm runners of ``toy``, ready to take runs, each the leader of a process group; their logs are NAME.log."""
    alive = []
    logs = [toy.root / f"{name}.log" for name in names]
    try:
        for path in logs:
            with path.open("w") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "flows.runner", "--pool", "local"], cwd=toy.root, stdout=log, stderr=log,
                    env=toy.env(AUTOGLM_RUNNER_LIGHT="1", PYTHONUNBUFFERED="1"), start_new_session=True,
                )  # fmt: skip
            alive.append(process)
        until = time.monotonic() + 90
        while not all("warm after" in log.read_text() for log in logs):
            assert time.monotonic() < until, [log.read_text() for log in logs]
            time.sleep(0.2)
        yield alive
    finally:
        for process in alive:
            process.terminate()
        for process in alive:
            process.wait(timeout=90)  # a server that hangs has 60 s to answer


def store(toy: ToyProject) -> ReleaseStore:
    return ReleaseStore(toy.root / "releases")


def ids(toy: ToyProject) -> list[str]:
    """Ids of the releases in order; an id holds the release's fingerprint."""
    return [store(toy).get(version).id for version in store(toy).versions()]


def head(toy: ToyProject) -> str | None:
    found = store(toy).head()
    return found.id if found else None


def states(toy: ToyProject) -> list[str]:
    return [batch.state for batch in Ledger(toy.root / ".autoglm/ledger.db").batches()]


def is_sound(toy: ToyProject) -> None:
    """Nothing in the store is half, and every batch is where it belongs."""
    assert store(toy).verify() == []
    assert set(states(toy)) == {"published"}
    log = [entry for entry in store(toy).log() if entry["kind"] == "publish"]
    assert [entry["to"] for entry in log] == ids(toy), "each was published once, in this order"


def record_server(toy: ToyProject, folder: Path) -> None:
    """Make the test's server that of the checkout, as `make up` would."""
    noted = {"pid": os.getpid(), "started": started(os.getpid()), "url": toy.api_url.removesuffix("/api")}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prefect.json").write_text(json.dumps(noted | {"health": f"{toy.api_url}/health"}))
