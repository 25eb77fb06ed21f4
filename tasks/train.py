"""train: data/validated + data/graphs (+ the parent release) → models/checkpoint. Run with ``python -m tasks train``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openautoglm.params import Params

FACTS = ("documents", "labels", "steps", "best_epoch", "valid_accuracy", "valid_loss", "samples_per_second")


def train(params: Params, root: Path = Path(".")) -> Mapping[str, object]:
    """Train on the train split, stop by the valid split; write models/checkpoint and reports/training.jsonl.

    From a parent ``continual.mode`` decides: on all documents, on the new ones with a few old ones, or the head alone.
    From the pretrained backbone it is all documents; a challenger of a champion with an analytic head gets one too.
    Training state lives in ``.autoglm/train/<key>/``: a killed run goes on from its last checkpoint, a finished one
    only writes its outputs again.

    Raises:
        TrainingFailed: the loss is not finite, or the workers are out of restarts.
        UserError: data, graphs, parent and params do not fit together.
    """
    from openautoglm.model.checkpoint import Checkpoint
    from openautoglm.model.scope import SCOPE
    from openautoglm.train.job import Job
    from openautoglm.train.prepare import load_documents
    from openautoglm.train.run import train as run
    from openautoglm.train.scope import fit_scope
    from tasks.parent import parent_dir

    job = Job(
        params=params.train,
        corpus=root / "data/validated",
        graphs=root / "data/graphs",
        runs=root / ".autoglm/train",
        parent=parent_dir(params, root) if params.train.start == "parent" else None,
        code=root / ".autoglm/code/train.json",
    )
    checkpoint, report = root / "models/checkpoint", root / "reports/training.jsonl"
    if job.parent and params.continual.mode == "analytic":
        from openautoglm.train.analytic import learn

        result = learn(job, params.continual, checkpoint, report)
    elif job.parent and params.continual.mode == "replay":
        from openautoglm.train.replay import learn as learn_with_replay
        from tasks.parent import parent_batches

        seen = parent_batches(params, root)
        result = learn_with_replay(job, params.continual, seen, checkpoint, report)
    else:
        result = run(job, checkpoint, report)
        if params.train.parent and not job.parent and params.continual.mode == "analytic":
            from openautoglm.train.analytic import refit

            result = refit(job, params.continual, checkpoint, result)
    scope = fit_scope(
        Checkpoint.load(checkpoint),
        root / ".autoglm/features",
        *load_documents(job),
        params.train.in_scope_share,
        params.train.precision,
        params.evaluate.oos_label,
    )
    scope.save(checkpoint / SCOPE)
    return {name: result[name] for name in FACTS if result.get(name) is not None}
