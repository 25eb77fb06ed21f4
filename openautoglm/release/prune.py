"""What is let go, so that a disk does not fill with every version there ever was: on a node, and beside a publisher."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection
from pathlib import Path

from openautoglm.errors import AutoGLMError
from openautoglm.files import locked
from openautoglm.release.node import alone, current, held
from openautoglm.release.release import ID, Release
from openautoglm.release.store import ReleaseStore

STALE = 3600.0  # seconds after which a temporary folder is one that a killed run left
KEEP = 4  # versions: the current one, where a rollback leads, and bases for the next delta


def prune(to: Path, keep: int = KEEP) -> list[str]:
    """Remove all but the ``keep`` newest versions, the current one and its chain's anchor; give the removed ids.

    The anchor stays because a catch-up delta starts from it. What is gone can be pulled again.
    """
    with alone(to):
        versions = held(to)
        stays = {current(to), *sorted(versions)[-max(keep, 1) :]}
        stays |= {_anchor(to, name) for name in stays if name}
        gone = [name for name in versions if name not in stays]
        for name in gone:
            # the manifest first: a version without one is not held
            (to / "manifests" / f"{name}.json").unlink()
            (to / "manifests" / f"{name}.sig").unlink(missing_ok=True)
            shutil.rmtree(versions[name], ignore_errors=True)
    return gone


def prune_materialised(
    folder: Path, store: ReleaseStore, channel: str, keep: Collection[str] = ()
) -> list[str]:
    """Of releases written out to ``folder``/<id>, keep what the next run needs; give the names of what went.

    That is the channel's head (the next delta's base), the head's parent (where a rollback leads), its anchor (where a
    catch-up delta starts), and the ids in ``keep``. Temporary folders go an hour after their last change. All of it can
    be written out again.
    """
    head = store.head(channel)
    stays = {*keep, *((head.id, head.parent, head.weights.chain[0].release) if head else ())}
    with locked(folder):
        gone = [path for path in sorted(folder.glob("*")) if path.name not in stays and _may_go(path)]
        for path in gone:
            shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in gone]


def drop_materialised(folder: Path) -> None:
    """All of them. The folder stays: whoever waits to write into it waits for its lock."""
    with locked(folder):
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _may_go(path: Path) -> bool:
    if ID.fullmatch(path.name):
        return True
    return path.is_dir() and time.time() - path.stat().st_mtime > STALE


def _anchor(to: Path, name: str) -> str | None:
    try:
        return Release.load(to / "manifests" / f"{name}.json").weights.chain[0].release
    except AutoGLMError:
        return None
