"""`autoglm checkout`: data, params and model of a release come back, and DVC finds nothing to do."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from project import FIRST, ToyProject, fates

CLI = (sys.executable, "-m", "openautoglm.cli")
KEPT = ("data/corpus/part.txt", "models/checkpoint/model.safetensors", "models/onnx/model.safetensors")
KEPT += (
    "reports/metrics.json",
    "reports/evaluation.json",
    "models/release.json",
    "models/release/manifest.json",
)


def state(toy: ToyProject) -> dict[str, bytes]:
    return {name: (toy.root / name).read_bytes() for name in KEPT}


@pytest.fixture(scope="module")
def made(
    first_run: ToyProject, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ToyProject, dict[str, bytes], dict[str, bytes]]:
    """A checkout with two releases, of one batch and of two, and what lay there after each."""
    toy = first_run.copied(tmp_path_factory.mktemp("two") / "toy")
    first = state(toy)
    (toy.root / "inbox/0002-b-5ba7a52d.jsonl").write_text("three\n")
    toy.edit("params.yaml", "npmi_window: 10", "npmi_window: 11")
    toy.flow()
    return toy, first, state(toy)


@pytest.fixture
def two(
    made: tuple[ToyProject, dict[str, bytes], dict[str, bytes]], tmp_path: Path
) -> tuple[ToyProject, dict[str, bytes], dict[str, bytes]]:
    """A copy of it, to do with as one likes."""
    return made[0].copied(tmp_path / "toy"), *made[1:]


def test_a_release_comes_back_and_dvc_has_nothing_to_do(
    two: tuple[ToyProject, dict[str, bytes], dict[str, bytes]],
) -> None:
    toy, first, second = two
    calls = toy.calls()
    said = toy.run(*CLI, "checkout", "v1")

    assert state(toy) == first
    assert "is not the release's" not in said
    params = (toy.root / "params.yaml").read_text()
    assert f"through: {FIRST.split('/')[1]}" in params
    assert "npmi_window: 10 " in params
    assert "up to date" in toy.status()
    toy.repro()
    assert fates(toy.run(*CLI, "run", "--keep-parent")) == {}
    assert toy.calls() == calls
    assert state(toy) == first

    toy.run(*CLI, "checkout", "v2")
    assert state(toy) == second
    assert "up to date" in toy.status()
    assert fates(toy.run(*CLI, "run")) == {}
    assert toy.calls() == calls


def test_changes_that_would_be_lost_and_what_the_cache_has_not(
    two: tuple[ToyProject, dict[str, bytes], dict[str, bytes]],
) -> None:
    toy, first, _ = two
    toy.edit("params.yaml", "epochs: 4", "epochs: 5")
    before = (toy.root / "params.yaml").read_bytes(), (toy.root / "dvc.lock").read_bytes()

    assert "params.yaml: train.epochs changed" in toy.run(*CLI, "checkout", "v1", code=2)
    assert "no release 'v7'" in toy.run(*CLI, "checkout", "v7", code=2)
    assert ((toy.root / "params.yaml").read_bytes(), (toy.root / "dvc.lock").read_bytes()) == before
    toy.run(*CLI, "checkout", "v1", "--force")
    assert state(toy) == first

    shutil.rmtree(toy.root / ".dvc/cache/files")
    said = toy.run(*CLI, "checkout", "v2", code=1)
    assert "not in DVC's cache: data/corpus" in said
    assert "dvc pull" in said
    release = json.loads((toy.root / "releases/manifests/v000002.json").read_text())
    assert json.loads((toy.root / "reports/metrics.json").read_text()) == {
        "accuracy": release["metrics"]["accuracy"]
    }
    assert (toy.root / "models/onnx/model.safetensors").is_file()


def test_other_code_is_told_in_one_line(two: tuple[ToyProject, dict[str, bytes], dict[str, bytes]]) -> None:
    toy, _, _ = two
    toy.edit("openautoglm/export/__init__.py", "in enumerate(labels)}}", "in enumerate(labels, 1)}}")
    said = toy.run(*CLI, "checkout", "v1")

    assert "the code of export is not the release's" in said
    assert list(json.loads(toy.run(sys.executable, "-m", "tasks", "status", "--json"))["export"]) != []
