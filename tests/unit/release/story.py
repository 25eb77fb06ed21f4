"""A chain with everything in it: batches, forgetting, a refused candidate, a rollback, a retraining."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from openautoglm.release import Release, ReleaseStore
from tests.unit.release.samples import candidate

GATE = {"name": "forgetting", "kind": "gate", "passed": False, "reason": "batch b1 lost 12.0 points"}
ROWS: list[dict[str, float]] = [
    {"b1": 0.95},
    {"b1": 0.94, "b2": 0.91},
    {"b1": 0.80, "b2": 0.70, "b3": 0.93},
    {"b1": 0.93, "b2": 0.90, "b3": 0.92},
    {"b1": 0.96, "b2": 0.94, "b3": 0.95},
    {"b1": 0.95, "b2": 0.95, "b3": 0.94, "b4": 0.90},
]


def facts(row: dict[str, float], start: str = "parent", mode: str | None = "analytic") -> dict[str, Any]:
    """What publish would say of a model with these scores on the documents of each batch."""
    names = [f"000{name[1:]}-{name}" for name in row]
    scores = {f"batch/{full}": score for full, score in zip(names, row.values(), strict=True)}
    newest = names[-1]
    measures = {
        "labels": [0.05 * len(names), 0.25],
        "words": [0.02, 0.1],
        "embeddings": [0.3 / len(names), 0.2],
    }
    return {
        "metrics": {
            "accuracy": sum(row.values()) / len(row),
            "classes": 2,
            **scores,
            f"before/{newest}": 0.1,
            "recall": {"a": row["b1"], "b": row["b1"] / 2},
            "graph/nodes": 100 * len(names),
            "graph/edges": 150 * len(names),
        },
        "data": {
            "batches": names,
            "documents": 100 * len(names),
            "mode": mode,
            "drift": {"batch": newest, "measures": measures},
        },
        "params": {"train": {"start": start, "parent": None}},
        "labels": ["a", "b"] + ["c"] * (len(names) > 1),
    }


def tell(store: ReleaseStore, root: Path) -> list[Release]:
    """v1, v2, a refused candidate, v3 that forgets and is rolled back, v4 on v2, v5 trained on everything, v6."""

    def publish(step: int, **more: str) -> Release:
        folder = candidate(store, root, step, **facts(ROWS[step], **more))
        return store.publish(folder, "stable", "all 19 gates passed")

    releases = [publish(0, mode="replay"), publish(1)]
    refused = candidate(store, root, 7, **facts({"b1": 0.83, "b2": 0.5, "b3": 0.9}), gates=[GATE])
    store.reject(refused, "stable", "refused by forgetting")
    releases.append(publish(2))
    store.rollback(2, "stable", "the answers to tickets of the first batch got worse")
    releases += [publish(3), publish(4, start="pretrained", mode="replay"), publish(5)]
    return releases
