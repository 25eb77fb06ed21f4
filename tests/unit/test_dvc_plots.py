"""What `dvc plots show` draws of the files that `evaluate` writes: one line a curve."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from openautoglm.evaluate.plots import COLUMNS, training_rows
from openautoglm.evaluate.plots import _csv as csv_of
from tasks import QUIET

ROOT = Path(__file__).resolve().parents[2]
LINES = [{"epoch": n, "step": 9 * n, "train_loss": 2.0 / n, "valid_loss": 2.5 / n} for n in (1, 2, 3)]


def test_training_is_two_lines(tmp_path: Path) -> None:
    log, plots = tmp_path / "reports/training.jsonl", tmp_path / "reports/plots"
    plots.mkdir(parents=True)
    log.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    (plots / "training.csv").write_bytes(csv_of(COLUMNS["training.csv"], training_rows(log)))
    (training,) = (plot for plot in YAML(typ="safe").load(ROOT / "dvc.yaml")["plots"] if "Training" in plot)
    YAML().dump({"plots": [training]}, tmp_path / "dvc.yaml")
    points = shown(tmp_path)["Training"]["points"]
    curves: dict[str, list[float]] = {}
    for point in points:
        curves.setdefault(point["field"], []).append(float(point["dvc_inferred_y_value"]))
    assert curves == {name: [round(line[name], 6) for line in LINES] for name in ("train_loss", "valid_loss")}


def shown(folder: Path) -> dict[str, dict[str, list[dict[str, str]]]]:
    """{plot: {"template", "points"}} of `dvc plots show --json` in ``folder``."""
    env = os.environ | QUIET
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "-q", "--no-scm"], cwd=folder, env=env, check=True)
    done = subprocess.run(
        [*dvc, "plots", "show", "--json", "--split", "Training"],
        cwd=folder, env=env, check=True, capture_output=True, text=True,
    )  # fmt: skip
    raw = json.loads(done.stdout)["data"]
    return {
        name: {"points": plots[0]["anchor_definitions"]["<DVC_METRIC_DATA>"]} for name, plots in raw.items()
    }
