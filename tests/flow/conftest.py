"""One real Prefect server for all flow tests, and toy checkouts to run both doors in."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from project import ToyProject, prefect_server


@pytest.fixture(scope="session")
def api_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server on a database of its own."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url


@pytest.fixture
def toy(tmp_path: Path, api_url: str) -> ToyProject:
    """A checkout where nothing has run yet."""
    return ToyProject.create(tmp_path / "toy", api_url)


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory, api_url: str) -> ToyProject:
    """A checkout where the flow ran once, to copy; a run takes seconds."""
    project = ToyProject.create(tmp_path_factory.mktemp("first") / "toy", api_url)
    project.flow()
    return project


@pytest.fixture(scope="session")
def ready(first_run: ToyProject, tmp_path_factory: pytest.TempPathFactory) -> ToyProject:
    """A checkout where the flow ran once; tests that share it leave it up to date."""
    return first_run.copied(tmp_path_factory.mktemp("ready") / "toy")


@pytest.fixture
def ran(first_run: ToyProject, tmp_path: Path) -> ToyProject:
    """A checkout of the test's own where the flow ran once."""
    return first_run.copied(tmp_path / "toy")


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until a condition holds."""

    def wait(condition: Callable[[], object], seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it did not happen in time"
            time.sleep(0.05)

    return wait
