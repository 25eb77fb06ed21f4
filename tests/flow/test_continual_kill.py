"""kill -9 at the moments that hurt: afterwards the old version or the new one, and the next run completes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from chain import continual, give, head, ids, is_sound, killed_at, states, store
from project import ToyProject

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
STORE = "openautoglm.release.store:ReleaseStore"
# (where, whether the new version is in service already)
POINTS = {
    "ingest": ("tasks.ingest:ingest", False),
    "blobs are there, no manifest": ("openautoglm.release.places:LocalStorage.create", False),
    "a manifest, the pointer still old": ("openautoglm.release.channel:Channel.point", False),
    "the pointer moved, nothing logged": (f"{STORE}._append", True),
    "logged, not registered": ("tasks.registry:register", True),
    "registered in part": ("mlflow:MlflowClient.set_registered_model_alias", True),
    "registered, not in the ledger": ("openautoglm.loop.ledger:Ledger.finish", True),
}


@pytest.fixture(scope="module")
def one_release(tmp_path_factory: pytest.TempPathFactory, api_url: str) -> ToyProject:
    """One batch is published, a second one waits."""
    toy = ToyProject.create(tmp_path_factory.mktemp("one") / "toy", api_url)
    continual(toy, AUTOGLM_TRACKING="on")
    give(toy, "second")
    return toy


@pytest.fixture(scope="module")
def undisturbed(one_release: ToyProject, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    toy = _copy(one_release, tmp_path_factory.mktemp("undisturbed"))
    continual(toy)
    return ids(toy)


@pytest.mark.parametrize("point", POINTS)
def test_killed_while(point: str, one_release: ToyProject, undisturbed: list[str], tmp_path: Path) -> None:
    toy, (where, is_new) = _copy(one_release, tmp_path), POINTS[point]
    tracking = "on" if "mlflow" in where or "register" in where else "off"
    killed_at(toy, where, AUTOGLM_TRACKING=tracking)

    assert head(toy) == undisturbed[int(is_new)]
    assert store(toy).verify() == []
    assert "running" in states(toy)
    continual(toy, AUTOGLM_TRACKING=tracking)
    assert ids(toy) == undisturbed
    is_sound(toy)
    if tracking == "on":
        assert _champion(toy) == undisturbed[1]


def test_the_pointer_returns_when_mlflow_is_down(
    one_release: ToyProject, undisturbed: list[str], tmp_path: Path
) -> None:
    toy = _copy(one_release, tmp_path)
    continual(toy, code=1, AUTOGLM_TRACKING="on", MLFLOW_TRACKING_URI="nosuch://store")

    assert head(toy) == undisturbed[0]
    assert [(entry["kind"], entry["to"]) for entry in store(toy).log()][-1] == ("undo", undisturbed[0])
    continual(toy, AUTOGLM_TRACKING="on")
    assert (ids(toy), head(toy)) == (undisturbed, undisturbed[1])
    assert store(toy).verify() == []
    assert _champion(toy) == undisturbed[1]


def _champion(toy: ToyProject) -> str:
    from mlflow import MlflowClient

    uri = f"sqlite:///{toy.root / 'mlflow.db'}"
    return str(MlflowClient(uri, uri).get_model_version_by_alias("open-autoglm", "champion").tags["release"])


def _copy(toy: ToyProject, folder: Path) -> ToyProject:
    shutil.copytree(toy.root, folder / "toy", symlinks=True)
    return ToyProject(folder / "toy", toy.api_url)
