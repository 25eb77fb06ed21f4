"""Toy: what is over its bound, read as the real one reads it."""

from dataclasses import dataclass
from pathlib import Path

from openautoglm.files import load_json


@dataclass(frozen=True)
class Measure:
    name: str
    value: float
    bound: float
    drifted: bool
    text: str


def drifted(path: Path) -> list[Measure]:
    return [Measure(**row) for row in load_json(path)["measures"] if row["drifted"]]
