"""When nothing changed: the flow, with a server running, against `dvc repro` on the same seven stages.

python -m tests.bench door
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "flow"))

from project import ToyProject, prefect_server

ROUNDS = 5


def run() -> dict[str, float]:
    """Seconds of a whole process, medians; what one imports is in it."""
    with TemporaryDirectory() as folder, prefect_server(Path(folder) / "prefect") as api_url:
        project = ToyProject.create(Path(folder) / "toy", api_url)
        project.flow()
        flow, repro = _median(project.flow), _median(project.repro)
        imports = _median(lambda: project.run(sys.executable, "-c", "import flows.pipeline"))
    return {
        "flow_seconds": flow,
        "of_which_imports_seconds": imports,
        "dvc_repro_seconds": repro,
        "ratio_flow_to_dvc_repro": flow / repro,
    }


def _median(action: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
