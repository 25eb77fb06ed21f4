"""autoglm doctor"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from openautoglm.commands._checkout import root
from openautoglm.commands.status import servers
from openautoglm.errors import AutoGLMError
from openautoglm.params import Params

ROOM = 5e9  # bytes that a run on a small corpus and its cache take, roughly
# (package, first release that breaks something, what breaks)
TRAPS = (
    ("fastapi", (0, 151), "prefect's server does not import with it"),
    ("sqlalchemy", (2, 1), "prefect's schedules silently create no runs with it"),
)

Check = Callable[[Path], str]


@click.command(epilog="Example: autoglm doctor")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> None:
    """Look for what commonly goes wrong on a machine. Exit code 1 when something does."""
    folder, found = root(), []
    for name, check in CHECKS.items():
        try:
            found.append({"check": name, "ok": True, "found": check(folder)})
        except AutoGLMError as error:
            found.append({"check": name, "ok": False, "found": str(error)})
    told = [f"{'ok  ' if row['ok'] else 'FAIL'} {row['check']:<9} {row['found']}" for row in found]
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(told))
    if not all(row["ok"] for row in found):
        raise click.exceptions.Exit(1)


def _python(folder: Path) -> str:
    first = shutil.which("python", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    on_path = shutil.which("python")
    if on_path is None or Path(on_path).parent != Path(sys.executable).parent:
        return f"{first}; `dvc repro` from this shell would use {on_path}: activate the environment, or use autoglm run"
    return str(first)


def _packages(folder: Path) -> str:
    for name, bad, what in TRAPS:
        if tuple(int(part) for part in version(name).split(".")[:2]) >= bad:
            raise AutoGLMError(f"{name} {version(name)}: {what}; pip install -c constraints.txt -e .")
    pins = (
        line.partition("#")[0].strip().split("==")
        for line in (folder / "constraints.txt").read_text().splitlines()
    )
    other = [
        f"{pin[0]} {_installed(pin[0])} (tested: {pin[1]})"
        for pin in pins
        if len(pin) == 2 and _differs(*pin)
    ]
    return f"differ from constraints.txt: {', '.join(other[:5])}" if other else "as in constraints.txt"


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _differs(name: str, pinned: str) -> bool:
    found = _installed(name)
    return found is not None and found.partition("+")[0] != pinned.partition("+")[0]


def _params(folder: Path) -> str:
    Params.load(folder / "params.yaml")
    return "params.yaml holds"


def _space(folder: Path) -> str:
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise AutoGLMError(
            f"{free / 1e9:.1f} GB free, {ROOM / 1e9:.0f} GB are needed; dvc gc -w frees old outputs"
        )
    return f"{free / 1e9:.0f} GB free"


def _writable(folder: Path) -> str:
    names = ["data", "models", "reports", ".dvc"]
    shut = [name for name in names if (folder / name).exists() and not os.access(folder / name, os.W_OK)]
    if shut or not os.access(folder, os.W_OK):
        raise AutoGLMError(f"not writable: {', '.join(shut) or folder}")
    return "checkout is writable"


def _servers(folder: Path) -> str:
    if url := os.environ.get("PREFECT_API_URL"):
        return f"PREFECT_API_URL is {url}"
    live = servers(folder)
    told = ", ".join(f"{name} {url}" for name, url in live.items())
    return told or "none: a run starts a temporary one (10 s); triggers and schedules need `autoglm up`"


CHECKS: dict[str, Check] = {
    "python": _python,
    "packages": _packages,
    "params": _params,
    "space": _space,
    "writable": _writable,
    "servers": _servers,
}
