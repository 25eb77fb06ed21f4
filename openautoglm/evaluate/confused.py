"""Which classes a confusion map shows, and in which order: those most confused, with their partners beside them."""

from __future__ import annotations

from typing import Any

from openautoglm.evaluate.metrics import Row

CLASSES = 18  # that a phone still shows


def confused_block(classes: list[Row], confusions: list[Row], limit: int = CLASSES) -> dict[str, Any]:
    """``labels`` and ``rows`` [[(count, share of the actual class)]]: all classes, or the ``limit`` most confused."""
    support = {row["label"]: row["support"] for row in classes}
    right = {row["label"]: round(row["recall"] * row["support"]) for row in classes}
    wrong = {(row["actual"], row["predicted"]): row["count"] for row in confusions}
    labels = _side_by_side(_most_confused(confusions, sorted(support), limit), wrong)
    counts = [[right[a] if a == p else wrong.get((a, p), 0) for p in labels] for a in labels]
    rows = [
        [{"count": n, "share": n / max(support[a], 1)} for n in row]
        for a, row in zip(labels, counts, strict=True)
    ]
    shown = set(labels)
    inside = sum(n for (a, p), n in wrong.items() if a in shown and p in shown)
    return {
        "labels": labels,
        "rows": rows,
        "all": len(labels) == len(support),
        "inside": inside,
        "wrong": sum(wrong.values()),
    }


def _most_confused(confusions: list[Row], names: list[str], limit: int) -> list[str]:
    if len(names) <= limit:
        return names
    labels: list[str] = []
    for row in confusions:  # the most frequent pair first
        for name in (row["actual"], row["predicted"]):
            if name not in labels and len(labels) < limit:
                labels.append(name)
    return labels


def _side_by_side(labels: list[str], wrong: dict[tuple[str, str], int]) -> list[str]:
    """Greedy: after each class the one it is most confused with, so that a group shows as a block."""
    left, order = list(labels), list[str]()
    while left:
        last = order[-1] if order else None
        ties = [wrong.get((last, x), 0) + wrong.get((x, last), 0) if last else 0 for x in left]
        order.append(left.pop(max(range(len(left)), key=lambda i: ties[i])))
    return order
