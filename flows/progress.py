"""How far training is, as a bar in Prefect's UI: an artifact that follows the file which training writes.

    with training_shown():
        bring_up_to_date("train")

Training knows nothing of this. Where nothing is trained (DVC had it, or only a head is solved) there is no bar, and
whatever goes wrong here stops no training.
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.server import ROOT

EVERY = 2.0  # seconds between looks, and so between updates
TAIL = 8192  # bytes; more than the last few lines


@contextmanager
def training_shown(root: Path = ROOT, every: float = EVERY) -> Iterator[None]:
    """Show the progress of whatever trains below ``root`` in this block."""
    bar, over = _Bar(root / ".autoglm/train", time.time()), threading.Event()

    def follow() -> None:
        try:
            while not over.wait(every):
                bar.look()
            bar.look()
        except Exception as error:  # the bar is a comfort
            print(f"progress: not shown any more: {type(error).__name__}: {error}")

    # the artifact is the task run's, which the context tells
    thread = threading.Thread(target=contextvars.copy_context().run, args=(follow,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5.0)


@dataclass
class _Bar:
    """``since``: seconds since 1970; what was written before is another run's."""

    folder: Path
    since: float
    artifact: UUID | None = None
    shown: str = ""

    def look(self) -> None:
        """Update the bar, if there is something new."""
        found = latest(self.folder, self.since)
        if found is None or (text := describe(found)) == self.shown:
            return
        ended = found.get("event") == "ended"  # it may have stopped early
        share = 100.0 if ended else 100.0 * min(found["step"] / max(found["total"], 1), 1.0)
        if self.artifact is None:
            self.artifact = create_progress_artifact(share, key="training", description=text)  # type: ignore[assignment]
        else:
            update_progress_artifact(self.artifact, share, description=text)
        self.shown = text


def latest(folder: Path, since: float) -> dict[str, Any] | None:
    """The last line that tells step and total, of the run below ``folder`` that wrote last; None: none did ``since``."""
    files = {path: path.stat().st_mtime for path in folder.glob("*/metrics.jsonl")}
    path = max(files, key=files.__getitem__, default=None)
    if path is None or files[path] < since:
        return None
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - TAIL, 0))
        lines = file.read().decode(errors="replace").splitlines()
    for line in reversed(lines):
        try:
            row = json.loads(line)
        except ValueError:
            continue  # it is being written, or cut at the start of the tail
        if isinstance(row, dict) and {"step", "total"} <= row.keys() and row.get("time", since) >= since - 1:
            return row
    return None


def describe(row: dict[str, Any]) -> str:
    """A line of metrics.jsonl for reading."""
    parts = [f"step {row['step']} of {row['total']}"]
    if row.get("event") == "ended":
        parts.append("done")
    if row.get("loss") is not None:
        parts.append(f"loss {row['loss']:.3f}")
    if row.get("speed"):
        parts.append(f"{row['speed']:.0f} documents/s")
    return ", ".join(parts)
