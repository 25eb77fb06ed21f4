from __future__ import annotations

from pathlib import Path

import pytest

from openautoglm.release import ReleaseStore
from tests.unit.serve.toys import make_export, nudged


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three updates of one tiny model; copy before you change one."""
    root = tmp_path_factory.mktemp("versions")
    export = make_export(root)
    return [nudged(export, root / f"v{step}", step) for step in range(3)]


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "store")
