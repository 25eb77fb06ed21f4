"""dvc.lock: what every stage read and made when it last ran."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from openautoglm.files import write_atomic


def locked_stages(root: Path) -> dict[str, Any]:
    """{stage: its entry}; empty where DVC has not run yet."""
    from ruamel.yaml import YAML

    path = root / "dvc.lock"
    found = YAML(typ="safe").load(path.read_text()) if path.is_file() else None
    return dict((found or {}).get("stages", {}))


def made(entry: Mapping[str, Any]) -> dict[str, str]:
    """{output: its hash} of a stage's entry; an output that DVC does not keep has none."""
    return {out["path"]: str(out.get("md5", "")) for out in entry.get("outs", [])}


def save_stages(root: Path, stages: Mapping[str, Any]) -> None:
    """dvc.lock with these entries and no other."""
    from ruamel.yaml import YAML

    yaml, buffer = YAML(), BytesIO()
    yaml.default_flow_style = False
    yaml.dump({"schema": "2.0", "stages": dict(stages)}, buffer)
    write_atomic(root / "dvc.lock", buffer.getvalue())
