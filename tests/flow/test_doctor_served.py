"""What `autoglm doctor` says of a real Prefect server, from an empty one to one where a batch starts a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings
from project import ToyProject, prefect_server

pytestmark = pytest.mark.slow
DOCTOR = (sys.executable, "-m", "openautoglm.cli", "doctor", "--json")
UP = "; `autoglm up` deploys "


@pytest.fixture
def client(tmp_path: Path) -> Iterator[SyncPrefectClient]:
    """Of a server where nothing was deployed so far, by no other test either."""
    with (
        prefect_server(tmp_path / "server") as url,
        temporary_settings({PREFECT_API_URL: url}),
        get_client(sync_client=True) as found,
    ):
        yield found


def deploy(client: SyncPrefectClient, name: str, pool: str | None = "local", active: bool = True) -> UUID:
    schedule = DeploymentScheduleCreate(
        schedule=IntervalSchedule(interval=timedelta(days=1)), active=active, slug="daily"
    )
    return client.create_deployment(
        client.create_flow_from_name(name),
        name,
        work_pool_name=pool,
        schedules=[schedule],
        entrypoint="x.py:x",
    )


def test_from_an_empty_server_to_one_that_takes_batches(client: SyncPrefectClient, tmp_path: Path) -> None:
    api = str(client.api_url).rstrip("/")
    toy = ToyProject.create(tmp_path / "toy", api)
    (toy.root / "constraints.txt").touch()

    def loop(is_well: bool = False) -> str:
        rows = {row["check"]: row for row in json.loads(toy.run(*DOCTOR, code=0 if is_well else 1))}
        assert rows["server"] == {"check": "server", "ok": True, "found": api}
        assert rows["loop"]["ok"] == is_well
        return str(rows["loop"]["found"])

    assert loop() == f"the deployment continual is not on {api}{UP}it"
    deploy(client, "continual", pool=None)
    assert loop() == f"the deployment continual has no work pool{UP}it with one"
    client.create_work_pool(WorkPoolCreate(name="local", type="process"))
    continual = deploy(client, "continual")
    assert loop() == "no runner is at work in the pool local; `autoglm up` starts one"
    client.send_worker_heartbeat("local", "a runner", heartbeat_interval_seconds=30)
    assert loop() == f"deployments are missing: pipeline, retrain, rollback{UP}them"
    for name in ("pipeline", "retrain", "rollback"):
        deploy(client, name)
    assert loop(is_well=True) == "an arriving batch starts a run; swept every 5 minutes, retrained at night"

    client.pause_deployment(continual)
    assert loop() == "the deployment continual is paused; resume it in the UI"
    client.resume_deployment(continual)
    client.update_work_pool("local", WorkPoolUpdate(is_paused=True))
    assert loop() == "the work pool local is paused; `prefect work-pool resume local`"
    toy.run("prefect", "work-pool", "resume", "local")
    [schedule] = client.read_deployment_schedules(continual)
    client.update_deployment_schedule(continual, schedule.id, active=False)
    assert loop() == "the schedule of continual is paused; resume it in the UI, or `autoglm up`"
