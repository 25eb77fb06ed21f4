"""What others drop into the inbox, and what the pipeline sets aside there."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from openautoglm.corpus import inbox as boxes
from openautoglm.errors import SourceError
from openautoglm.files import locked, write_atomic

SETTLED = 2.0  # seconds without a change after which a dropped file counts as whole


def adopt(inbox: Path) -> list[Path]:
    """Take in what something else dropped into the folder: it gets its number and content hash, as ``put`` gives them.

    A file that changed within the last seconds may still be written and waits for the next look; content that is there
    already is not kept twice, what cannot be read is set aside. Returns the new entries.
    """
    dropped = (
        [path for path in boxes.visible(inbox) if not boxes.is_named(path.name)] if inbox.is_dir() else []
    )
    taken = []
    for path in dropped:
        marks = _marks(path)
        if not marks or time.time() - max(changed for changed, _ in marks.values()) < SETTLED:
            continue
        before = boxes.names(inbox)
        try:
            entry = boxes.put(inbox, str(path))
        except SourceError as error:
            set_aside(inbox, path.name, str(error))
            continue
        if _marks(path) == marks:  # what was written meanwhile is another batch, of the next look
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if entry.name not in before:
            taken.append(entry)
    return taken


def _marks(path: Path) -> dict[Path, tuple[float, int]]:
    """(time of change, size) of ``path`` and all below it; empty where it is gone, or a link to nothing."""
    try:
        found = {part: part.stat() for part in (path, *path.rglob("*"))}
    except FileNotFoundError:
        return {}
    return {part: (stat.st_mtime, stat.st_size) for part, stat in found.items()}


def set_aside(inbox: Path, entry: str, report: str) -> Path:
    """Move ``entry`` to ``inbox/_aside``, with ``report`` (why) beside it; return where it is."""
    with locked(inbox):
        aside = inbox / boxes.ASIDE
        aside.mkdir(exist_ok=True)
        write_atomic(aside / f"{entry}.why.txt", f"{report}\n".encode())
        if (inbox / entry).exists():  # else a killed run was here before
            if (aside / entry).is_dir():  # an earlier try at the same
                shutil.rmtree(aside / entry)
            os.replace(inbox / entry, aside / entry)
        return aside / entry


def aside(inbox: Path) -> list[Path]:
    """The batches that were set aside."""
    return sorted(path for path in (inbox / boxes.ASIDE).glob("*") if not path.name.endswith(".why.txt"))
