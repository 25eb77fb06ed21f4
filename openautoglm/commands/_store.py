"""What the commands that read the release store share."""

from __future__ import annotations

from pathlib import Path

from openautoglm.errors import ReleaseError
from openautoglm.params import Params
from openautoglm.release import ReleaseStore


def open_store(url: str | None) -> tuple[ReleaseStore, str]:
    """The store at ``url``, or the one that params.yaml names, and that file's channel.

    Raises:
        ReleaseError: no URL given and no checkout around us to look one up in.
    """
    if url:
        return ReleaseStore(url), "stable"
    if not Path("params.yaml").is_file():
        raise ReleaseError("which store? found no params.yaml here; give --store FOLDER-OR-URL")
    publish = Params.load().publish
    return ReleaseStore(publish.store), publish.channel


def megabytes(size: int | float) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 10_000 else f"{size / 1e3:.1f} kB"
