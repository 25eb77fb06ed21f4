"""The verdict: one gate, one question, one sentence. A gate that refuses stops the publication; a warning does not.

gate                  refuses when
exam                  there is no test document
finite                a logit is NaN or infinite
accuracy              accuracy < evaluate.min_accuracy
calibration           ECE > evaluate.max_ece
grid                  (only with train.grid) other answers than the master's beyond evaluate.min_agreement
parent_known_classes  lost against the parent on the documents whose class it knows, both choosing among its classes
parent_whole_exam     lost against the parent, on all documents; a class it does not know counts as wrong for it
forgetting            lost against the parent on the classes of one batch by more than continual.max_forgetting
graph                 lost against its own ablation: the graph path does harm
tfidf_svc             (warning) lost against TF-IDF + linear SVC
frozen_lr             (warning) lost against the frozen backbone + logistic regression

*Lost* means: behind by more than ``evaluate.margin``, and by more than chance explains, that is, the interval of the
paired bootstrap lies below zero. The point estimate alone would turn down one equal challenger in eight on an exam of
500 documents (20 answers differ, margin 0.01); the bound alone would let a loss of three points pass four times in ten.

Three looks at the parent, because each alone can be had cheaply (docs/adr/0007-what-new-classes-cost.md): like for
like, a challenger may answer every old document with a new class; on the whole it may pay for six new classes with six
old ones; and one that learns nothing new has forgotten nothing. What old documents lose to new classes is for
*forgetting* to bound: some of it is the price of a harder question.

The baselines warn. A sound fine-tuned model stays behind TF-IDF + SVC where words give the topic away (R8: 97.1 against
97.7; 20 Newsgroups more), and refusing would then hold back every better successor of the version in service as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from openautoglm.evaluate.metrics import Comparison
from openautoglm.params import EvaluateParams

FEWEST_LOSSES = 4  # answers of one group; fewer are chance, and its bootstrap is blind for that
TINY = 1e-9  # 0.01 is not exactly one hundredth


class Gate(TypedDict):
    name: str
    kind: str  # gate | warning
    passed: bool
    value: float | None
    bound: float | None
    reason: str


@dataclass(frozen=True)
class Measured:
    """What the gates look at. ``parent`` is its release id; a comparison is None where there was nothing to compare."""

    documents: int
    not_finite: int
    accuracy: float
    ece: float
    parent: str | None
    parent_known: Comparison | None
    parent_whole: Comparison | None
    text_only: Comparison | None
    tfidf_svc: Comparison | None
    frozen_lr: Comparison | None
    groups: dict[str, Comparison] = field(
        default_factory=dict
    )  # against the parent, on the classes of each batch
    max_forgetting: float = 1.0
    grid: Mapping[str, Any] | None = None  # what the train stage noted, where it rounded weights to a grid


def verdict(measured: Measured, params: EvaluateParams) -> list[Gate]:
    """All gates, those that refuse first. An empty exam leaves one gate, which refuses."""
    if not measured.documents:
        return [_gate("exam", False, 0, 1, "The test split has no document, so nothing was examined.")]
    parent = measured.parent or "the parent"
    no_parent = None if measured.parent else "No parent: this is the first release."
    return [
        _gate("exam", True, measured.documents, 1, f"{measured.documents:,} test documents."),
        _finite(measured),
        _accuracy(measured, params),
        _calibration(measured, params),
        *([_grid(measured.grid, params)] if measured.grid else []),
        _compared("parent_known_classes", measured.parent_known, params, f"{parent}, both choosing among the classes it knows", no_parent),
        _compared("parent_whole_exam", measured.parent_whole, params, f"{parent} on the whole exam", no_parent),
        _forgetting(measured, parent),
        _compared("graph", measured.text_only, params, "itself without the graph", "The model has no graph path."),
        *_baselines(measured, params),
    ]  # fmt: skip


def _baselines(measured: Measured, params: EvaluateParams) -> list[Gate]:
    """Those who sat the exam: beside a new head alone nobody does."""
    rivals = {
        "tfidf_svc": (measured.tfidf_svc, "TF-IDF + linear SVC"),
        "frozen_lr": (measured.frozen_lr, "frozen backbone + logistic regression"),
    }
    return [
        _compared(name, found, params, other, kind="warning")
        for name, (found, other) in rivals.items()
        if found
    ]


def passed(gates: list[Gate]) -> bool:
    return all(gate["passed"] for gate in gates if gate["kind"] == "gate")


def lost(comparison: Comparison, margin: float) -> bool:
    return comparison.difference < -margin - TINY and comparison.high < 0.0


def _finite(measured: Measured) -> Gate:
    bad = measured.not_finite
    reason = f"{bad:,} documents got a NaN or infinite logit." if bad else "Every logit is a finite number."
    return _gate("finite", not bad, bad, 0, reason)


def _accuracy(measured: Measured, params: EvaluateParams) -> Gate:
    value, bound = measured.accuracy, params.min_accuracy
    reason = f"{value:.1%} of {measured.documents:,} documents are right; at least {bound:.1%} are asked for."
    return _gate("accuracy", value >= bound - TINY, value, bound, reason)


def _calibration(measured: Measured, params: EvaluateParams) -> Gate:
    value, bound = measured.ece, params.max_ece
    reason = f"Confidence is off by {100 * value:.1f} points on average; {100 * bound:.1f} are allowed."
    return _gate("calibration", value <= bound + TINY, value, bound, reason)


def _grid(found: Mapping[str, Any], params: EvaluateParams) -> Gate:
    value, bound = found["agreement"], params.min_agreement
    if value is None:
        return _gate(
            "grid", False, None, bound, "No valid document to compare the rounded weights' answers on."
        )
    reason = (
        f"Weights in steps of {found['step']:g} answer {value:.2%} of {found['documents']:,} valid documents as the "
        f"master does; at least {bound:.2%} are asked for."
    )
    return _gate("grid", value >= bound - TINY, value, bound, reason)


def _forgetting(measured: Measured, parent: str) -> Gate:
    """The groups are named, as what is lost in one may be won in another and the whole may not show it."""
    bound = measured.max_forgetting
    if not measured.groups:
        return _gate("forgetting", True, None, -bound, "No class of a parent's to forget.")
    worst, found = min(measured.groups.items(), key=lambda item: item[1].difference)
    allowed = f"up to {100 * bound:.1f} may be lost"
    gone = {g: c for g, c in measured.groups.items() if lost(c, bound) and c.losses >= FEWEST_LOSSES}
    if gone:
        rows = sorted(gone.items(), key=lambda item: item[1].difference)
        named = ", ".join(f"{group} {points(c.difference)}" for group, c in rows)
        reason = f"Would be forgotten, in points against {parent}: the classes of {named}; {allowed}."
    else:
        reason = f"The classes of {worst} change most for the worse, {points(found.difference)} points against {parent}; {allowed}."
    return _gate("forgetting", not gone, found.difference, -bound, reason)


def _compared(
    name: str,
    found: Comparison | None,
    params: EvaluateParams,
    other: str,
    absent: str | None = None,
    kind: str = "gate",
) -> Gate:
    if found is None:
        return _gate(
            name, True, None, -params.margin, absent or f"No document to compare with {other}.", kind
        )
    if not found.wins and not found.losses:
        reason = f"Right and wrong on the same of {found.documents:,} documents as {other}."
    else:
        reason = (
            f"{points(found.difference)} points against {other}, {found.documents:,} documents, "
            f"{params.confidence:.0%} interval {points(found.low)} to {points(found.high)}; "
            f"{_conclusion(found, params.margin)}."
        )
    return _gate(name, not lost(found, params.margin), found.difference, -params.margin, reason, kind)


def _conclusion(found: Comparison, margin: float) -> str:
    allowed = f"{100 * margin:.1f}"
    if lost(found, margin):
        return f"more than chance explains, and more than the {allowed} that may be lost"
    if found.difference < -margin - TINY:
        return f"more than the {allowed} that may be lost, but no more than chance explains"
    return f"up to {allowed} may be lost"


def _gate(
    name: str, ok: bool, value: float | None, bound: float | None, reason: str, kind: str = "gate"
) -> Gate:
    return {
        "name": name,
        "kind": kind,
        "passed": bool(ok),
        "value": value,
        "bound": bound,
        "reason": reason,
    }


def points(difference: float) -> str:
    """0.0123 → +1.2: percentage points with their sign."""
    text = f"{100 * difference:+.1f}"
    return "±0.0" if float(text) == 0 else text.replace("-", "−")
