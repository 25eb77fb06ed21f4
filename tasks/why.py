"""Why a stage runs: its inputs, params and code against what dvc.lock remembers.

python -m tasks why train
python -m tasks status --json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openautoglm.errors import AutoGLMError, UserError
from openautoglm.files import save_json
from openautoglm.params import flat
from tasks import STAGES
from tasks.code_key import CODE_KEYS, Project, code_key
from tasks.dvc_lock import locked_stages

AT_WORK = "a run is at work; try again when it is done"
BEFORE = Path(".autoglm/before")  # a stage's entry in dvc.lock as it was before the stage last ran


def main(command: str, arguments: list[str]) -> int:
    as_json = "--json" in arguments
    names = [argument for argument in arguments if argument != "--json"]
    if command == "status":
        found: Any = status()
        if found is None and not as_json:
            raise AutoGLMError(AT_WORK)
        lines = (
            []
            if found is None
            else [f"{stage:<9} {'; '.join(reasons) or 'up to date'}" for stage, reasons in found.items()]
        )
    else:
        stage = (names or [""])[0]
        if stage not in STAGES:
            raise UserError(f"no such stage: found {stage!r}, expected one of {', '.join(STAGES)}")
        found = why(stage)
        lines = _told(stage, found)
    print(json.dumps(found, indent=2) if as_json else "\n".join(lines))
    return 0


def why(stage: str, root: Path = Path()) -> dict[str, list[str]]:
    """{"would run": reasons now, "ran": reasons of the last run}; no reason: it would not, or is not known.

    Raises:
        AutoGLMError: a run is at work.
    """
    now = status(root)
    if now is None:
        raise AutoGLMError(AT_WORK)
    last = root / BEFORE / f"{stage}.json"
    ran: list[str] = []
    if last.is_file():
        before, after = json.loads(last.read_text()), locked_entry(stage, root)
        ran = _differences(stage, before, after, root) if before else ["it had never run here"]
    return {"would run": now[stage], "ran": ran}


def status(root: Path = Path()) -> dict[str, list[str]] | None:
    """{stage: reasons for which it would run}, an empty list: it would not. None: a run is at work on them."""
    from dvc.lock import LockError
    from dvc.repo import Repo

    try:
        with Repo(str(root), _wait_for_lock=True) as repo:
            raw = repo.status(targets=list(STAGES))
    except LockError:
        return None
    project, found = Project(root), {}
    dirty: list[str] = []
    for stage in STAGES:
        entry = locked_entry(stage, root)
        reasons = _reasons(raw.get(stage, []), entry) if entry else ["it has never run here"]
        if entry:
            reasons += _code_changes(_old_code(stage, entry, root), code_key(project, stage))
        found[stage] = reasons or ([f"perhaps, after {dirty[0]}"] if dirty else [])
        dirty += [stage] if reasons else []
    return found


def remember(stage: str, root: Path = Path()) -> None:
    """Keep what dvc.lock says of ``stage``, which is about to run."""
    save_json(root / BEFORE / f"{stage}.json", locked_entry(stage, root))


def locked_entry(stage: str, root: Path = Path()) -> dict[str, Any]:
    """{"deps": {path: hash}, "params": {name: value}} of ``stage`` in dvc.lock; empty when it is not there."""
    entry = locked_stages(root).get(stage)
    if entry is None:
        return {}
    params = entry.get("params", {}).get("params.yaml", {})
    return {"deps": {dep["path"]: dep.get("md5") for dep in entry.get("deps", [])}, "params": flat(params)}


def _reasons(raw: list[Any], entry: Mapping[str, Any]) -> list[str]:
    """DVC's status of one stage in words; its code key is told from the sources instead."""
    told: list[str] = []
    for item in raw:
        if isinstance(item, str):
            told.append(item)
            continue
        for path, change in item.get("changed deps", {}).items():
            if path == "params.yaml":
                told += [f"params {name} {word}" for name, word in change.items()]
            elif not path.startswith(CODE_KEYS.as_posix()):
                told.append(f"input {path} {change}")
        told += [f"output {path} {change}" for path, change in item.get("changed outs", {}).items()]
    return told


def _differences(stage: str, before: Mapping[str, Any], after: Mapping[str, Any], root: Path) -> list[str]:
    told = []
    for path in sorted({*before["deps"], *after.get("deps", {})}):
        old, new = before["deps"].get(path), after.get("deps", {}).get(path)
        if old == new:
            continue
        if path.startswith(CODE_KEYS.as_posix()):
            told += _code_changes(_old_code(stage, before, root), _old_code(stage, after, root)) or [
                "code changed"
            ]
        else:
            told.append(f"input {path} {'new' if old is None else 'gone' if new is None else 'modified'}")
    for name in sorted({*before["params"], *after.get("params", {})}):
        old, new = before["params"].get(name), after.get("params", {}).get(name)
        if old != new:
            told.append(f"params {name} {old} -> {new}")
    return told or ["an output was missing or changed"]


def _code_changes(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> list[str]:
    if before is None or after is None:
        return ["code changed"]
    words = {(True, True): "changed", (False, True): "new", (True, False): "gone"}
    names = sorted({*before, *after})
    return [f"code {n} {words[n in before, n in after]}" for n in names if before.get(n) != after.get(n)]


def _old_code(stage: str, entry: Mapping[str, Any], root: Path) -> dict[str, str] | None:
    """The code key that ``entry`` was made with: DVC's cache has it under its hash."""
    oid = entry["deps"].get((CODE_KEYS / f"{stage}.json").as_posix())
    path = root / ".dvc/cache/files/md5" / str(oid)[:2] / str(oid)[2:]
    found: dict[str, str] | None = json.loads(path.read_text()) if oid and path.is_file() else None
    return found


def _told(stage: str, found: Mapping[str, list[str]]) -> list[str]:
    now, ran = found["would run"], found["ran"]
    lines = [f"{stage} would run:", *(f"  {reason}" for reason in now)] if now else [f"{stage} is up to date"]
    return lines + ([f"{stage} last ran:", *(f"  {reason}" for reason in ran)] if ran else [])
