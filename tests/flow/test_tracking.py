"""What MLflow holds after runs through either door."""

from __future__ import annotations

import platform
import sys

import pytest
from project import ToyProject

pytestmark = pytest.mark.slow


def test_a_run_per_pipeline_a_child_per_stage_and_a_version_per_release(toy: ToyProject) -> None:
    from mlflow import MlflowClient

    toy.flow(AUTOGLM_TRACKING="on")
    toy.edit("params.yaml", "epochs: 4", "epochs: 3")
    toy.run("dvc", "repro", AUTOGLM_TRACKING="on")

    uri = f"sqlite:///{toy.root / 'mlflow.db'}"
    client = MlflowClient(uri, uri)
    (experiment,) = [found for found in client.search_experiments() if found.name == "open-autoglm"]
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {parent.info.run_id: [] for parent in parents}
    for run in runs:
        if parent := run.data.tags.get("mlflow.parentRunId"):
            children[parent].append(run.info.run_name)

    assert experiment.artifact_location == (toy.root / "mlartifacts").as_uri()
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert [parent.data.tags["mlflow.source.name"] for parent in parents] == ["flow", "dvc"]
    assert sorted(len(stages) for stages in children.values()) == [4, 7], "a cached stage is no run"
    (train, *_) = [run for run in runs if run.info.run_name == "train"]
    assert train.data.params["epochs"] == "4"
    assert train.data.metrics["train/loss"] == 0.5
    assert {"fingerprint.data", "fingerprint.params", "fingerprint.code"} <= set(train.data.tags)
    assert client.get_registered_model("open-autoglm").aliases == {"champion": 2, "previous": 1}

    toy.edit("params.yaml", "min_accuracy: 0.5 ", "min_accuracy: 0.95 ")
    toy.flow(AUTOGLM_TRACKING="on", code=1)
    assert client.get_registered_model("open-autoglm").aliases == {
        "champion": 2,
        "previous": 1,
        "challenger": 3,
    }


def test_a_cached_run_imports_no_mlflow_and_a_broken_store_stops_only_the_registration(
    toy: ToyProject,
) -> None:
    said = toy.flow(AUTOGLM_TRACKING="on", MLFLOW_TRACKING_URI="nosuch://store", code=1)
    assert "tracking: not recorded, the run goes on" in said
    assert "taken back, nothing is in service again" in said
    assert not (toy.root / "releases/channels/stable.json").exists()

    toy.flow(AUTOGLM_TRACKING="on")
    check = "import sys; from flows.pipeline import pipeline; pipeline(); assert 'mlflow' not in sys.modules"
    toy.run(sys.executable, "-c", check, AUTOGLM_TRACKING="on")


def test_a_killed_run_is_closed_as_killed(toy: ToyProject) -> None:
    from mlflow import MlflowClient

    from tasks.tracking import close_dead_runs

    uri = f"sqlite:///{toy.root / 'mlflow.db'}"
    client = MlflowClient(uri, uri)
    experiment = client.create_experiment("x")

    tags = {"host": platform.node(), "pid": "999999", "started": "1.00"}
    dead = client.create_run(experiment, tags=tags).info.run_id
    elsewhere = client.create_run(experiment, tags=tags | {"host": "another"}).info.run_id
    close_dead_runs(client, experiment)

    assert client.get_run(dead).info.status == "KILLED"
    assert client.get_run(elsewhere).info.status == "RUNNING"
