"""The servers of one machine: Prefect, a warm runner for its deployments, MLflow's pages, and the folder reports/.

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
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from flows.server import OWNER, ROOT, SERVERS
from openautoglm.loop.servers import announce, answers, ask, record, why_idle
from openautoglm.processes import started
from tasks import QUIET

BIN = Path(sys.executable).parent
LOGS = ROOT / ".autoglm/logs"
DATABASE = ROOT / ".autoglm/prefect/prefect.db"
PORTS = {"prefect": 4200, "reports": 4201, "mlflow": 5000}
POOL = "local"
FIRST = 60.0  # seconds that `up` waits for its first run to start
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
    # not before Prefect listens: until then its port counts as free, and where 4200 is taken it is 4201
    reports = serve_reports()
    deploy(f"{prefect}/api")
    is_new = record(SERVERS, "runner") is None
    _ensure("runner", "", Path(sys.executable).name, "-m", "flows.runner", "--pool", POOL)
    _wait("mlflow")
    with suppress(SystemExit):  # links are then to files
        _wait("reports")
    until = time.monotonic() + PATIENCE
    while (idle := why_idle(f"{prefect}/api")) and time.monotonic() < until:
        time.sleep(0.3)
    if idle:
        sys.exit(f"{idle}: see {(LOGS / 'runner.log').relative_to(ROOT)}")
    if is_new and not _first_run(f"{prefect}/api"):
        print("the first run is late; what waits in the inbox is taken by the next sweep")
    print(f"Prefect  {prefect}\nMLflow   {mlflow}\nreports  {reports}")
    print(f"logs     {LOGS.relative_to(ROOT)}/\nstop     autoglm down")


def serve_reports() -> str:
    (ROOT / "reports").mkdir(exist_ok=True)
    return _ensure("reports", "/", Path(sys.executable).name, "infra/static.py", "reports", "{port}")


def _first_run(api: str) -> bool:
    """Have what waits in the inbox taken now and not by the next sweep, and wait until that run has started: the
    runner imports for many seconds before its first run, and those are not to be the first batch's.
    """
    since = datetime.now(UTC).isoformat()
    wanted = {
        "flows": {"name": {"any_": ["continual"]}},
        "flow_runs": {
            "expected_start_time": {"after_": since},
            "state": {"type": {"any_": ["RUNNING", "COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}},
        },
    }
    until = time.monotonic() + FIRST
    with suppress(OSError):  # the sweep does without
        announce(api, f"the servers' start at {since}: what")
        while time.monotonic() < until:
            if ask(api, "/flow_runs/filter", wanted):
                return True
            time.sleep(0.3)
    return False


def deploy(api: str) -> None:
    """Make the server's deployments those of prefect.yaml, no more and each with its own triggers only."""
    _prefect("work-pool", "create", POOL, "--type", "process", may_fail=True)  # fails when it is there
    _prefect("--no-prompt", "deploy", "--all")
    wanted = {row["name"] for row in YAML(typ="safe").load(ROOT / "prefect.yaml")["deployments"]}
    kept = set()
    for found in ask(api, "/deployments/filter", {"limit": 200}):
        if found["name"] in wanted or "autoglm" not in (found["tags"] or []):
            kept.add(found["id"])
        else:
            ask(api, f"/deployments/{found['id']}", method="DELETE")
            print(f"removed the deployment {found['name']}: it is no longer in prefect.yaml")
    seen: set[str] = set()
    for automation in ask(api, "/automations/filter", {"limit": 200}):
        targets = {action.get("deployment_id") for action in automation["actions"]} - {None}
        what = json.dumps(
            [automation["trigger"].get("expect"), automation["trigger"].get("match"), sorted(targets)]
        )
        if targets and (
            not targets <= kept or what in seen
        ):  # deleting a deployment leaves its automation behind
            ask(api, f"/automations/{automation['id']}", method="DELETE")
            print(
                f"removed the automation {automation['name']}: its deployment is gone, or it is there twice"
            )
        seen.add(what)


def down() -> None:
    """Stop our servers, the last one first."""
    stopped = 0
    for name in ("runner", "worker", "reports", "mlflow", "prefect"):  # a worker: of an earlier version
        found = record(SERVERS, name)
        if found is not None:
            _stop(int(found["pid"]), patience=25 if name == "runner" else 6)
            print(f"stopped {name}")
            stopped += 1
        (SERVERS / f"{name}.json").unlink(missing_ok=True)
    if not stopped:
        print("nothing was running")


def status() -> None:
    for name in ("prefect", "mlflow", "reports", "runner"):
        found = record(SERVERS, name)
        print(f"{name:<8} {'not running' if found is None else found['url'] or 'running'}")


def _ensure(name: str, health: str, program: str, *arguments: str) -> str:
    """Start ``name`` unless ours runs already; return its URL, or an empty string when it has none."""
    running = record(SERVERS, name)
    if running is not None:
        return str(running["url"])
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
        "started": started(process.pid),
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
        "PREFECT_HOME": str(DATABASE.parent),
        # in memory, the slots of concurrency limits would not outlive the server, and a run that cannot renew its own fails
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2",  # until a waiting run asks again; 30 by default
        "PREFECT_WORKER_QUERY_SECONDS": "1",  # of a stock worker, should you start one
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # else a job runner and seven consumers start beside it
    }
    return {key: value for key, value in os.environ.items() if key != OWNER} | QUIET | own


def _wait(name: str) -> None:
    until = time.monotonic() + PATIENCE
    while (found := record(SERVERS, name)) and time.monotonic() < until:
        if answers(str(found["health"])):
            return
        time.sleep(0.3)
    sys.exit(f"{name} does not answer: see {(LOGS / name).relative_to(ROOT)}.log")


def _stop(pid: int, patience: float) -> None:
    """End a process and its children; the runner first lets its runs say goodbye."""
    top = psutil.Process(pid)
    family = [*top.children(recursive=True), top]
    with suppress(psutil.Error):
        top.terminate()
    psutil.wait_procs([top], timeout=patience)
    for process in family:
        with suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(family, timeout=5)
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
