"""Values of params.yaml changed in place, as `--set` and the pins of a run do.

set_values(Path("params.yaml"), {"train.epochs": "2"})
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openautoglm.errors import ParamsError
from openautoglm.params import Params, nearest
from openautoglm.yaml_file import parse_yaml, read_yaml, write_yaml


def set_values(path: Path, assignments: Mapping[str, object]) -> bool:
    """Write ``section.key`` → value into the YAML file, keeping its comments; say whether anything changed.

    String values are read as YAML (``"2"`` is a number, ``"null"`` is nothing). The result is checked before it
    is written, so a bad value leaves the file as it was.

    Raises:
        ParamsError: as for :meth:`Params.load`, with the assignment that is wrong.
    """
    raw, after = _assigned(path, assignments)
    if after == Params.load(path):
        return False
    write_yaml(path, raw)
    return True


def with_values(path: Path, assignments: Mapping[str, object]) -> Params:
    """What the params would be after :func:`set_values`, which writes nothing if this raises."""
    return _assigned(path, assignments)[1]


def _assigned(path: Path, assignments: Mapping[str, object]) -> tuple[Any, Params]:
    raw = read_yaml(path)
    Params.parse(raw, where=str(path))  # a fault of the file is told as one
    for name, value in assignments.items():
        *parents, key = name.split(".")
        section = raw
        for parent in parents:
            section = section.get(parent) if isinstance(section, Mapping) else None
        if not isinstance(section, Mapping) or not parents or key not in section:
            raise ParamsError(f"--set {name}: no such key{nearest(name, _names(raw))}")
        section[key] = parse_yaml(value, f"--set {name}={value}") if isinstance(value, str) else value  # type: ignore[index]
    return raw, Params.parse(raw, where="--set")


def _names(raw: Mapping[str, Any], prefix: str = "") -> list[str]:
    return [
        name
        for key, value in raw.items()
        for name in (
            [f"{prefix}{key}"] + (_names(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [])
        )
    ]
