"""What a person reads at the end of a run."""

from __future__ import annotations

from pathlib import Path

from flows.artifacts import gate_rows, shown

GATES = [
    {"name": "accuracy", "passed": True, "value": 0.98, "bound": 0.5, "reason": "98.0% are right."},
    {"name": "forgetting", "kind": "gate", "passed": False, "value": -0.5, "bound": -0.03, "reason": "Lost."},
    {
        "name": "tfidf_svc",
        "kind": "warning",
        "passed": False,
        "value": -0.2,
        "bound": -0.01,
        "reason": "Behind.",
    },
]


def test_a_baseline_that_is_better_is_a_warning_and_refuses_nothing(tmp_path: Path) -> None:
    rows = gate_rows(tmp_path, {"gates": GATES})

    assert [(row["gate"], row["verdict"]) for row in rows] == [
        ("accuracy", "pass"),
        ("forgetting", "FAIL"),
        ("tfidf_svc", "warn"),
    ]
    lines = shown({"id": "v000002-abc"}, [], rows, {}, tmp_path, "refused")
    assert [line.split()[:3] for line in lines if line.startswith("gate")] == [
        ["gate", "pass", "accuracy"],
        ["gate", "FAIL", "forgetting"],
        ["gate", "warn", "tfidf_svc"],
    ]
