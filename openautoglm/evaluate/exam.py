"""The exam: a checkpoint, its parent, its ablation and the baselines answer the same test documents.

exam = sit(Reader.of(checkpoint, cache), None, corpus, graphs, "all-MiniLM-L6-v2", cache)
evaluation = judge(exam, params.evaluate, parent="v000001-3fa9c1d2e4b5", lineage={})
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from openautoglm.corpus import Corpus
from openautoglm.evaluate import metrics as m
from openautoglm.evaluate.baseline import frozen_lr, tfidf_svc
from openautoglm.evaluate.continual import class_groups
from openautoglm.evaluate.predict import Floats, Reader, Reading
from openautoglm.graph import GraphBatch
from openautoglm.model.scope import score, softmax

LIGHT = "A new head on its parent's body: the baselines sat the exam when the body was trained (continual.thorough)."


@dataclass(frozen=True)
class Answers:
    """One model's answers: class numbers [D] in the exam's list of classes, and which of them are right [D]."""

    predicted: m.Ints
    right: m.Bools


@dataclass(frozen=True)
class Exam:
    """The test documents with their classes as numbers, and the answers of everybody who sat it.

    names: the checkpoint's labels first, in the order of its logits, then labels that only the exam has.
    probabilities [D, C] are the checkpoint's; a document whose logits are not finite counts as undecided.
    among_known: the model's answers where it may name only classes that the parent knows too.
    parent_metrics: accuracy, macro_f1 and ece of the parent on the whole exam, empty without a parent.
    groups: {label: the batch that it first came with}. scores [D]: see :func:`openautoglm.model.scope.score`.
    parent_reading: the parent's, of the whole exam.
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
    among_known: Answers | None
    parent_labels: frozenset[str]
    parent_metrics: dict[str, float]
    baselines: dict[str, Answers]
    notes: list[str]
    groups: dict[str, str] = field(default_factory=dict)
    scores: m.Reals = field(default_factory=lambda: np.zeros(0))
    parent_reading: Reading | None = None

    def __len__(self) -> int:
        return len(self.test)

    @property
    def known(self) -> m.Bools:
        """[D] documents whose class the parent knows."""
        known = np.array([name in self.parent_labels for name in self.names])
        mask: m.Bools = known[self.actual]
        return mask


def sit(
    reader: Reader,
    parent: Reader | None,
    corpus: Corpus,
    graphs: GraphBatch,
    backbone: str,
    cache: Path,
    seed: int = 0,
    baselines: bool = True,
) -> Exam:
    """Everybody answers the test split of ``corpus``; ``graphs`` are those of the whole corpus, in its order.

    ``backbone`` and ``seed`` name the untouched encoder of the frozen baseline, ``cache`` is where its features are
    kept. Nobody sees the test split before.
    """
    rows = np.flatnonzero(np.array(corpus.column("split")) == "test")
    test, graphs = corpus.split("test"), graphs.select(rows)
    labels = reader.labels
    names = labels + sorted(set(test.column("label")) - set(labels))
    number = {name: index for index, name in enumerate(names)}
    actual = np.array([number[label] for label in test.column("label")], dtype=np.int64)

    def answers(predicted: Sequence[str]) -> Answers:
        # a label that neither the checkpoint nor the exam has is -1: wrong, whatever the document
        found = np.array([number.get(name, -1) for name in predicted], dtype=np.int64)
        return Answers(found, found == actual)

    ours, not_finite = reader.read(test, graphs).finite()
    parent_answers, among_known, parent_metrics, theirs = None, None, dict[str, float](), None
    if parent:
        among_known = answers(answered(_only(ours.logits, labels, set(parent.labels)), labels))
        theirs, _ = parent.read(test, graphs).finite()
        parent_answers = answers(answered(theirs.logits, parent.labels))
        parent_metrics = scores(actual, parent_answers, softmax(theirs.logits.astype(np.float64)))
    rivals = []
    if len(test) and baselines:
        train = corpus.split("train")
        rivals = [tfidf_svc(train, test), frozen_lr(train, test, backbone, cache, seed)]
    return Exam(
        test=test,
        graphs=graphs,
        names=names,
        actual=actual,
        probabilities=softmax(ours.logits.astype(np.float64)),
        not_finite=not_finite,
        model=answers(answered(ours.logits, labels)),
        text_only=None if reader.checkpoint.config.text_only else answers(answered(ours.text_logits, labels)),
        parent=parent_answers,
        among_known=among_known,
        parent_labels=frozenset(parent.labels if parent else ()),
        parent_metrics=parent_metrics,
        baselines={rival.name: answers(rival.predicted) for rival in rivals},
        notes=[rival.note for rival in rivals if rival.note] if baselines else [LIGHT],
        groups=class_groups(corpus),
        scores=score(ours.logits),
        parent_reading=theirs,
    )


def _only(logits: Floats, labels: list[str], allowed: set[str]) -> Floats:
    """``logits`` [D, C] with the columns of other classes out of reach; as they are where none is allowed."""
    mine = np.array([label in allowed for label in labels])
    return np.where(mine, logits, -np.inf).astype(np.float32) if mine.any() else logits


def scores(actual: m.Ints, answers: Answers, probabilities: m.Reals) -> dict[str, float]:
    """accuracy, macro_f1 and ece, each 0-1."""
    confidence = probabilities.max(axis=1, initial=0.0)
    return {
        "accuracy": m.share(answers.right),
        "macro_f1": m.macro_f1(actual, answers.predicted),
        "ece": m.ece(m.reliability(confidence, answers.right)),
    }


def answered(logits: Floats, labels: list[str]) -> list[str]:
    return [labels[index] for index in logits.argmax(axis=1).tolist()]
