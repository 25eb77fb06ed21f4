"""What an analytic head remembers: the statistics of exactly these documents, kept by content between runs.

memory = Memory.load(path, width)
memory = memory.moved_to(Counter(zip(keys, labels)), lifted)     # adds what is new, takes out what is gone
memory.save(path)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openautoglm.train.lift import Whole
from openautoglm.train.statistics import FOLDS, Ints, Statistics

Documents = Counter[tuple[str, str]]  # (content key, label) → how often
Lifted = Callable[
    [Sequence[str]], Whole
]  # content keys [D] → features [D, M]; KeyError where one is not known
CHUNK = 8192  # documents


@dataclass(frozen=True, eq=False)
class Memory:
    statistics: Statistics
    documents: Documents

    @classmethod
    def empty(cls, width: int) -> Memory:
        return cls(Statistics.empty(width), Counter())

    @classmethod
    def load(cls, path: Path, width: int) -> Memory:
        """What is at ``path``; an empty one where there is nothing to read, as all of it can be computed again."""
        found = cls.read(path)
        return found if found and found.statistics.width == width else cls.empty(width)

    @classmethod
    def read(cls, path: Path) -> Memory | None:
        """What is at ``path``, whatever its width; None where it is missing, damaged or of another format."""
        try:
            statistics, rows = Statistics.load(path)
            documents = Counter({(str(key), str(label)): int(count) for key, label, count in rows})  # type: ignore[attr-defined]
        except Exception:  # safetensors, numpy and json raise many classes
            return None
        return cls(statistics, documents) if documents.total() == statistics.documents else None

    def save(self, path: Path) -> None:
        self.statistics.save(path, [[*pair, count] for pair, count in sorted(self.documents.items())])

    def moved_to(self, wanted: Documents, lifted: Lifted) -> Memory:
        """The memory of exactly ``wanted``: whatever was learnt before, in whatever order, the same bytes.

        Adds and subtracts the difference alone; where that is more work than starting again, or the features of a
        document to take out are not there any more, starts again.
        """
        gone, new = self.documents - wanted, wanted - self.documents
        if not gone and not new:
            return self
        if gone.total() + new.total() < wanted.total():
            try:
                return Memory(
                    self._summed(new, self._summed(gone, self.statistics, lifted, -1), lifted, 1), wanted
                )
            except KeyError:
                pass
        return Memory(self._summed(wanted, Statistics.empty(self.statistics.width), lifted, 1), wanted)

    @staticmethod
    def _summed(documents: Documents, statistics: Statistics, lifted: Lifted, sign: int) -> Statistics:
        rows = sorted(documents.elements())
        for first in range(0, len(rows), CHUNK):
            keys, labels = zip(*rows[first : first + CHUNK], strict=True)
            move = statistics.plus if sign > 0 else statistics.minus
            statistics = move(lifted(keys), labels, folds(keys))
        return statistics


def folds(keys: Sequence[str]) -> Ints:
    """The fold of each document: decided by content, the same wherever and whenever it arrives."""
    return np.array([int(key[:8], 16) % FOLDS for key in keys], dtype=np.int64)
