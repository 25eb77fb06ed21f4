"""The warm runner against a real server: what somebody deletes meanwhile, what changes on disk, what got lost on the way."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.responses import SetStateStatus
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Pending, Scheduled, State

from flows import runner
from flows.reaper import taken
from flows.runner import Runner, code_on_disk


@pytest.fixture
def client(api_url: str) -> Iterator[SyncPrefectClient]:
    with temporary_settings({PREFECT_API_URL: api_url}), get_client(sync_client=True) as found:
        yield found


@pytest.fixture
def mine(client: SyncPrefectClient) -> Runner:
    pool = client.create_work_pool(WorkPoolCreate(name=f"pool-{uuid4().hex[:8]}", type="process"))
    return Runner(client, pool.name)


def _due(client: SyncPrefectClient, pool: str, state: State | None = None) -> UUID:
    """A run of a deployment, for now or as in ``state``."""
    flow = client.create_flow_from_name("nothing")
    deployment = client.create_deployment(
        flow, "nothing", work_pool_name=pool, entrypoint="flows/nothing.py:nothing"
    )
    return client.create_flow_run_from_deployment(deployment, state=state or Scheduled()).id


def _ended() -> multiprocessing.Process:
    child = multiprocessing.get_context("spawn").Process(target=int)
    child.start()
    child.join()
    return child  # type: ignore[return-value]


def test_a_run_that_is_deleted_ends_nobody(mine: Runner) -> None:
    run = _due(mine.client, mine.pool)
    mine.children[run] = _ended()
    mine.client.delete_flow_run(run)
    mine.bury()
    assert mine.children == {}

    mine.children[run] = _ended()
    mine.close()


def test_a_deployment_that_is_deleted_ends_nobody(mine: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    _due(mine.client, mine.pool)
    read = mine.client.read_deployment

    def deleted_first(found: UUID) -> object:
        mine.client.delete_deployment(found)
        return read(found)

    monkeypatch.setattr(mine.client, "read_deployment", deleted_first)
    mine.start_due()
    mine.start_due()
    assert mine.children == {}


def test_a_run_that_was_taken_and_never_started_is_closed(mine: Runner) -> None:
    run = _due(mine.client, mine.pool)
    mine.client.set_flow_run_state(run, Pending(message=taken()), force=True)  # and the answer got lost
    mine.sign_of_life()
    assert mine.client.read_flow_run(run).state.is_crashed()  # type: ignore[union-attr]


def test_a_run_that_two_runners_want_is_started_by_the_one_that_got_it(mine: Runner) -> None:
    """The server tells the other one the state that the run is in, which is Pending too."""
    run = mine.client.read_flow_run(_due(mine.client, mine.pool))
    faster = mine.client.set_flow_run_state(
        run.id, Pending(message="taken by process 1, started 1.00, on pluto")
    )
    assert faster.status == SetStateStatus.ACCEPT
    mine._start(run)  # it was due when this one looked
    assert mine.children == {}
    mine.sign_of_life()
    assert mine.client.read_flow_run(run.id).state.is_pending(), "it is for the other one to close"  # type: ignore[union-attr]


def test_looking_whether_a_run_is_due_writes_nothing(
    mine: Runner, eventually: Callable[[Callable[[], object]], None]
) -> None:
    def asked() -> set[datetime | None]:
        return {queue.last_polled for queue in mine.client.read_work_queues(work_pool_name=mine.pool)}

    _due(mine.client, mine.pool, Scheduled(scheduled_time=datetime.now(UTC) + timedelta(hours=1)))
    assert not mine.is_any_due()
    run = _due(mine.client, mine.pool)
    assert mine.is_any_due()
    time.sleep(0.5)  # the server notes it after its answer
    assert asked() == {None}
    mine.sign_of_life()
    assert mine.children == {}, "nothing starts before the warm process is there"
    mine.client.delete_flow_run(run)
    mine.start_due()
    eventually(lambda: None not in asked())


def test_older_files_and_files_that_went_are_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    for name in ("flows/a.py", "flows/__pycache__/a.pyc", "openautoglm/words.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    first = code_on_disk()
    (tmp_path / "flows/__pycache__/a.pyc").write_text("compiled")
    assert code_on_disk() == first
    os.utime(tmp_path / "flows/a.py", (1.0, 1.0))  # as git checkout of an archive may do
    second = code_on_disk()
    assert second != first
    (tmp_path / "openautoglm/words.txt").unlink()
    assert code_on_disk() != second
