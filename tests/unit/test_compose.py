"""infra/compose.yaml, as far as it can be checked without Docker."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(ROOT / "infra/compose.yaml")
    return found


def test_no_volume_hides_code(compose: dict[str, Any]) -> None:
    """A volume keeps what the first build put under its target, also after `up --build`."""
    tracked = {path.name for path in ROOT.iterdir()} - {
        "inbox",
        "releases",
        "mlartifacts",
        ".autoglm",
        ".dvc",
    }
    for name, service in compose["services"].items():
        for volume in service["volumes"]:
            source, target = volume.split(":")
            assert source in compose["volumes"], name
            below = Path(target).parts
            assert below[:2] != ("/", "app") or (len(below) > 2 and below[2] not in tracked), (
                f"{name}: {volume}"
            )


def test_what_cannot_be_rebuilt_is_kept(compose: dict[str, Any]) -> None:
    targets = {volume.split(":")[1] for volume in compose["services"]["worker"]["volumes"]}
    assert {"/app/inbox", "/app/releases", "/app/.dvc/cache", "/app/.autoglm"} <= targets


def test_the_browser_finds_prefect_and_both_use_one_database(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["prefect"]["environment"]["PREFECT_SERVER_UI_API_URL"] == "http://127.0.0.1:4200/api"
    assert services["prefect"]["ports"] == ["127.0.0.1:4200:4200"]
    database = services["worker"]["environment"]["MLFLOW_TRACKING_URI"]
    assert database.startswith("sqlite:////app/.autoglm/")
    assert database in services["mlflow"]["command"]


def test_the_browser_finds_the_pages_of_reports(compose: dict[str, Any]) -> None:
    """They are served by the worker, whose runs write them; a volume over reports/ would hide the tracked metrics."""
    worker = compose["services"]["worker"]
    assert worker["environment"]["AUTOGLM_REPORTS_URL"] == "http://127.0.0.1:4201"
    assert worker["environment"]["PREFECT_API_URL"] == "http://prefect:4200/api"
    assert worker["ports"] == ["127.0.0.1:4201:4201"]
    _, flag, script = shlex.split(worker["command"])
    assert flag == "-c"
    assert "infra/static.py reports 4201 0.0.0.0 &" in script
    subprocess.run(["sh", "-n", "-c", script], check=True)
