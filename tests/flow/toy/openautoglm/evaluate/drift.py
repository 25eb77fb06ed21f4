"""Toy: nothing drifts."""

from pathlib import Path


def drifted(path: Path) -> list[object]:
    return []
