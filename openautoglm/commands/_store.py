"""What the commands that read the release store share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from openautoglm.commands._checkout import root
from openautoglm.errors import ReleaseError, UserError
from openautoglm.files import located
from openautoglm.params import Params
from openautoglm.release import ReleaseStore
from openautoglm.release.signature import Trust


def open_store(url: str | None, trust: Sequence[Path] = ()) -> tuple[ReleaseStore, str]:
    """The store at ``url``, or the one that the checkout around us names, and its channel.

    With files of public keys in ``trust``, only releases that one of them signed come out of it.

    Raises:
        ReleaseError: no URL given and no checkout around us to look one up in.
    """
    if url:
        return ReleaseStore(url, Trust.load(trust)), "stable"
    try:
        folder = root()
    except UserError as error:
        raise ReleaseError(f"which store? {error}, or give --store FOLDER-OR-URL") from None
    return store_of(folder, trust)


def store_of(folder: Path, trust: Sequence[Path] = ()) -> tuple[ReleaseStore, str]:
    """The store and the channel of the checkout ``folder``."""
    publish = Params.load(folder / "params.yaml").publish
    return ReleaseStore(located(folder, publish.store), Trust.load(trust)), publish.channel


def megabytes(size: int | float) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 10_000 else f"{size / 1e3:.1f} kB"
