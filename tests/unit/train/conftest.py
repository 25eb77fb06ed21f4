import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "unit/train"))  # toy_training


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are compared bit by bit, and two threads may add in another order."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
