"""Toy: there is nothing to read."""

from pathlib import Path

from openautoglm.params import Params


def read_ahead(params: Params, root: Path = Path()) -> int:
    return 0
