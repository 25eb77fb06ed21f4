"""The verdict's truth table."""

from dataclasses import replace
from pathlib import Path

import pytest

from openautoglm.evaluate.gate import Measured, lost, passed, points, verdict
from openautoglm.evaluate.metrics import Comparison
from openautoglm.params import Params

BOUNDS = {"margin": 0.01, "min_accuracy": 0.5, "max_ece": 0.15, "bootstrap": 100, "confidence": 0.95}
PARAMS = Params.load(Path(__file__).parents[3] / "params.yaml").evaluate.model_copy(update=BOUNDS)


def compared(wins: int, losses: int, low: float, high: float, documents: int = 500) -> Comparison:
    return Comparison(documents, 0.9, 0.9 - (wins - losses) / documents, wins, losses, low, high)


EVEN = compared(10, 10, -0.02, 0.02)
WORSE = compared(5, 25, -0.06, -0.02)
SOUND = Measured(
    documents=500,
    not_finite=0,
    accuracy=0.9,
    ece=0.05,
    parent="v000001-0123456789ab",
    parent_known=EVEN,
    parent_whole=EVEN,
    text_only=EVEN,
    tfidf_svc=EVEN,
    frozen_lr=EVEN,
)


def refused(measured: Measured) -> list[str]:
    return [gate["name"] for gate in verdict(measured, PARAMS) if not gate["passed"]]


def test_a_sound_model_passes_every_gate():
    assert refused(SOUND) == []
    assert passed(verdict(SOUND, PARAMS))


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"documents": 0}, "exam"),
        ({"not_finite": 1}, "finite"),
        ({"accuracy": 0.49}, "accuracy"),
        ({"ece": 0.16}, "calibration"),
        ({"parent_known": WORSE}, "parent_known_classes"),
        ({"parent_whole": WORSE}, "parent_whole_exam"),
        ({"text_only": WORSE}, "graph"),
    ],
)
def test_each_gate_refuses_alone(change: dict, gate: str):
    measured = replace(SOUND, **change)
    assert refused(measured) == [gate]
    assert not passed(verdict(measured, PARAMS))


@pytest.mark.parametrize("name", ["tfidf_svc", "frozen_lr"])
def test_baselines_warn_and_do_not_refuse(name: str):
    measured = replace(SOUND, **{name: WORSE})
    assert refused(measured) == [name]
    assert passed(verdict(measured, PARAMS))


def test_bounds_themselves_pass():
    assert refused(replace(SOUND, accuracy=0.5, ece=0.15)) == []


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (compared(0, 5, -0.02, -0.001), False),  # exactly the margin
        (compared(0, 6, -0.02, -0.001), True),  # beyond it, and not chance
        (compared(20, 30, -0.05, 0.01), False),  # beyond it, may be chance
        (compared(0, 1, -0.005, -0.0001), False),  # no chance, but within it
    ],
)
def test_lost_needs_margin_and_evidence(comparison: Comparison, expected: bool):
    assert lost(comparison, 0.01) is expected


def test_first_release_has_no_parent_to_lose_against():
    gates = verdict(replace(SOUND, parent=None, parent_known=None, parent_whole=None), PARAMS)
    reasons = {gate["name"]: gate["reason"] for gate in gates}
    assert reasons["parent_whole_exam"] == "No parent: this is the first release."
    assert passed(gates)


def test_every_gate_says_why_in_one_sentence():
    for measured in (
        SOUND,
        replace(SOUND, parent_known=WORSE),
        replace(SOUND, text_only=compared(0, 0, 0, 0)),
    ):
        for gate in verdict(measured, PARAMS):
            assert set(gate) == {"name", "kind", "passed", "value", "bound", "reason"}
            assert gate["reason"].endswith(".")
            assert "\n" not in gate["reason"]


def test_points_have_a_sign():
    assert [points(x) for x in (0.0123, -0.0123, -0.0004, 0.0)] == ["+1.2", "−1.2", "±0.0", "±0.0"]
