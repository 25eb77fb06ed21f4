"""One real Prefect server for all flow tests, and toy checkouts to run both doors in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from project import ToyProject

from tasks import QUIET


@pytest.fixture(scope="session")
def api_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server on a database of its own."""
    folder = tmp_path_factory.mktemp("prefect")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = f"sqlite+aiosqlite:///{folder / 'prefect.db'}"
    env = (
        os.environ | QUIET | {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database, "PREFECT_HOME": str(folder)}
    )
    command = [
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--no-ui",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}/api"
    try:
        _wait(f"{url}/health")
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture
def toy(tmp_path: Path, api_url: str) -> ToyProject:
    """A checkout where nothing has run yet."""
    return ToyProject.create(tmp_path / "toy", api_url)


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory, api_url: str) -> ToyProject:
    """A checkout where the flow ran once; tests that share it leave it up to date."""
    project = ToyProject.create(tmp_path_factory.mktemp("ready") / "toy", api_url)
    project.flow()
    return project


def _wait(url: str, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until a condition holds."""

    def wait(condition: Callable[[], object], seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it did not happen in time"
            time.sleep(0.05)

    return wait
