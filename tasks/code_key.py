"""What of this project's code a stage can reach, as hashes: `.autoglm/code/<stage>.json` {module: sha256}.

    python -m tasks code

The closure starts at tasks/<stage>.py and follows imports, also those inside functions. It is taken name by name: of
an imported module count its side effects, the names asked for, and what those use. So an `__init__` that re-exports a
room does not pull in the room, and a new function in files.py retrains nothing. Comments, formatting and docstrings
never count. Nothing is imported, only parsed; docs/adr/0001-code-keys.md says why, and what is left out.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from openautoglm.files import save_json
from tasks import STAGES
from tasks.source import ALL, Module

CODE_KEYS = Path(".autoglm/code")
PACKAGES = ("openautoglm", "tasks")
# an error is never a stage's output; a parent's bytes are checked against its id, whatever code fetched them
LEFT_OUT = {"openautoglm.errors", "tasks", "tasks.parent"}
# values reach a stage through `params:` in dvc.yaml; of this module only what computes new ones counts
DECLARATIONS = {"openautoglm.params"}


def write_code_keys(root: Path = Path()) -> None:
    """Write one key per stage; a file of a stage that is gone goes too."""
    project = Project(root)
    folder = root / CODE_KEYS
    for stale in set(folder.glob("*")) - {folder / f"{stage}.json" for stage in STAGES}:
        shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
    for stage in STAGES:
        save_json(folder / f"{stage}.json", code_key(project, stage))


def code_key(project: Project, stage: str) -> dict[str, str]:
    """{module or data file: sha256 of the part that ``stage`` reaches}, sorted by name."""
    wanted = closure(project, f"tasks.{stage}")
    key = {name: project.module(name).sha(names) for name, names in wanted.items() if name not in LEFT_OUT}
    for folder in {project.module(name).path.parent for name in key}:
        for data in _data_files(folder):
            key[data.relative_to(project.root).as_posix()] = hashlib.sha256(data.read_bytes()).hexdigest()
    return dict(sorted(key.items()))


def _data_files(folder: Path) -> Iterator[Path]:
    """Word lists, templates: what lies beside a module, or below in folders that are no packages."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").is_file():
            yield from _data_files(path)
        elif path.is_file() and path.suffix not in {".py", ".pyc", ".md"} and path.name != "py.typed":
            yield path


def closure(project: Project, start: str) -> dict[str, set[str]]:
    """{module: names of it that code reachable from ``start`` uses}; ``*`` stands for all of them."""
    wanted: dict[str, set[str]] = {}
    todo = [(start, ALL)]
    while todo:
        name, symbol = todo.pop()
        if symbol in wanted.setdefault(name, set()) or name in LEFT_OUT:
            continue
        wanted[name].add(symbol)
        for parent in _parents(name):
            todo.append((parent, ""))
        todo += project.imports(name, wanted[name])
    return wanted


def _parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:end]) for end in range(1, len(parts)))


class Project:
    """The project's modules, each parsed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module:
        found = self.find(name)
        assert found is not None, name
        return found

    def find(self, name: str) -> Module | None:
        """The module called ``name``, or None when that is not one of ours."""
        if name not in self._modules:
            self._modules[name] = self._open(name) if name.split(".")[0] in PACKAGES else None
        return self._modules[name]

    def _open(self, name: str) -> Module | None:
        path = self.root.joinpath(*name.split("."))
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                return Module(name, file, declarations_only=name in DECLARATIONS)
        return None

    def imports(self, name: str, names: set[str]) -> list[tuple[str, str]]:
        """(module, name in it) of every import of ours that ``names`` of module ``name`` need."""
        found = []
        for source, symbol in self.module(name).imports(names):
            whole = f"{source}.{symbol}"
            if symbol != ALL and self.find(whole):
                found.append((whole, ALL))
            elif self.find(source):
                found.append((source, symbol))
        return found
