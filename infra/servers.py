"""The servers of one machine: Prefect, a worker for its deployments, and MLflow's pages.

    python infra/servers.py up       start what is not running, deploy prefect.yaml, print the links
    python infra/servers.py down     stop what `up` started, and nothing else
    python infra/servers.py status   what runs

All listen on 127.0.0.1 only. Records and logs are under .autoglm/; a server is known by its pid and start time, so
a number that the system used again is never mistaken for it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from flows.server import OWNER, SERVERS, is_process  # noqa: E402
from tasks import QUIET  # noqa: E402

BIN = Path(sys.executable).parent
LOGS = ROOT / ".autoglm/logs"
DATABASE = ROOT / ".autoglm/prefect/prefect.db"
PORTS = {"prefect": 4200, "mlflow": 5000}
POOL = "local"
PATIENCE = 180.0  # seconds until a server must answer; a new database alone took 17


def up() -> None:
    """Start what is missing, in the order of need."""
    prefect = _ensure(
        "prefect", "/api/health", "prefect", "server", "start", "--host", "127.0.0.1", "--port", "{port}"
    )
    os.environ["PREFECT_API_URL"] = f"{prefect}/api"
    mlflow = _ensure(
        "mlflow", "/health", "mlflow", "server", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1",
        "--backend-store-uri", f"sqlite:///{ROOT / 'mlflow.db'}", "--default-artifact-root", (ROOT / "mlartifacts").as_uri(),
    )  # fmt: skip
    _wait("prefect")
    _prefect("work-pool", "create", POOL, "--type", "process", may_fail=True)  # fails when it is there
    _prefect("--no-prompt", "deploy", "--all")
    _ensure("worker", "", "prefect", "worker", "start", "--pool", POOL, "--name", f"autoglm-{os.getuid()}")
    _wait("mlflow")
    print(f"Prefect  {prefect}\nMLflow   {mlflow}\nlogs     {LOGS.relative_to(ROOT)}/\nstop     make down")


def down() -> None:
    """Stop our servers, the last one first."""
    for name in ("worker", "mlflow", "prefect"):
        record = _record(name)
        if record is not None:
            _stop(int(record["pid"]))
            print(f"stopped {name}")
        (SERVERS / f"{name}.json").unlink(missing_ok=True)


def status() -> None:
    for name in ("prefect", "mlflow", "worker"):
        record = _record(name)
        print(f"{name:<8} {'not running' if record is None else record['url'] or 'running'}")


def _ensure(name: str, health: str, program: str, *arguments: str) -> str:
    """Start ``name`` unless ours runs already; return its URL, or an empty string when it has none."""
    record = _record(name)
    if record is not None:
        return str(record["url"])
    port = next(_free_ports(PORTS[name])) if name in PORTS else 0
    url = f"http://127.0.0.1:{port}" if port else ""
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [str(BIN / program), *(argument.format(port=port) for argument in arguments)],
            cwd=ROOT, env=_environment(port), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    found = {
        "pid": process.pid,
        "started": psutil.Process(process.pid).create_time(),
        "url": url,
        "health": url + health,
    }
    SERVERS.mkdir(parents=True, exist_ok=True)
    (SERVERS / f"{name}.json").write_text(json.dumps(found))
    print(f"starting {name} {url}", flush=True)
    return url


def _environment(port: int) -> dict[str, str]:
    """A server must not look like a flow's temporary one, and keeps to this checkout's databases."""
    DATABASE.parent.mkdir(parents=True, exist_ok=True)
    own = {
        "PATH": f"{BIN}:{os.environ.get('PATH', '')}",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{DATABASE}",
        "PREFECT_SERVER_UI_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # else a job runner and seven consumers start beside it
    }
    return {key: value for key, value in os.environ.items() if key != OWNER} | QUIET | own


def _wait(name: str) -> None:
    record, until = _record(name), time.monotonic() + PATIENCE
    while record is not None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(record["health"], timeout=2):
                return
        except OSError:
            time.sleep(0.3)
        record = _record(name)
    sys.exit(f"{name} does not answer: see {(LOGS / name).relative_to(ROOT)}.log")


def _record(name: str) -> dict[str, object] | None:
    """What `up` noted of ``name``, as long as that process lives."""
    try:
        record: dict[str, object] = json.loads((SERVERS / f"{name}.json").read_text())
        alive = is_process(record["pid"], record["started"])  # type: ignore[arg-type]
        return record if alive and psutil.Process(record["pid"]).status() != psutil.STATUS_ZOMBIE else None  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError, psutil.Error):
        return None


def _stop(pid: int) -> None:
    """End a process and its children; an idle worker ignores its first SIGTERM for 40 s, so wait and insist."""
    top = psutil.Process(pid)
    family = [*top.children(recursive=True), top]
    for process in family:
        process.terminate()
    _, left = psutil.wait_procs(family, timeout=6)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=5)


def _free_ports(first: int) -> Iterator[int]:
    """Ports from ``first`` on that nobody listens on."""
    for port in range(first, first + 50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                yield port


def _prefect(*arguments: str, may_fail: bool = False) -> None:
    done = subprocess.run(
        [str(BIN / "prefect"), *arguments], cwd=ROOT, env=_environment(0), capture_output=True, text=True
    )
    if done.returncode and not may_fail:
        sys.exit(f"prefect {' '.join(arguments)}: {(done.stderr or done.stdout).strip()[-500:]}")


if __name__ == "__main__":
    commands = {"up": up, "down": down, "status": status}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]]()
