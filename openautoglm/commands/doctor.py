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
from openautoglm.commands.status import batches, servers, told_of_forget, trainer, unfinished
from openautoglm.errors import AutoGLMError
from openautoglm.loop import servers as lookup
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
    if not (folder / "constraints.txt").is_file():
        raise AutoGLMError("constraints.txt is gone; git checkout constraints.txt")
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


def _server(folder: Path) -> str:
    # without these two everything works: the one is a person's own, the other is told of below
    if gone := [name for name in lookup.stale(folder / lookup.FOLDER) if name not in ("watch", "reports")]:
        raise AutoGLMError(
            f"{', '.join(gone)}: started here and gone, see .autoglm/logs; `autoglm up` starts them again"
        )
    api = lookup.api_url(folder)
    if api is None:
        return "none: a run starts a temporary one (10 s); events and schedules need `autoglm up`, or use `autoglm watch`"
    if not lookup.answers(f"{api}/health"):
        raise AutoGLMError(f"{api} does not answer; start it, unset PREFECT_API_URL, or `autoglm up`")
    return api


def _loop(folder: Path) -> str:
    """Whether an arriving batch starts a run, and the nightly retraining is on."""
    api = lookup.api_url(folder)
    if api is None or not lookup.answers(f"{api}/health"):
        return "off: no server" if "watch" not in servers(folder) else "autoglm watch takes what arrives"
    try:
        idle = lookup.why_idle(api)
        found = lookup.ask(api, "/deployments/filter", {"limit": 200})
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:  # nor what Prefect answers
        raise AutoGLMError(
            f"{api} does not answer as Prefect's API does ({error}); put PREFECT_API_URL right, or unset it"
        ) from None
    if idle:
        raise AutoGLMError(idle)
    if missing := {"continual", "pipeline", "retrain", "rollback"} - {row["name"] for row in found}:
        raise AutoGLMError(
            f"deployments are missing: {', '.join(sorted(missing))}; `autoglm up` deploys them"
        )
    schedules = {row["name"]: [one["active"] for one in row["schedules"]] for row in found}
    off = sorted(name for name in ("continual", "retrain") if not any(schedules[name]))
    if off:
        raise AutoGLMError(
            f"the schedule of {', '.join(off)} is paused; resume it in the UI, or `autoglm up`"
        )
    return "an arriving batch starts a run; swept every 5 minutes, retrained at night"


def _mlflow(folder: Path) -> str:
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if named and "://" not in named:
        raise AutoGLMError(f"MLFLOW_TRACKING_URI is {named}; give a URL such as sqlite:///mlflow.db")
    if named and named.startswith("http") and not lookup.answers(f"{named}/health"):
        raise AutoGLMError(
            f"{named} does not answer, so nothing can be published; start it, or unset MLFLOW_TRACKING_URI"
        )
    pages = lookup.running(folder / lookup.FOLDER, "mlflow")
    return f"records in {named or 'mlflow.db'}" + (
        f", pages at {pages}" if pages else ", no pages: `autoglm up`"
    )


def _reports(folder: Path) -> str:
    none = "not served: links to reports/ are file://, which no browser follows from Prefect; `autoglm up`"
    return lookup.reports_url(folder) or none


def _batches(folder: Path) -> str:
    rows = batches(folder)
    counts = {
        state: [row for row in rows if row["state"] == state]
        for state in ("pending", "running", "refused", "aside")
    }
    told = [f"{len(found)} {state}" for state, found in counts.items() if found]
    holder = trainer(folder)
    if counts["running"] and holder is None:
        told.append("left running by a run that died; the next run takes it up")
    if counts["aside"]:
        told.append("set aside: see inbox/_aside/*.why.txt, put it right and `autoglm ingest` it again")
    return ", ".join([*told, f"training: {holder or 'nobody'}"])


def _remote(folder: Path) -> str:
    """Whether the inbox that is shared can be reached."""
    from openautoglm.corpus.mirror import look

    remote = Params.load(folder / "params.yaml").ingest.remote
    if remote is None:
        return "none: inbox/ is given to here alone"
    return f"{remote}: {len(look(remote))} batches; a run, watch and the sweep begin with it"


def _forget(folder: Path) -> str:
    """Whether a killed `autoglm forget` left documents somewhere."""
    left, training = unfinished(folder), trainer(folder)
    if left is None:
        return "nothing is left to be forgotten"
    if training is None:
        raise AutoGLMError(told_of_forget(left, training))
    return told_of_forget(left, training)


CHECKS: dict[str, Check] = {
    "python": _python,
    "packages": _packages,
    "params": _params,
    "space": _space,
    "writable": _writable,
    "server": _server,
    "loop": _loop,
    "mlflow": _mlflow,
    "reports": _reports,
    "batches": _batches,
    "remote": _remote,
    "forget": _forget,
}
