"""python -m tasks evaluate: the checkpoint sits the test split beside its parent; the verdict says yes or no.

A bad score never raises: `publish` reads the verdict and refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openautoglm.params import Params


def evaluate(params: Params, root: Path = Path(".")) -> Mapping[str, object]:
    """models/checkpoint, data/validated, data/graphs (and the parent) → reports/evaluation.json, metrics.json, plots/."""
    from openautoglm.corpus import Corpus
    from openautoglm.evaluate.exam import sit
    from openautoglm.evaluate.judge import judge
    from openautoglm.evaluate.plots import write_plots
    from openautoglm.evaluate.report import write_report
    from openautoglm.graph import GraphBatch
    from openautoglm.model.checkpoint import Checkpoint
    from openautoglm.train.machine import use_all_cores
    from tasks.parent import parent_dir

    use_all_cores()
    corpus, graphs = Corpus.load(root / "data/validated"), GraphBatch.load(root / "data/graphs")
    checkpoint = Checkpoint.load(root / "models/checkpoint")
    folder = parent_dir(params, root)
    parent = Checkpoint.load(folder) if folder else None
    exam = sit(checkpoint, parent, corpus, graphs, params.train.backbone, params.train.seed)
    lineage = {
        "corpus": corpus.fingerprint,
        "graphs": graphs.fingerprint,
        "checkpoint": checkpoint.fingerprint,
    }
    evaluation = judge(
        exam,
        params.evaluate,
        params.train.parent if parent else None,
        lineage,
        params.continual.max_forgetting,
    )
    evaluation.save(root / "reports/evaluation.json")
    write_plots(evaluation, exam, root / "reports")
    write_report(root)
    refused = [gate["name"] for gate in evaluation.gates if gate["kind"] == "gate" and not gate["passed"]]
    warned = [gate["name"] for gate in evaluation.gates if gate["kind"] == "warning" and not gate["passed"]]
    return {
        **evaluation.metrics,
        "passed": evaluation.passed,
        "refused_by": ", ".join(refused),
        "warnings": ", ".join(warned),
        "fingerprint": evaluation.fingerprint,
        "exam": evaluation.exam,
    }
