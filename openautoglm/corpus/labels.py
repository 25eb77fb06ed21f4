"""Which labels are another one misspelt, and which have too few documents to learn from."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping

_HYPHEN = r"(?<=\w)-(?=\w)"  # between words; elsewhere a minus is part of the name
TWIN = 0.1  # share of its twin's documents above which a label is a class of its own: a slip is rarer than one in ten


def misspelt_labels(
    train: Mapping[str, int], everywhere: Mapping[str, int], min_per_class: int
) -> dict[str, str]:
    """Wrong label → the one it is meant to be.

    Either they are twins, which differ in case, spaces, ``_`` and inner ``-`` only, and the rarer one is much rarer: it
    has at most :data:`TWIN` of the other's documents, or fewer than ``min_per_class`` to train on. Or the wrong one has
    that few and is one or two slips of the fingers from one that has enough. Labels that differ in digits ("level_1",
    "level_2") or in signs ("1", "-1"; "C", "C++", "C#") alone are no misspellings.

    Args:
        train: documents of each label in the train split.
        everywhere: documents of each label in all splits.
    """
    found: dict[str, str] = {}
    alike: dict[str, list[str]] = defaultdict(list)
    for label in everywhere:
        alike[_plain(label)].append(label)
    for labels in alike.values():
        right = max(labels, key=lambda label: (everywhere[label], label))
        found |= {
            label: right
            for label in labels
            if label != right
            and (train.get(label, 0) < min_per_class or everywhere[label] <= TWIN * everywhere[right])
        }
    established = [label for label in sorted(train) if train[label] >= min_per_class and label not in found]
    for label in sorted(everywhere):
        if label in found or train.get(label, 0) >= min_per_class:
            continue
        near = [(edits(label, other), -train[other], other) for other in established if _may_be(label, other)]
        near = [candidate for candidate in near if candidate[0] <= _slips(label)]
        if near:
            found[label] = min(near)[2]
    return found


def rare_labels(
    train: Mapping[str, int], everywhere: Mapping[str, int], min_per_class: int
) -> dict[str, int]:
    """Label → its documents in the train split, where they are fewer than ``min_per_class``."""
    return {label: train.get(label, 0) for label in sorted(everywhere) if train.get(label, 0) < min_per_class}


def edits(a: str, b: str) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours that turn ``a`` into ``b``
    (optimal string alignment distance).
    """
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, right in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _slips(label: str) -> int:
    return 0 if len(label) < 4 else 1 if len(label) < 8 else 2


def _may_be(label: str, other: str) -> bool:
    """Cheap necessary conditions, as there may be thousands of labels."""
    if abs(len(label) - len(other)) > 2 or _signs(label) != _signs(other):
        return False
    if re.sub(r"\d", "", label) == re.sub(r"\d", "", other):
        return False
    a, b = Counter(label), Counter(other)
    return sum(((a - b) + (b - a)).values()) <= 4


def _plain(label: str) -> str:
    """What twins share; never empty."""
    return re.sub(rf"[\s_]+|{_HYPHEN}", "_", label.casefold()).strip("_") or label


def _signs(label: str) -> str:
    return re.sub(rf"[\w\s]|{_HYPHEN}", "", label)
