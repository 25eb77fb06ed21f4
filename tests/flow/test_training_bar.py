"""The bar of training in Prefect's UI, on a real server: it follows the file, belongs to the task run, and harms nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import progress
from flows.progress import describe, latest, training_shown
from openautoglm.train.progress import Reporter


def bars(api_url: str) -> list[Any]:
    with temporary_settings({PREFECT_API_URL: api_url}), get_client(sync_client=True) as client:
        chosen = ArtifactFilter(key=ArtifactFilterKey(any_=["training"]))
        return list(client.read_artifacts(artifact_filter=chosen))


def train(root: Path, steps: int) -> None:
    with Reporter(root / ".autoglm/train/key/metrics.jsonl", 40, 0, leads=True) as reporter:
        for step in range(1, steps + 1):
            reporter.step(step, 0.5, 8, 1.0)
            time.sleep(0.02)


def test_a_bar_follows_training(tmp_path: Path, api_url: str) -> None:
    @task
    def trains() -> None:
        with training_shown(tmp_path, every=0.2):
            train(tmp_path, 30)

    @task
    def finds_it_cached() -> None:
        with training_shown(tmp_path, every=0.1):
            time.sleep(0.3)

    @flow
    def story() -> None:
        trains()
        finds_it_cached()

    with temporary_settings({PREFECT_API_URL: api_url}):
        story()
    [bar] = bars(api_url)
    assert (bar.type, bar.data) == ("progress", 100.0)
    assert bar.description == "step 30 of 40, done"
    assert bar.task_run_id is not None


def test_a_fault_stops_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("no server")

    monkeypatch.setattr(progress, "create_progress_artifact", broken)
    with training_shown(tmp_path, every=0.05):
        train(tmp_path, 12)
    assert "progress: not shown any more: OSError: no server" in capsys.readouterr().out


def test_only_what_this_run_wrote_counts(tmp_path: Path) -> None:
    file = tmp_path / "key/metrics.jsonl"
    file.parent.mkdir()
    row = {"time": 1000.0, "event": "step", "step": 10, "total": 40, "loss": 0.25, "speed": 87.3}
    file.write_text(json.dumps(row) + "\n" + '{"time": 1001.0, "ev')
    assert latest(tmp_path, 1000.0) == row
    assert latest(tmp_path, time.time() + 60) is None
    assert latest(tmp_path / "nowhere", 0.0) is None
    assert describe(row) == "step 10 of 40, loss 0.250, 87 documents/s"
