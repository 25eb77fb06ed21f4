"""Toy: where a run keeps its state."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    params: object
    corpus: Path
    graphs: Path
    runs: Path
