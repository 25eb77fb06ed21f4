"""autoglm status"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from openautoglm.commands._checkout import root
from openautoglm.errors import AutoGLMError
from openautoglm.files import LEDGER
from openautoglm.params import Params

FEW = 3  # reasons of a stage that are told


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
        "inbox": names(folder / params.ingest.inbox),
        "batches": batches(folder),
        "training": trainer(folder),
        "forget": unfinished(folder),
        "stages": _stages(folder),
        "servers": servers(folder),
    }
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(_told(found)))


def servers(folder: Path) -> dict[str, str]:
    """{name: URL, or "running"} of the servers of `autoglm up` that live."""
    from openautoglm.loop.servers import FOLDER, record

    names = [path.stem for path in sorted((folder / FOLDER).glob("*.json"))]
    found = {name: record(folder / FOLDER, name) for name in names}
    return {name: str(row["url"] or "running") for name, row in found.items() if row}


def batches(folder: Path) -> list[dict[str, Any]]:
    """The ledger: what became of each batch."""
    from openautoglm.loop import Ledger

    path = folder / LEDGER
    found = Ledger(path).batches() if path.is_file() else []
    return [
        {"entry": one.entry, "state": one.state, "release": one.release, "tries": one.tries, "why": one.why}
        for one in found
    ]


def trainer(folder: Path) -> str | None:
    """Who holds the training lease."""
    from openautoglm.loop.lease import holder_of

    return holder_of(folder / LEDGER) if (folder / LEDGER).is_file() else None


def unfinished(folder: Path) -> dict[str, Any] | None:
    """What a killed `autoglm forget` left: how many documents, since when, why, and the command that ends it."""
    from openautoglm.commands._store import store_of
    from openautoglm.loop.forgetting import FINISH, unfinished

    inbox = folder / Params.load(folder / "params.yaml").ingest.inbox
    found = unfinished(inbox, store_of(folder)[0])
    if not found:
        return None
    documents = sum(record.documents for record in found)
    return {"documents": documents, "since": found[0].when, "why": found[0].reason, "finish": FINISH}


def told_of_forget(left: Mapping[str, Any], training: object) -> str:
    told = f"{left['documents']} documents, asked for at {left['since']}, are not out of everything yet"
    return f"{told}; " + (f"wait for {training}, then " if training else "") + f"`{left['finish']}` ends it"


def _told(found: Mapping[str, object]) -> list[str]:
    release, inbox, stages, live = found["release"], found["inbox"], found["stages"], found["servers"]
    assert isinstance(inbox, list)
    assert isinstance(live, dict)
    lines = [
        f"release   {release or 'none yet'} ({found['channel']})",
        f"inbox     {', '.join(inbox) or 'empty'}",
        *_told_of_batches(found["batches"], inbox),
        f"training  {found['training'] or 'nobody'}",
    ]
    if isinstance(left := found["forget"], dict):
        lines.append(f"forget    {told_of_forget(left, found['training'])}")
    lines += _told_of_stages(stages)
    return lines + ([f"{name:<9} {url}" for name, url in live.items()] or ["servers   none; autoglm up"])


def _told_of_stages(stages: Any) -> list[str]:
    if stages is None:
        return ["stages    a run is at work on them"]
    pending = {stage: reasons for stage, reasons in stages.items() if reasons}
    lines = []
    for stage, reasons in pending.items():
        more = f"; ... autoglm why {stage}" if len(reasons) > FEW else ""
        lines.append(f"would run {stage}: {'; '.join(reasons[:FEW])}{more}")
    return lines or ["stages    all up to date"]


def _told_of_batches(rows: Any, inbox: list[str]) -> list[str]:
    """How many are done, and what is to be known of the others."""
    found = Counter(row["state"] for row in rows)
    found["not looked at yet"] = len(set(inbox) - {row["entry"] for row in rows})
    lines = [f"batches   {', '.join(f'{n} {state}' for state, n in found.items() if n) or 'none'}"]
    for row in rows:
        if row["state"] != "published":
            why = f": {row['why']}" if row["why"] else ""
            tries = f", tried {row['tries']} times" if row["tries"] else ""
            lines.append(f"  {row['state']:<8} {row['entry']}{tries}{why}")
    return lines


def _head(folder: Path) -> str | None:
    from openautoglm.commands._store import store_of

    store, channel = store_of(folder)
    release = store.head(channel)
    return None if release is None else str(release.id)


def _stages(folder: Path) -> dict[str, list[str]] | None:
    """{stage: why it would run}; None: a run is at work on them."""
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [sys.executable, "-m", "tasks", "status", "--json"],
        cwd=folder, env=os.environ | path, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise AutoGLMError((done.stderr.strip().splitlines() or ["dvc status failed"])[-1])
    stages: dict[str, list[str]] | None = json.loads(done.stdout)
    return stages
