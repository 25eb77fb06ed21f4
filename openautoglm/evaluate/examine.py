"""The exam itself: one checkpoint, its parent, its ablation and the baselines over the same test documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from openautoglm.corpus import Corpus
from openautoglm.evaluate import metrics as m
from openautoglm.evaluate.baseline import Baseline, frozen_lr, tfidf_svc
from openautoglm.evaluate.evaluation import Evaluation, exam_fingerprint
from openautoglm.evaluate.gate import Measured, verdict
from openautoglm.evaluate.mistakes import shown_errors
from openautoglm.evaluate.predict import Floats, predict_logits, predict_with_ablation
from openautoglm.evaluate.slices import NODES, WORDS, buckets, groups, slice_rows
from openautoglm.graph import GraphBatch
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.params import EvaluateParams


@dataclass(frozen=True)
class Answers:
    """One model's answers to the exam: class numbers [D] in the joint list of classes, and what of them is right."""

    predicted: m.Ints
    right: m.Bools


@dataclass(frozen=True)
class Exam:
    """The test documents with their classes as numbers, and the answers of everybody who sat it.

    ``names``: the checkpoint's labels first, in the order of its logits, then labels that only the exam has.
    ``probabilities`` [D, C] are the checkpoint's; a row of logits that is not finite counts as undecided.
    """

    test: Corpus
    graphs: GraphBatch
    names: list[str]
    actual: m.Ints
    probabilities: m.Reals
    not_finite: int
    model: Answers
    text_only: Answers | None
    parent: Answers | None
    parent_labels: frozenset[str]
    baselines: dict[str, Answers]
    notes: list[str]

    @property
    def known(self) -> m.Bools:
        """[D] documents whose class the parent knows."""
        known = np.array([name in self.parent_labels for name in self.names])
        mask: m.Bools = known[self.actual]
        return mask


def sit(
    checkpoint: Checkpoint,
    parent: Checkpoint | None,
    corpus: Corpus,
    graphs: GraphBatch,
    backbone: str,
    seed: int = 0,
) -> Exam:
    """Everybody answers the test split of ``corpus``; ``graphs`` are those of the whole corpus, in its order.

    ``backbone`` and ``seed`` name the untouched encoder of the frozen baseline.
    """
    rows = np.flatnonzero(np.array(corpus.column("split")) == "test")
    test, train = corpus.split("test"), corpus.split("train")
    graphs = graphs.select(rows)
    labels = checkpoint.config.labels
    names = labels + sorted(set(test.column("label")) - set(labels))
    number = {name: index for index, name in enumerate(names)}
    actual = np.array([number[label] for label in test.column("label")], dtype=np.int64)

    def answers(predicted: Sequence[object]) -> Answers:
        # a label that neither we nor the exam know is -1: wrong, whatever the document
        found = np.array([number.get(str(name), -1) for name in predicted], dtype=np.int64)
        return Answers(found, found == actual)

    logits, text_logits = predict_with_ablation(checkpoint, test, graphs)
    logits, not_finite = _finite(logits)
    found_parent = None
    if parent:
        found_parent = answers(
            _answered(_finite(predict_logits(parent, test, graphs))[0], parent.config.labels)
        )
    rivals = _baselines(train, test, backbone, seed) if len(test) else []
    return Exam(
        test=test,
        graphs=graphs,
        names=names,
        actual=actual,
        probabilities=m.softmax(logits),
        not_finite=not_finite,
        model=answers(_answered(logits, labels)),
        text_only=None
        if checkpoint.config.text_only
        else answers(_answered(_finite(text_logits)[0], labels)),
        parent=found_parent,
        parent_labels=frozenset(parent.config.labels if parent else ()),
        baselines={rival.name: answers(rival.predicted) for rival in rivals},
        notes=[rival.note for rival in rivals if rival.note],
    )


def judge(
    exam: Exam, params: EvaluateParams, parent: str | None, lineage: dict[str, str | None]
) -> Evaluation:
    """Scores, comparisons, slices and the verdict. ``parent``: its release id, None for a first release."""
    confidence = exam.probabilities.max(axis=1, initial=0.0)
    calibration = m.reliability(confidence, exam.model.right)
    compared = _compare(exam, params)
    measured = Measured(
        documents=len(exam.test),
        not_finite=exam.not_finite,
        accuracy=m.share(exam.model.right),
        ece=m.ece(calibration),
        parent=parent,
        **{name: compared.get(name) for name in COMPARED},
    )
    notes = [*exam.notes]
    if exam.text_only:
        notes.append(
            "Without the graph: the same weights with the graph path switched off, not a model trained so."
        )
    identity = {**lineage, "exam": exam_fingerprint(exam.test), "parent": parent}
    return Evaluation(
        exam=str(identity["exam"]),
        metrics=_metrics(exam, measured, compared),
        gates=verdict(measured, params),
        intervals=_intervals(exam, params),
        comparisons=[{"name": n, **asdict(c), "difference": c.difference} for n, c in compared.items() if c],
        slices=slice_rows(_cuts(exam), exam.model.right, _others(exam)),
        classes=_classes(exam),
        calibration=calibration,
        confusions=m.confusions(exam.actual, exam.model.predicted, exam.names),
        errors=shown_errors(exam.test, exam.graphs, exam.names, exam.probabilities, exam.actual),
        lineage=identity,
        notes=notes,
    )


COMPARED = ("parent_known", "parent_whole", "text_only", "tfidf_svc", "frozen_lr")


def _compare(exam: Exam, params: EvaluateParams) -> dict[str, m.Comparison | None]:
    """Ours against everybody, in the order of :data:`COMPARED`; those who did not sit the exam are left out."""
    rivals: dict[str, tuple[Answers | None, m.Bools]] = {
        "parent_known": (exam.parent, exam.known),
        "parent_whole": (exam.parent, np.ones(len(exam.test), dtype=bool)),
        "text_only": (exam.text_only, np.ones(len(exam.test), dtype=bool)),
        **{name: (found, np.ones(len(exam.test), dtype=bool)) for name, found in exam.baselines.items()},
    }
    return {
        name: m.paired_bootstrap(
            exam.model.right[rows], found.right[rows], params.bootstrap, params.confidence
        )
        for name, (found, rows) in rivals.items()
        if found is not None
    }


def _metrics(exam: Exam, measured: Measured, compared: dict[str, m.Comparison | None]) -> dict[str, float]:
    """Flat and numeric, for `dvc metrics diff`: what was not measured is not there."""
    values: dict[str, float] = {
        "documents": measured.documents,
        "classes": len(exam.names),
        "accuracy": measured.accuracy,
        "macro_f1": m.macro_f1(exam.actual, exam.model.predicted),
        "ece": measured.ece,
    }
    for name, found in compared.items():
        if found is not None:
            values[f"{name.replace('parent_whole', 'parent')}_accuracy"] = found.theirs
    if known := compared.get("parent_known"):
        values["known_classes_accuracy"] = known.ours
    if exam.parent and (~exam.known).any():
        values["new_classes_accuracy"] = m.share(exam.model.right[~exam.known])
    return values


def _intervals(exam: Exam, params: EvaluateParams) -> dict[str, list[float]]:
    right = exam.model.right
    return {
        "accuracy": list(m.wilson(int(right.sum()), len(right), params.confidence)),
        "macro_f1": list(
            m.macro_f1_interval(exam.actual, exam.model.predicted, params.bootstrap, params.confidence)
        ),
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


def _others(exam: Exam) -> dict[str, m.Bools]:
    others = {"parent": exam.parent, "text_only": exam.text_only, **exam.baselines}
    return {name: found.right for name, found in others.items() if found is not None}


def _classes(exam: Exam) -> list[m.Row]:
    """Per-class rows, with the parent's recall beside ours where it knows the class."""
    rows = m.class_rows(exam.actual, exam.model.predicted, exam.names)
    for row in rows:
        row["parent_recall"] = None
        if exam.parent and row["label"] in exam.parent_labels and row["support"]:
            row["parent_recall"] = m.share(exam.parent.right[exam.actual == exam.names.index(row["label"])])
    return rows


def _baselines(train: Corpus, test: Corpus, backbone: str, seed: int) -> list[Baseline]:
    return [tfidf_svc(train, test), frozen_lr(train, test, backbone, seed)]


def _answered(logits: Floats, labels: list[str]) -> list[str]:
    return [labels[index] for index in logits.argmax(axis=1).tolist()]


def _finite(logits: Floats) -> tuple[Floats, int]:
    """Rows with a NaN or an infinity become zeros (all classes alike), and how many there were."""
    bad = np.logical_not(np.isfinite(logits).all(axis=1))
    return np.where(bad[:, None], np.float32(0), logits), int(bad.sum())
