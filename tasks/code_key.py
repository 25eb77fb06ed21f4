"""What of this project's code a stage can reach, as hashes: `.autoglm/code/<stage>.json` {module: sha256}.

    python -m tasks code

The closure starts at tasks/<stage>.py and follows imports, also those inside functions. It is taken name by name: of
an imported module count its side effects, the names asked for, and what those use. So an `__init__` that re-exports a
room does not pull in the room, and a new function in files.py retrains nothing. Comments, formatting and docstrings
never count. Nothing is imported, only parsed; docs/adr/0001-code-keys.md says why, and what is left out.
"""

from __future__ import annotations

import ast
import hashlib
import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from openautoglm.files import save_json
from tasks import STAGES

CODE_KEYS = Path(".autoglm/code")
PACKAGES = ("openautoglm", "tasks")
ALL = "*"
# orchestration sees a stage, a stage never sees it; an error is never a stage's output
LEFT_OUT = {"openautoglm.errors", "tasks"} | {
    f"tasks.{name}" for name in ("__main__", "code_key", "lineage", "stage", "tracking", "why")
}
# values reach a stage through `params:` in dvc.yaml; of this module only what computes new ones counts
DECLARATIONS = {"openautoglm.params"}
# decorators that register nothing anywhere: an unused function below one of these can be left out
PLAIN_DECORATORS = {"cache", "lru_cache", "contextmanager", "overload", "wraps", "no_grad", "inference_mode"}


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
        for data in sorted(folder.iterdir()):
            if data.is_file() and data.suffix not in {".py", ".pyc", ".md"} and data.name != "py.typed":
                key[data.relative_to(project.root).as_posix()] = hashlib.sha256(data.read_bytes()).hexdigest()
    return dict(sorted(key.items()))


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
        todo += project.module(name).imports(wanted[name])
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
                return Module(self, name, file)
        return None


class Module:
    """One source file: its top-level statements, and which of them a set of names needs."""

    def __init__(self, project: Project, name: str, path: Path) -> None:
        self.project, self.name, self.path = project, name, path
        self.is_package = path.name == "__init__.py"
        self._dumps: dict[ast.stmt, str] = {}

    @cached_property
    def body(self) -> list[ast.stmt]:
        tree = ast.parse(self.path.read_text(encoding="utf-8"), filename=str(self.path))
        _strip(tree)
        return _computed(tree) if self.name in DECLARATIONS else tree.body

    def sha(self, names: set[str]) -> str:
        kept = self._needed(frozenset(names))
        for node in kept:
            if node not in self._dumps:
                self._dumps[node] = dump(node)
        return hashlib.sha256("\n".join(self._dumps[node] for node in kept).encode()).hexdigest()

    def imports(self, names: set[str]) -> list[tuple[str, str]]:
        """(module, name) of every import of ours in the statements that ``names`` need."""
        found: list[tuple[str, str]] = []
        for node in self._needed(frozenset(names)):
            for part in ast.walk(node):
                if isinstance(part, ast.Import):
                    found += [(alias.name, ALL) for alias in part.names]
                elif isinstance(part, ast.ImportFrom):
                    source = self._source(part)
                    for alias in part.names:
                        whole = self.project.find(f"{source}.{alias.name}")
                        found.append((whole.name, ALL) if whole else (source, alias.name))
                elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                    # `python -m openautoglm.train.worker`, "openautoglm.x:y": named, not imported
                    found.append((part.value.partition(":")[0], ALL))
        return [(module, name) for module, name in found if self.project.find(module)]

    def _source(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
        base = package[: len(package) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])

    def _needed(self, names: frozenset[str]) -> list[ast.stmt]:
        """Statements with side effects, those that bind ``names``, and what these refer to, in file order."""
        everything, wanted = ALL in names, {*names, "__getattr__"}
        kept: set[ast.stmt] = set()
        while grown := [
            fact
            for fact in self._facts
            if fact[0] not in kept and (everything or fact[1] or fact[2] & wanted)
        ]:
            for node, _, _, refers in grown:
                kept.add(node)
                wanted |= refers
        return [node for node in self.body if node in kept]

    @cached_property
    def _facts(self) -> list[tuple[ast.stmt, bool, set[str], set[str]]]:
        """(statement, whether it always counts, names it binds, names it refers to)."""
        refers = [_refers(node) for node in self.body]
        used = set().union(*refers)
        facts = []
        for node, names in zip(self.body, refers, strict=True):
            binds = _binds(node)
            # an import whose names nothing in its file uses is there for its side effect
            idle = isinstance(node, ast.Import | ast.ImportFrom) and not self.is_package and not binds & used
            facts.append((node, idle or _must_run(node), binds, names))
        return facts


def _must_run(node: ast.stmt) -> bool:
    """Whether leaving ``node`` out could change what the rest of its module does."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return False
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return any(_name(decorator) not in PLAIN_DECORATORS for decorator in node.decorator_list)
    if isinstance(node, ast.ClassDef):
        return bool(node.bases or node.keywords) or any(_name(d) != "dataclass" for d in node.decorator_list)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names_only = all(isinstance(target, ast.Name) for target in targets)
        return not names_only or any(isinstance(part, ast.Call) for part in ast.walk(node))
    return True


def _name(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _binds(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    return {
        part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }


def _refers(node: ast.stmt) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _strip(tree: ast.Module) -> None:
    """Drop docstrings and imports that only a type checker sees."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:]
            node.body = [
                part
                for part in node.body
                if not (isinstance(part, ast.If) and _name(part.test) == "TYPE_CHECKING")
            ]


def _computed(tree: ast.Module) -> list[ast.stmt]:
    """Of a module of declarations: methods and properties that give a stage a value of their own."""
    return [
        part
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for part in node.body
        if isinstance(part, ast.FunctionDef)
        and not {_name(d) for d in part.decorator_list}
        & {"model_validator", "field_validator", "classmethod"}
    ]


def dump(node: ast.AST) -> str:
    """`ast.dump` without empty fields, which 3.13 leaves out and 3.11 does not: one key for every Python."""
    parts = [type(node).__name__]
    for field, value in ast.iter_fields(node):
        if value is None and field != "value":
            continue
        if isinstance(value, ast.AST):
            parts.append(f"{field}={dump(value)}")
        elif isinstance(value, list):
            if value:
                items = ",".join(dump(item) if isinstance(item, ast.AST) else repr(item) for item in value)
                parts.append(f"{field}=[{items}]")
        else:
            parts.append(f"{field}={value!r}")
    return f"({' '.join(parts)})"
