"""Event → the continual flow's first line, on the servers of `make up`; left out where they do not run.

    python -m tests.bench event
    python -m tests.bench.bench_event ROOT RUNS        of another checkout

Each event names a batch that is not there, so each run finds nothing new and changes nothing.
"""

from __future__ import annotations

import statistics
import sys
import time
import uuid
from datetime import datetime
from pathlib import Path

from openautoglm.loop import servers

PAUSE = 5.0  # seconds: what the run before still tells the server makes its SQLite busy


def run(root: Path = Path(), runs: int = 20) -> dict[str, object]:
    """{what: {median s, worst s, how many over 3 s}}, or why it was left out."""
    api = servers.api_url(root)
    if api is None:
        return {"left out": "no Prefect server: make up"}
    if idle := servers.why_idle(api):
        return {"left out": idle}
    rows = []
    for _ in range(runs):
        time.sleep(PAUSE)
        rows.append(measure(api))
    return {
        name: {
            "median_s": statistics.median(row[name] for row in rows),
            "worst_s": max(row[name] for row in rows),
            "over_3_s": sum(row[name] > 3 for row in rows),
        }
        for name in rows[0]
    }


def measure(api: str) -> dict[str, float]:
    """Seconds from the event to: the run is there, it is Pending, it is Running."""
    name, start = f"measured-{uuid.uuid4().hex[:8]}", time.time()
    servers.announce(api, name)
    body = {
        "flow_runs": {"parent_task_run_id": {"is_null_": True}},
        "sort": "EXPECTED_START_TIME_DESC",
        "limit": 50,
    }
    while True:
        found = [
            run
            for run in servers.ask(api, "/flow_runs/filter", body)
            if name in str(run["parameters"].get("why"))
        ]
        if found and found[0]["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            break
        if time.time() > start + 120:
            sys.exit("no run started within two minutes; see `autoglm doctor`")
        time.sleep(0.2)
    states = servers.ask(api, f"/flow_run_states/?flow_run_id={found[0]['id']}", method="GET")
    when = {state["type"]: datetime.fromisoformat(state["timestamp"]).timestamp() - start for state in states}
    created = datetime.fromisoformat(found[0]["created"]).timestamp() - start
    return {"event → run": created, "event → Pending": when["PENDING"], "event → Running": when["RUNNING"]}


if __name__ == "__main__":
    words = sys.argv[1:]
    print(run(Path(words[0] if words else "."), int(words[1]) if len(words) > 1 else 20))
