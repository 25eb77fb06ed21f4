"""Which servers there are: the ones you named, or the ones of `make up`. The one place that looks them up.

`make up` leaves one file per server in .autoglm/servers: {"pid", "started", "url", "health"}. A server is known by pid
and start time, because the system uses numbers again.
"""

from __future__ import annotations

import datetime
import json
import os
import time
import tomllib
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openautoglm.files import write_atomic
from openautoglm.processes import is_process, started

FOLDER = Path(".autoglm/servers")
EVENT = "autoglm.batch.arrived"
INBOX = "autoglm.inbox"  # what the event is about
BUSY = 6  # times that a busy server is asked
NAMES = uuid.UUID("5f0b6d52-9a55-5c1e-8f0e-0b7a5a4f2a11")


def record(folder: Path, name: str) -> dict[str, Any] | None:
    """What `make up` noted of the server ``name``, as long as that process lives."""
    try:
        found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
        return found if is_process(found["pid"], found["started"]) else None
    except (OSError, ValueError, KeyError):
        return None


def stale(folder: Path) -> list[str]:
    """Names of servers that were started here and are gone without `make down`."""
    return [path.stem for path in sorted(folder.glob("*.json")) if record(folder, path.stem) is None]


def running(folder: Path, name: str) -> str | None:
    """URL of the server ``name`` if it lives and answers."""
    found = record(folder, name)
    return str(found["url"]) if found and answers(str(found.get("health"))) else None


def api_url(root: Path) -> str | None:
    """Prefect's API: of PREFECT_API_URL, of your Prefect profile, or of `make up`; None: there is no server."""
    named = os.environ.get("PREFECT_API_URL") or of_profile()
    if named:
        return named.rstrip("/")
    url = running(root / FOLDER, "prefect")
    return f"{url}/api" if url else None


def reports_url(root: Path) -> str | None:
    """Where the folder reports/ is served: AUTOGLM_REPORTS_URL, or the server of `make up`; None: nowhere."""
    named = os.environ.get("AUTOGLM_REPORTS_URL")
    return named.rstrip("/") if named else running(root / FOLDER, "reports")


def of_profile() -> str | None:
    """PREFECT_API_URL of the active Prefect profile."""
    path = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect")) / "profiles.toml"
    try:
        profiles: dict[str, Any] = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError):
        return None
    active = os.environ.get("PREFECT_PROFILE", profiles.get("active", ""))
    url = profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL")
    return str(url) if url else None


def announce(api: str, entry: str, **payload: object) -> None:
    """Emit ``autoglm.batch.arrived``. The same entry is the same event, which the server takes once.

    ``payload`` goes with it.

    Raises:
        OSError: nobody answers there.
    """
    event = {
        "id": str(uuid.uuid5(NAMES, entry)),
        "occurred": datetime.datetime.now(datetime.UTC).isoformat(),
        "event": EVENT,
        "resource": {"prefect.resource.id": INBOX, "prefect.resource.name": "inbox"},
        "payload": {"entry": entry, **payload},
    }
    ask(api, "/events", [event])


def ask(api: str, path: str, body: object = None, method: str = "POST", timeout: float = 5.0) -> Any:
    """The answer of Prefect's API, as JSON; no client, so that a command needs no Prefect.

    Raises:
        OSError: nobody answers, or it refuses.
    """
    data = None if method in ("GET", "DELETE") else json.dumps({} if body is None else body).encode()
    headers = {"Content-Type": "application/json", **_credentials()}
    request = urllib.request.Request(f"{api}{path}", data, headers, method=method)
    for left in reversed(range(BUSY)):
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                text = answer.read()
            break
        except urllib.error.HTTPError as error:
            if error.code != 503 or not left:  # its database is busy with somebody else
                raise
            time.sleep(0.5)
    return json.loads(text) if text else None


def _credentials() -> Mapping[str, str]:
    if key := os.environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    return {}


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (OSError, ValueError):
        return False


def why_idle(api: str, deployment: str = "continual") -> str:
    """Why no run of ``deployment`` would start, in one line that says what to do; empty: one would.

    Raises:
        OSError: the server does not answer.
    """
    found = [row for row in ask(api, "/deployments/filter", {"limit": 200}) if row["name"] == deployment]
    if not found:
        return f"the deployment {deployment} is not on {api}; `autoglm up` deploys it"
    if found[0].get("paused"):
        return f"the deployment {deployment} is paused; resume it in the UI"
    if found[0].get("work_pool_name") is None:
        return f"the deployment {deployment} has no work pool; `autoglm up` deploys it with one"
    pool = ask(api, f"/work_pools/{found[0]['work_pool_name']}", method="GET")
    if pool.get("is_paused"):
        return f"the work pool {pool['name']} is paused; `prefect work-pool resume {pool['name']}`"
    if pool.get("status") != "READY":
        return f"no runner is at work in the pool {pool['name']}; `autoglm up` starts one"
    return ""


@contextmanager
def signed_on(folder: Path, name: str) -> Iterator[None]:
    """This process is on record as ``name`` while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    noted = {"pid": os.getpid(), "started": started(os.getpid()), "url": "", "health": ""}
    write_atomic(folder / f"{name}.json", json.dumps(noted).encode())
    try:
        yield
    finally:
        (folder / f"{name}.json").unlink(missing_ok=True)
