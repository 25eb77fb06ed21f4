"""dvc.yaml names every knob that a stage reads, and none that it does not: else a change would re-run too little, or too much.

Read from the sources: chains such as `params.train.seed` in tasks/<stage>.py and in what it calls of tasks/; where a
whole section is handed to the library, the attributes that functions read of an argument annotated with its class.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from openautoglm.params import Params
from tasks import STAGES

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = {(field.alias or name): field.annotation for name, field in Params.model_fields.items()}
# written into the manifest for people; they follow from the corpus, whose fingerprint is in reports/evaluation.json
RECORDED = {"publish": {"ingest.inbox", "ingest.through"}}


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_reads_is_declared(stage: str) -> None:
    declared, found = declared_params(stage), reads(stage)
    missing = {name for name in found if not covered(name, declared)} - RECORDED.get(stage, set())
    assert not missing, f"{stage} reads {sorted(missing)}: add them to its params in dvc.yaml"
    unread = {name for name in declared if not any(covered(one, {name}) for one in found)}
    assert not unread, f"{stage} does not read {sorted(unread)}: take them from its params in dvc.yaml"


def declared_params(stage: str) -> set[str]:
    return set(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"][stage]["params"])


def covered(name: str, declared: set[str]) -> bool:
    return name in declared or name.partition(".")[0] in declared


def reads(stage: str) -> set[str]:
    """Knobs (``section.key``) that the stage reads."""
    found = set()
    for section, key in chains(f"tasks/{stage}.py", None):
        if section not in SECTIONS:
            continue  # a method of Params
        fields = set(SECTIONS[section].model_fields)
        keys = {key} & fields or read_by_library(SECTIONS[section].__name__) or fields
        found |= {f"{section}.{name}" for name in keys}
    return found


def chains(path: str, functions: frozenset[str] | None) -> Iterator[tuple[str, str]]:
    """(section, key or "") of each `params.section.key` in ``functions`` (None: all) and in what they call of tasks/."""
    tree = ast.parse((ROOT / path).read_text())
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    todo, seen = list(functions or [Path(path).stem]), set[str]()
    while todo:
        name = todo.pop()
        if name in seen or name not in defined:
            continue
        seen.add(name)
        attributes = [node for node in ast.walk(defined[name]) if isinstance(node, ast.Attribute)]
        longer = {id(node.value) for node in attributes}
        for node in attributes:
            parts = ast.unparse(node).split(".")
            if parts[0] == "params" and (len(parts) == 3 or (len(parts) == 2 and id(node) not in longer)):
                yield parts[1].rstrip("_"), parts[2] if len(parts) == 3 else ""
        used = {node.id for node in ast.walk(defined[name]) if isinstance(node, ast.Name)}
        todo += used
        for node in [*tree.body, *ast.walk(defined[name])]:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tasks."):
                called = used & {alias.name for alias in node.names}
                if called:
                    yield from chains(f"{(node.module or '').replace('.', '/')}.py", frozenset(called))


@cache
def read_by_library(section: str) -> frozenset[str]:
    """Keys of a section's class that library functions read of an argument, or `params` field, annotated with it."""
    found = set()
    known = next(kind for kind in SECTIONS.values() if kind.__name__ == section).model_fields
    for path in (ROOT / "openautoglm").rglob("*.py"):
        text = path.read_text()
        if path.name == "params.py" or section not in text:
            continue
        found |= {
            node.attr
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Attribute) and node.attr in known
            and ast.unparse(node.value).split(".")[-1] in ("params", "continual")
        }  # fmt: skip
    return frozenset(found)
