"""The pipeline run in MLflow when two of its stages run at once: one run, and the worse of their ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from openautoglm.params import Params
from tasks.tracking import FLOW_RUN, client_of, stage_run, tell

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("AUTOGLM_TRACKING", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv(FLOW_RUN, tmp_path.name)
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    return tmp_path


def test_one_run_that_failed_where_one_of_two_did(root: Path) -> None:
    params, both = Params.load(ROOT / "params.yaml"), Barrier(2)
    client_of(root)  # makes the database

    def stage(name: str, fault: Exception | None) -> None:
        both.wait(timeout=60)
        with stage_run(name, params, root):
            if fault:
                raise fault
            both.wait(timeout=60)  # ends when the other one has failed

    with ThreadPoolExecutor(2) as pool:
        failed = pool.submit(stage, "evaluate", OSError("broken"))
        other = pool.submit(stage, "export", None)
        with pytest.raises(OSError, match="broken"):
            failed.result()
        assert statuses(root)["pipeline"] == ["RUNNING"], "export is under way"
        both.wait(timeout=60)
        other.result()
    assert statuses(root) == {"pipeline": ["FAILED"], "evaluate": ["FAILED"], "export": ["FINISHED"]}
    with stage_run("evaluate", params, root):
        pass
    assert statuses(root)["pipeline"] == ["FINISHED"], "it was tried again"
    tell({"onnx_ms_b1": 2.0}, root)
    assert len(statuses(root)["pipeline"]) == 1


def test_mlflow_failing_once_leaves_no_run_under_way(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    params, said = Params.load(ROOT / "params.yaml"), list[str]()
    client_of(root)

    def busy(*_: object, **__: object) -> None:
        said.append("busy")
        raise OSError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", busy)  # the run is there, its params are not
        with stage_run("evaluate", params, root):
            pass
    with stage_run("export", params, root) as record:
        record({"files": 8})
        monkeypatch.setattr(MlflowClient, "log_batch", busy)
    assert len(said) == 2
    assert statuses(root)["pipeline"] == ["FINISHED"]


def statuses(root: Path) -> dict[str, list[str]]:
    client = client_of(root)
    (experiment,) = [found for found in client.search_experiments() if found.name == "open-autoglm"]
    found: dict[str, list[str]] = {}
    for run in client.search_runs([experiment.experiment_id]):
        found.setdefault(run.info.run_name.split()[0], []).append(run.info.status)
    return found
