"""One stage run: train, or find it trained already, and write what the stage gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openautoglm.files import write_atomic
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.train import state
from openautoglm.train.calibrate import calibrate
from openautoglm.train.distributed import launch
from openautoglm.train.grid import snap
from openautoglm.train.job import Job
from openautoglm.train.loop import fit
from openautoglm.train.prepare import prepare

TIMED = ("samples_per_second",)  # differs from run to run; never in a file of the stage


def train(job: Job, checkpoint: Path, report: Path, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write ``checkpoint`` (canonical weights) and ``report`` (a line an epoch); returns the run's facts.

    ``more``: facts that the job itself does not know; they go into training.json. A finished run of the same key is not trained again, its outputs are written from the state.

    Raises:
        TrainingFailed: loss not finite, or the workers are out of restarts.
    """
    job = job if job.key else job.sealed()
    if state.result(job.state) is None:
        fit(job) if job.params.world_size == 1 else launch(job)
    result = state.result(job.state)
    assert result is not None
    found = prepare(job)
    found.model.load_state_dict(state.master(job.state))
    result["temperature"] = round(calibrate(found.model, found.valid), 4)
    result |= more or {}
    if job.params.grid and job.parent:
        result["grid"] = snap(found.model, Checkpoint.load(job.parent), found.valid, job.params.grid)
    facts = {name: value for name, value in result.items() if name not in TIMED}
    Checkpoint.save(checkpoint, found.model, found.tokenizer, facts, job.params.weights)
    lines = [json.dumps(row, sort_keys=True) for row in result["history"]]
    write_atomic(report, ("\n".join(lines) + "\n").encode())
    return result
