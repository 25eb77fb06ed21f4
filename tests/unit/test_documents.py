"""What the documents say of the tree holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
NO_OUTS = ("reports/report.html", "reports/data_docs", "reports/latency.json")


@pytest.mark.parametrize("name", ["README.md", "docs/architecture.md", "docs/adr/0002-inputs-are-pinned.md"])
def test_what_dvc_does_not_restore_is_named(name: str) -> None:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values()
    outs = {path for stage in stages for path in stage["outs"]}
    assert not outs & set(NO_OUTS)
    text = (ROOT / name).read_text()
    assert all(page in text for page in NO_OUTS)


def test_every_room_has_its_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(
        contract["layers"] for contract in contracts if contract.get("containers") == ["openautoglm"]
    )
    library = ROOT / "openautoglm"
    rooms = {path.name for path in library.iterdir() if list(path.glob("*.py")) and path.is_dir()}
    modules = {path.stem for path in library.glob("*.py")} - {"__init__"}
    assert set(layers) >= rooms | modules
    assert layers[:5] == ["cli", "commands", "loop", "serve", "release"]
