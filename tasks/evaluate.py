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
    """models/checkpoint, data/validated, data/graphs (and the parent) → reports/evaluation.json, metrics.json, plots/
    and drift.json (the newest batch against the earlier ones).
    """
    from openautoglm.corpus import Corpus
    from openautoglm.evaluate.drift import measure
    from openautoglm.evaluate.exam import sit
    from openautoglm.evaluate.judge import graph_metrics, judge
    from openautoglm.evaluate.plots import write_plots
    from openautoglm.evaluate.predict import Reader
    from openautoglm.evaluate.scope import by_scope, scope_metrics
    from openautoglm.files import load_json
    from openautoglm.graph import GraphBatch
    from openautoglm.graph.batch import VOCABULARY
    from openautoglm.model.checkpoint import Checkpoint
    from openautoglm.model.scope import score
    from openautoglm.train.machine import use_one_core
    from tasks.parent import parent_dir

    use_one_core()  # an operation: export runs beside us, and the documents' features are made in parallel
    corpus, graphs = Corpus.load(root / "data/validated"), GraphBatch.load(root / "data/graphs")
    checkpoint = Checkpoint.load(root / "models/checkpoint")
    cache, folder = root / ".autoglm/features", parent_dir(params, root)
    precision = params.train.precision
    reader = Reader.of(checkpoint, cache, precision=precision)
    given = root / "data/graphs" / VOCABULARY
    parent = Reader.of(Checkpoint.load(folder), cache, given, precision) if folder else None
    (kept, kept_graphs), others = by_scope(corpus, graphs, params.evaluate.oos_label)
    light = checkpoint.training.get("head_only", False) and not params.continual.thorough
    exam = sit(
        reader,
        parent,
        kept,
        kept_graphs,
        params.train.backbone,
        cache,
        params.train.seed,
        baselines=not light,
    )
    validation = root / "reports/validation.json"
    drift = measure(
        parent,
        kept,
        kept_graphs,
        exam,
        _learnt(params, root) if parent else frozenset(),
        load_json(validation) if validation.is_file() else {},
        params.evaluate,
        params.train.seed,
        params.train.parent,
    )
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
        scope_metrics(checkpoint.scope, exam, score(reader.read(*others).logits)) | graph_metrics(graphs),
        checkpoint.training.get("grid"),
    )
    drift.save(root / "reports/drift.json")
    evaluation.save(root / "reports/evaluation.json")
    write_plots(evaluation, exam, root / "reports")
    refused = [gate["name"] for gate in evaluation.gates if gate["kind"] == "gate" and not gate["passed"]]
    warned = [gate["name"] for gate in evaluation.gates if gate["kind"] == "warning" and not gate["passed"]]
    return {
        **evaluation.metrics,
        **{f"drift_{found.name}": round(found.value, 6) for found in drift.measures},
        "drifted": ", ".join(drift.drifted),
        "passed": evaluation.passed,
        "refused_by": ", ".join(refused),
        "warnings": ", ".join(warned),
        "fingerprint": evaluation.fingerprint,
        "exam": evaluation.exam,
    }


def _learnt(params: Params, root: Path) -> frozenset[str] | None:
    """Batches that the champion was trained on; None where its release does not say."""
    from openautoglm.errors import ParamsError
    from tasks.parent import parent_batches

    try:
        return frozenset(parent_batches(params, root))
    except ParamsError:
        return None
