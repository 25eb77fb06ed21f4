"""Which Prefect server a flow talks to: the one you named, the one of `make up`, or a temporary one.

Prefect reads its settings when it is imported, so `flows/__init__.py` calls `connect` before anything else.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil

from openautoglm.loop import servers
from openautoglm.loop.servers import answers
from openautoglm.processes import end_with_parent, is_process, started

ROOT = Path(__file__).resolve().parent.parent
SERVERS = ROOT / servers.FOLDER  # infra/servers.py writes one file per running server
OWNER = "AUTOGLM_FLOW_PROCESS"  # in the environment of a temporary server: whose it is


def connect() -> None:
    """Point Prefect at a server, and clear away temporary servers of flows that were killed."""
    if os.environ.get("PREFECT_API_URL") or servers.of_profile():
        return
    if url := running("prefect"):
        os.environ["PREFECT_API_URL"] = f"{url}/api"
        return
    stop_orphans()  # not of a shell's own temporary server, which ends with its flow, but of Prefect's
    database = ROOT / ".autoglm/prefect/prefect.db"  # the same as `make up` shows, so runs stay visible
    database.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PREFECT_SERVER_DATABASE_CONNECTION_URL", f"sqlite+aiosqlite:///{database}")
    # the first start migrates a new database: 17 s measured, where Prefect gives up after 20
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
    os.environ[OWNER] = f"{os.getpid()}:{started(os.getpid()):.2f}:{ROOT}"


def temporary(timeout: float = 180.0) -> str:
    """Start a server that lives as long as this process; return its API URL.

    Prefect would start one too, but in our process group: Ctrl-C then ends it before the flow can say that it was
    interrupted (the flow hung for two minutes), and a kill -9 leaves it behind.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    print("starting a temporary Prefect server, about 10 s; `make up` keeps one running", flush=True)
    factory = (
        "--factory",
        "prefect.server.api.server:create_app",
        "--lifespan",
        "on",
        "--log-level",
        "error",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *factory, "--host", "127.0.0.1", "--port", port],
        env=os.environ
        | {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=partial(end_with_parent, os.getpid()),
    )
    atexit.register(
        _stop, process
    )  # after Prefect has sent its last events, which it does earlier on the way out
    until = time.monotonic() + timeout
    while not answers(f"http://127.0.0.1:{port}/api/health"):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(
                "Prefect's temporary server did not start; `make up` starts one that keeps a log"
            )
        time.sleep(0.1)
    return f"http://127.0.0.1:{port}/api"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()


def running(name: str) -> str | None:
    """URL of the server called ``name`` that `make up` started, if it is still that process and answers."""
    return servers.running(SERVERS, name)


def stop_orphans() -> list[int]:
    """End temporary servers of this checkout whose flow is gone (a kill -9 leaves them); return their pids."""
    stopped = []
    for process in psutil.process_iter(["cmdline"]):
        if "prefect.server.api.server:create_app" not in (process.info["cmdline"] or []):
            continue
        try:
            pid, since, root = process.environ().get(OWNER, "0:0:").split(":", 2)
            if root == str(ROOT) and not is_process(int(pid), float(since)):
                process.terminate()
                stopped.append(process.pid)
        except (psutil.Error, ValueError):
            continue  # somebody else's, or gone in between
    return stopped
