"""YAML files that people write: comments and quotes stay, and a fault is told with its line."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from openautoglm.errors import ParamsError
from openautoglm.files import write_atomic


def read_yaml(path: Path) -> Any:
    """What ``path`` holds.

    Raises:
        ParamsError: no such file, not UTF-8, not YAML.
    """
    try:
        data = path.read_bytes()
        return parse_yaml(data.decode("utf-8"), str(path), lines=True)
    except FileNotFoundError:
        raise ParamsError(f"{path}: not found; run from the root of an Open-AutoGLM checkout") from None
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f"byte 0x{data[error.start]:02x} in line {line}"
        raise ParamsError(f"{path}: not UTF-8: {found}; save it as UTF-8") from None


def parse_yaml(text: str, where: str, lines: bool = False) -> Any:
    """The YAML value of ``text``; with ``lines`` a fault is told with its line."""
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return _yaml().load(text)
    except YAMLError as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, MarkedYAMLError) and error.problem:
            at = f"line {error.problem_mark.line + 1}: " if lines and error.problem_mark else ""
            reason = at + " ".join(str(error.problem).split())
        raise ParamsError(f"{where}: not valid YAML: {reason}") from None


def write_yaml(path: Path, value: Any) -> None:
    """``value``, as :func:`read_yaml` gave it and somebody changed it, into ``path``, whole or not at all."""
    buffer = BytesIO()
    _yaml().dump(value, buffer)
    write_atomic(path, buffer.getvalue())


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.Representer = _nulls_in_full()
    return yaml


def _nulls_in_full() -> Any:
    """ruamel writes null as an empty value; params.yaml says it in full.

    A class of its own: registered on ruamel's class it would change what DVC writes in this process to dvc.lock.
    """
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter): ...

    Representer.add_representer(
        type(None), lambda dump, _: dump.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return Representer
