"""What the commands that read the release store share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from openautoglm.errors import ReleaseError
from openautoglm.params import Params
from openautoglm.release import ReleaseStore
from openautoglm.release.signature import Trust


def open_store(url: str | None, trust: Sequence[Path] = ()) -> tuple[ReleaseStore, str]:
    """The store at ``url``, or the one that params.yaml names, and that file's channel.

    With files of public keys in ``trust``, only releases that one of them signed come out of it.

    Raises:
        ReleaseError: no URL given and no checkout around us to look one up in.
    """
    if url:
        return ReleaseStore(url, Trust.load(trust)), "stable"
    if not Path("params.yaml").is_file():
        raise ReleaseError("which store? found no params.yaml here; give --store FOLDER-OR-URL")
    publish = Params.load().publish
    return ReleaseStore(publish.store, Trust.load(trust)), publish.channel


def megabytes(size: int | float) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 10_000 else f"{size / 1e3:.1f} kB"
