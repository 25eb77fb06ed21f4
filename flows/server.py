"""Which Prefect server a flow talks to: the one you named, the one of `make up`, or a temporary one.

Prefect reads its settings when it is imported, so `flows/__init__.py` calls `connect` before anything else.
"""

from __future__ import annotations

import json
import os
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
SERVERS = ROOT / ".autoglm/servers"  # infra/servers.py writes one file per running server
OWNER = "AUTOGLM_FLOW_PROCESS"  # in the environment of a temporary server: whose it is


def connect() -> None:
    """Point Prefect at a server, and clear away temporary servers of flows that were killed."""
    if os.environ.get("PREFECT_API_URL") or _profile_names_a_server():
        return
    if url := running("prefect"):
        os.environ["PREFECT_API_URL"] = f"{url}/api"
        return
    stop_orphans()
    database = ROOT / ".autoglm/prefect/prefect.db"  # the same as `make up` shows, so runs stay visible
    database.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PREFECT_SERVER_DATABASE_CONNECTION_URL", f"sqlite+aiosqlite:///{database}")
    # the first start migrates a new database: 17 s measured, where Prefect gives up after 20
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
    os.environ[OWNER] = f"{os.getpid()}:{psutil.Process().create_time():.2f}:{ROOT}"


def running(name: str) -> str | None:
    """URL of the server called ``name`` that `make up` started, if it is still that process and answers."""
    try:
        record = json.loads((SERVERS / f"{name}.json").read_text())
        if not is_process(record["pid"], record["started"]):
            return None
        with urllib.request.urlopen(record["health"], timeout=2):
            return str(record["url"])
    except (OSError, ValueError, KeyError):
        return None


def is_process(pid: int, started: float) -> bool:
    """Whether ``pid`` is still the process that started then: numbers are used again."""
    try:
        return abs(psutil.Process(pid).create_time() - started) < 0.05
    except psutil.Error:
        return False


def stop_orphans() -> list[int]:
    """End temporary servers of this checkout whose flow is gone (a kill -9 leaves them); return their pids."""
    stopped = []
    for process in psutil.process_iter(["cmdline"]):
        if "prefect.server.api.server:create_app" not in (process.info["cmdline"] or []):
            continue
        try:
            pid, started, root = process.environ().get(OWNER, "0:0:").split(":", 2)
            if root == str(ROOT) and not is_process(int(pid), float(started)):
                process.terminate()
                stopped.append(process.pid)
        except (psutil.Error, ValueError):
            continue  # somebody else's, or gone in between
    return stopped


def _profile_names_a_server() -> bool:
    path = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect")) / "profiles.toml"
    try:
        profiles: dict[str, Any] = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError):
        return False
    active = os.environ.get("PREFECT_PROFILE", profiles.get("active", ""))
    return bool(profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL"))
