"""Which server a flow talks to, and which processes it may end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows import server
from openautoglm.processes import started

FACTORY = (
    "prefect.server.api.server:create_app"  # what Prefect's own temporary server has in its command line
)


def test_only_orphans_of_this_checkout_are_ended() -> None:
    gone, here = "999999:1.00", f"{os.getpid()}:{started(os.getpid()):.2f}"
    orphan = _pretend(f"{gone}:{server.ROOT}")
    others = [_pretend(f"{here}:{server.ROOT}"), _pretend(f"{gone}:/somewhere/else"), _pretend("")]
    try:
        assert server.stop_orphans() == [orphan.pid]
        assert orphan.wait(timeout=10) < 0
        assert [process.poll() for process in others] == [None] * 3
    finally:
        for process in (orphan, *others):
            process.kill()
            process.wait()


def test_a_record_counts_only_while_it_is_the_same_process_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SERVERS", tmp_path)
    assert server.running("prefect") is None

    page = tmp_path / "health"
    page.write_text("ok")
    record = {
        "pid": os.getpid(),
        "started": started(os.getpid()),
        "url": "u",
        "health": page.as_uri(),
    }
    (tmp_path / "prefect.json").write_text(json.dumps(record))
    assert server.running("prefect") == "u"
    (tmp_path / "prefect.json").write_text(json.dumps(record | {"started": 1.0}))
    assert server.running("prefect") is None
    (tmp_path / "prefect.json").write_text(json.dumps(record | {"health": "http://127.0.0.1:9/none"}))
    assert server.running("prefect") is None


def _pretend(owner: str) -> subprocess.Popen[bytes]:
    env = {key: value for key, value in os.environ.items() if key != server.OWNER}
    command = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)", FACTORY]
    process = subprocess.Popen(
        command, env=env | ({server.OWNER: owner} if owner else {}), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()  # it runs with its own command line now
    return process
