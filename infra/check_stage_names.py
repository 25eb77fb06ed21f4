"""One name per stage, the same everywhere: dvc.yaml, params.yaml, tasks/, flows/pipeline.py, loop/ledger.py.

python infra/check_stage_names.py
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tasks import STAGES  # noqa: E402


def faults(root: Path = ROOT) -> list[str]:
    """One line per place that disagrees with ``tasks.STAGES``."""
    yaml, stages = YAML(typ="safe"), list(STAGES)
    declared = yaml.load((root / "dvc.yaml").read_text())["stages"]
    found = {
        "dvc.yaml": [name for name in declared if name != "code"],
        "params.yaml": [
            name for name in yaml.load((root / "params.yaml").read_text()) if name != "continual"
        ],  # train's and evaluate's second section
        "flows/pipeline.py": _steps(root / "flows/pipeline.py"),
        "openautoglm/loop/ledger.py": _parts(root / "openautoglm/loop/ledger.py"),
    }
    lines = [
        f"{place}: expected {stages}, found {names}" for place, names in found.items() if names != stages
    ]
    for name in stages:
        command = declared.get(name, {}).get("cmd")
        if command != f"python -m tasks {name}":
            lines.append(f"dvc.yaml: cmd of {name}: expected python -m tasks {name}, found {command}")
        public = _public(root / f"tasks/{name}.py")
        if public != [name]:
            lines.append(f"tasks/{name}.py: expected one public function, {name}; found {public}")
    return lines


def _steps(path: Path) -> list[str]:
    """Stage names that ``step(...)`` is called with, in order; each must be bound to its own name."""
    names = []
    for node in ast.parse(path.read_text()).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and ast.unparse(node.value.func) == "step"
        ):
            name, bound = ast.literal_eval(node.value.args[0]), ast.unparse(node.targets[0])
            names.append(name if name == bound else f"{bound}={name}")
    return names


def _parts(path: Path) -> list[str]:
    """Stage names in the values of PARTS, in order; the library may not import tasks."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARTS":
            return [stage for part in ast.literal_eval(node.value).values() for stage in part]
    return []


def _public(path: Path) -> list[str]:
    if not path.is_file():
        return []
    body = ast.parse(path.read_text()).body
    return [node.name for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


if __name__ == "__main__":
    found = faults()
    print("\n".join(found) or f"stage names agree: {', '.join(STAGES)}")
    sys.exit(bool(found))
