"""autoglm status"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from openautoglm.commands._checkout import root
from openautoglm.errors import AutoGLMError
from openautoglm.files import located
from openautoglm.params import Params


@click.command(epilog="Example: autoglm status --json")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> None:
    """What is in service, what the inbox holds, which stages would run, which servers are up."""
    from openautoglm.corpus.inbox import names

    folder = root()
    params = Params.load(folder / "params.yaml")
    found = {
        "release": _head(folder),
        "channel": params.publish.channel,
        "inbox": names(located(folder, params.ingest.inbox)),
        "stages": _stages(folder),
        "servers": servers(folder),
    }
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(_told(found)))


def servers(folder: Path) -> dict[str, str]:
    """{name: URL, or "running"} of the servers of `autoglm up` that live."""
    import psutil

    found = {}
    for path in sorted((folder / ".autoglm/servers").glob("*.json")):
        record = json.loads(path.read_text())
        if (
            psutil.pid_exists(record["pid"])
            and abs(psutil.Process(record["pid"]).create_time() - record["started"]) < 0.05
        ):
            found[path.stem] = record["url"] or "running"
    return found


def _told(found: Mapping[str, object]) -> list[str]:
    release, inbox, stages, live = found["release"], found["inbox"], found["stages"], found["servers"]
    assert isinstance(inbox, list)
    assert isinstance(stages, dict)
    assert isinstance(live, dict)
    lines = [
        f"release   {release or 'none yet'} ({found['channel']})",
        f"inbox     {', '.join(inbox) or 'empty'}",
    ]
    pending = {stage: reasons for stage, reasons in stages.items() if reasons}
    lines += [f"would run {stage}: {'; '.join(reasons)}" for stage, reasons in pending.items()]
    if not pending:
        lines.append("stages    all up to date")
    return lines + ([f"{name:<9} {url}" for name, url in live.items()] or ["servers   none; autoglm up"])


def _head(folder: Path) -> str | None:
    from openautoglm.commands._store import store_of

    store, channel = store_of(folder)
    release = store.head(channel)
    return None if release is None else str(release.id)


def _stages(folder: Path) -> dict[str, list[str]]:
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [sys.executable, "-m", "tasks", "status", "--json"],
        cwd=folder, env=os.environ | path, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise AutoGLMError((done.stderr.strip().splitlines() or ["dvc status failed"])[-1])
    stages: dict[str, list[str]] = json.loads(done.stdout)
    return stages
