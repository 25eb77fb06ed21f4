"""From answers to an `Evaluation`: scores, comparisons, slices and the gates' verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from openautoglm.evaluate import metrics as m
from openautoglm.evaluate.continual import batch_scores, group_masks, group_scores
from openautoglm.evaluate.evaluation import Evaluation, exam_fingerprint
from openautoglm.evaluate.exam import Answers, Exam, scores
from openautoglm.evaluate.gate import Measured, verdict
from openautoglm.evaluate.mistakes import shown_errors
from openautoglm.evaluate.slices import NODES, WORDS, buckets, groups, slice_rows
from openautoglm.graph import GraphBatch
from openautoglm.params import EvaluateParams

ABLATION = "Without the graph: the same weights with the graph path switched off, not a model trained so."
Compared = dict[str, m.Comparison | None]


def judge(
    exam: Exam,
    params: EvaluateParams,
    parent: str | None,
    lineage: dict[str, str | None],
    max_forgetting: float = 1.0,
    more: Mapping[str, float] | None = None,
    grid: Mapping[str, Any] | None = None,
) -> Evaluation:
    """``parent``: its release id, None for a first release. ``lineage``: fingerprints of what was examined.

    ``max_forgetting``: accuracy (0-1) that the classes of one batch may lose against the parent. ``more``: flat metrics
    that were measured beside the exam. ``grid``: training.json's note on rounded weights.
    """
    own = scores(exam.actual, exam.model, exam.probabilities)
    compared = _compare(exam, params)
    measured = Measured(
        documents=len(exam),
        not_finite=exam.not_finite,
        accuracy=own["accuracy"],
        ece=own["ece"],
        parent=parent,
        **compared,
        groups=_group_losses(exam, params),
        max_forgetting=max_forgetting,
        grid=grid,
    )
    groups = group_scores(exam.actual, exam.model.right, exam.names, exam.groups)
    before = exam.parent.right if exam.parent else None
    batches = batch_scores(exam.test.column("batch"), exam.model.right, before)
    identity = {**lineage, "exam": exam_fingerprint(exam.test), "parent": parent}
    return Evaluation(
        exam=str(identity["exam"]),
        metrics={
            "documents": len(exam),
            "classes": len(exam.names),
            **own,
            **_others_scores(exam, compared),
            **groups,
            **batches,
            **(more or {}),
        },
        parent_metrics=exam.parent_metrics,
        gates=verdict(measured, params),
        intervals=_intervals(exam, params),
        comparisons=[
            {"name": name, **asdict(found), "difference": found.difference}
            for name, found in compared.items()
            if found
        ],
        slices=slice_rows(_cuts(exam), exam.model.right, _rivals(exam)),
        classes=_classes(exam),
        calibration=m.reliability(exam.probabilities.max(axis=1, initial=0.0), exam.model.right),
        confusions=m.confusions(exam.actual, exam.model.predicted, exam.names),
        errors=shown_errors(exam.test, exam.graphs, exam.names, exam.probabilities, exam.actual),
        lineage=identity,
        notes=[*exam.notes, *([ABLATION] if exam.text_only else [])],
    )


def graph_metrics(graphs: GraphBatch) -> dict[str, float]:
    """Flat counts of the graphs of the whole corpus, so that two releases can be compared."""
    relations = graphs.edge_type_counts()
    return {
        "graph/documents": len(graphs),
        "graph/without_nodes": int((np.diff(graphs.node_ptr) == 0).sum()),
        "graph/nodes": len(graphs.node_type),
        "graph/edges": sum(relations.values()),
        **{f"graph/{name}": count for name, count in relations.items()},
    }


def _compare(exam: Exam, params: EvaluateParams) -> Compared:
    """Ours against everybody; None for those who did not sit the exam.

    Twice against the parent: on the documents whose class it knows, both choosing among the classes that it knows, and
    on the whole exam, where a class that it does not know counts as wrong for it (it can only answer what it knows).
    """
    everything = np.ones(len(exam), dtype=bool)
    pairs: dict[str, tuple[Answers | None, m.Bools]] = {
        "parent_whole": (exam.parent, everything),
        "text_only": (exam.text_only, everything),
        "tfidf_svc": (exam.baselines.get("tfidf_svc"), everything),
        "frozen_lr": (exam.baselines.get("frozen_lr"), everything),
    }
    ours = exam.model.right
    return {"parent_known": _like_for_like(exam, params)} | {
        name: m.paired_bootstrap(ours[rows], theirs.right[rows], params.bootstrap, params.confidence)
        if theirs
        else None
        for name, (theirs, rows) in pairs.items()
    }


def _like_for_like(exam: Exam, params: EvaluateParams) -> m.Comparison | None:
    if exam.parent is None or exam.among_known is None:
        return None
    ours, theirs = exam.among_known.right[exam.known], exam.parent.right[exam.known]
    return m.paired_bootstrap(ours, theirs, params.bootstrap, params.confidence)


def _group_losses(exam: Exam, params: EvaluateParams) -> dict[str, m.Comparison]:
    """Ours against the parent on the classes of each batch, as far as the parent knows them."""
    if exam.parent is None:
        return {}
    ours, theirs, found = exam.model.right, exam.parent.right, dict[str, m.Comparison]()
    for group, mask in group_masks(exam.actual, exam.names, exam.groups).items():
        rows = mask & exam.known
        if comparison := m.paired_bootstrap(ours[rows], theirs[rows], params.bootstrap, params.confidence):
            found[group] = comparison
    return found


def _others_scores(exam: Exam, compared: Compared) -> dict[str, float]:
    """Flat and numeric, for `dvc metrics diff`: what was not measured is not there."""
    values = {
        f"{name.replace('parent_whole', 'parent')}_accuracy": found.theirs
        for name, found in compared.items()
        if found
    }
    if exam.parent and exam.known.any():
        values["known_classes_accuracy"] = m.share(exam.model.right[exam.known])
    if exam.parent and not exam.known.all():
        values["new_classes_accuracy"] = m.share(exam.model.right[~exam.known])
    return values


def _intervals(exam: Exam, params: EvaluateParams) -> dict[str, list[float]]:
    right, predicted = exam.model.right, exam.model.predicted
    macro = m.macro_f1_interval(exam.actual, predicted, params.bootstrap, params.confidence)
    return {
        "accuracy": list(m.wilson(int(right.sum()), len(right), params.confidence)),
        "macro_f1": list(macro),
    }


def _cuts(exam: Exam) -> dict[str, list[tuple[str, m.Bools]]]:
    words = np.array([len((text or "").split()) for text in exam.test.column("text")], dtype=np.int64)
    cuts = {
        "text length": list(buckets(words, WORDS, "words")),
        "graph size": list(buckets(np.diff(exam.graphs.node_ptr), NODES, "phrases")),
        "batch": list(groups(exam.test.column("batch"))),
    }
    if exam.parent:
        classes = [("known to the parent", exam.known), ("new", ~exam.known)]
        cuts["class"] = [(name, mask) for name, mask in classes if mask.any()]
    return cuts


def _rivals(exam: Exam) -> dict[str, m.Bools]:
    rivals = {"parent": exam.parent, "text_only": exam.text_only, **exam.baselines}
    return {name: found.right for name, found in rivals.items() if found is not None}


def _classes(exam: Exam) -> list[m.Row]:
    """Per-class rows, with the parent's recall beside ours where it knows the class."""
    rows = m.class_rows(exam.actual, exam.model.predicted, exam.names)
    for row in rows:
        row["parent_recall"] = None
        if exam.parent and row["label"] in exam.parent_labels and row["support"]:
            row["parent_recall"] = m.share(exam.parent.right[exam.actual == exam.names.index(row["label"])])
    return rows
