"""Which exam a document sits: decided once by a stable hash of its id, or by its source, and never re-rolled."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from pathlib import PurePosixPath

from openautoglm.corpus.document import SPLITS, Split

_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
    "eval": "test",
}


def hash_split(doc_id: str, valid_share: float, test_share: float) -> Split:
    """The split of a document whose source names none.

    Depends on ``doc_id`` and the shares alone: not on order, batch, seed, process or platform.
    """
    draw = int.from_bytes(hashlib.sha256(doc_id.encode()).digest()[:8], "big") / 2**64
    if draw < test_share:
        return "test"
    return "valid" if draw < test_share + valid_share else "train"


def carve_split(doc_id: str, missing: Collection[Split], valid_share: float, test_share: float) -> Split:
    """The split of a train document whose source brings no file for the splits in ``missing``."""
    return hash_split(
        doc_id, valid_share if "valid" in missing else 0.0, test_share if "test" in missing else 0.0
    )


def split_named(name: object) -> Split | None:
    """``val``, ``Dev``, ``validation`` → ``valid``; None for a name that is no split."""
    return _NAMES.get(name.strip().lower()) if isinstance(name, str) else None


def split_of_file(path: str) -> Split | None:
    """``data/banking.train-00000-of-2.jsonl.gz`` → ``train``; None if the name holds no split's, or several."""
    words = re.split(r"[^a-z]+", PurePosixPath(path).name.lower())
    found = {_NAMES[word] for word in words if word in _NAMES}
    return found.pop() if len(found) == 1 else None


def splits_to_carve(brought: Collection[Split]) -> tuple[Split, ...]:
    """What a source of named splits leaves out and its train split must give: ``{train, test}`` → ``(valid,)``."""
    return tuple(split for split in SPLITS if split not in brought) if "train" in brought else ()


def in_hash_order(named: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """(doc_id, row) in an order that looks random and depends on the ids alone."""
    return sorted(named, key=lambda item: hashlib.sha256(item[0].encode()).digest())
