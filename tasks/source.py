"""A source file as its top-level statements: which of them a set of names needs. Parsed, never imported."""

from __future__ import annotations

import ast
import hashlib
from functools import cached_property
from pathlib import Path

ALL = "*"  # every name of a module
# decorators that register nothing anywhere: an unused function below one of these can be left out
PLAIN_DECORATORS = {"cache", "lru_cache", "contextmanager", "overload", "wraps", "no_grad", "inference_mode"}
VALIDATORS = {"model_validator", "field_validator", "classmethod"}
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
IMPORT = ast.Import | ast.ImportFrom


class Statement:
    """One top-level statement, walked once."""

    def __init__(self, node: ast.stmt) -> None:
        self.node = node
        self.parts = list(ast.walk(node))
        self.is_import = isinstance(node, IMPORT)
        self.refers = {part.id for part in self.parts if isinstance(part, ast.Name)}

    @cached_property
    def binds(self) -> set[str]:
        if isinstance(self.node, FUNCTION | ast.ClassDef):
            return {self.node.name}
        if isinstance(self.node, IMPORT):
            return {alias.asname or alias.name.split(".")[0] for alias in self.node.names}
        names = (part for part in self.parts if isinstance(part, ast.Name))
        return {name.id for name in names if isinstance(name.ctx, ast.Store)}

    @cached_property
    def must_run(self) -> bool:
        """Whether leaving it out could change what the rest of its module does."""
        node = self.node
        if isinstance(node, FUNCTION):
            return any(_name(decorator) not in PLAIN_DECORATORS for decorator in node.decorator_list)
        if isinstance(node, ast.ClassDef):
            decorated = any(_name(decorator) != "dataclass" for decorator in node.decorator_list)
            return decorated or bool(node.bases or node.keywords)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            calls = any(isinstance(part, ast.Call) for part in self.parts)
            return calls or not all(isinstance(target, ast.Name) for target in targets)
        return not self.is_import

    @cached_property
    def dump(self) -> str:
        return dump(self.node)


class Module:
    """One source file, without docstrings and what only a type checker sees."""

    def __init__(self, name: str, path: Path, declarations_only: bool = False) -> None:
        self.name, self.path = name, path
        self.is_package = path.name == "__init__.py"
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        _strip(tree)
        self.body = [Statement(node) for node in (_computed(tree) if declarations_only else tree.body)]
        self._imports: dict[Statement, list[tuple[str, str]]] = {}

    def sha(self, names: set[str]) -> str:
        """sha256 of the statements that ``names`` need."""
        return hashlib.sha256("\n".join(part.dump for part in self.needed(names)).encode()).hexdigest()

    def imports(self, names: set[str]) -> list[tuple[str, str]]:
        """(module, name) of the imports in the statements that ``names`` need, whoever's they are."""
        found: list[tuple[str, str]] = []
        for statement in self.needed(names):
            if statement not in self._imports:
                self._imports[statement] = [pair for part in statement.parts for pair in self._named(part)]
            found += self._imports[statement]
        return found

    def needed(self, names: set[str]) -> list[Statement]:
        """Statements with side effects, those that bind ``names``, and what these refer to, in file order."""
        if ALL in names:
            return self.body
        wanted, kept = {*names, "__getattr__"}, set(self._always)
        for statement in kept:
            wanted |= statement.refers
        while grown := [part for part in self.body if part not in kept and part.binds & wanted]:
            for statement in grown:
                kept.add(statement)
                wanted |= statement.refers
        return [part for part in self.body if part in kept]

    @cached_property
    def _always(self) -> list[Statement]:
        used = set().union(*(statement.refers for statement in self.body))
        # an import whose names nothing in its file uses is there for its side effect; in a package it re-exports
        return [
            part
            for part in self.body
            if part.must_run or (part.is_import and not self.is_package and not part.binds & used)
        ]

    def _named(self, part: ast.AST) -> list[tuple[str, str]]:
        if isinstance(part, ast.Import):
            return [(alias.name, ALL) for alias in part.names]
        if isinstance(part, ast.ImportFrom):
            return [(self._source(part), alias.name) for alias in part.names]
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and "." in part.value:
            # `python -m openautoglm.train.worker`, "openautoglm.x:y": named, not imported
            return [(part.value.partition(":")[0], ALL)]
        return []

    def _source(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
        base = package[: len(package) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])


def _name(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


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
        and not {_name(decorator) for decorator in part.decorator_list} & VALIDATORS
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
