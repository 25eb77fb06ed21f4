"""What a node that follows a channel lets go, so that its disk does not fill with every version there ever was."""

from __future__ import annotations

import shutil
from pathlib import Path

from openautoglm.errors import AutoGLMError
from openautoglm.release.node import alone, current, held
from openautoglm.release.release import Release

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


def _anchor(to: Path, name: str) -> str | None:
    try:
        return Release.load(to / "manifests" / f"{name}.json").weights.chain[0].release
    except AutoGLMError:
        return None
