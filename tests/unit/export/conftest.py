from __future__ import annotations

from pathlib import Path

import pytest

from openautoglm.export.session import Session
from openautoglm.model.checkpoint import Checkpoint
from tests.unit.export.toys import make_checkpoint, make_folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return make_checkpoint(tmp_path_factory.mktemp("tiny") / "checkpoint")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, checkpoint: Checkpoint) -> Path:
    """Shared between tests: copy it before you change it."""
    return make_folder(tmp_path_factory.mktemp("tiny") / "onnx", checkpoint)


@pytest.fixture(scope="session")
def session(folder: Path) -> Session:
    return Session(folder, threads=1)
