"""The release that a model trains on from and is compared with, as a folder on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openautoglm.params import Params


def parent_dir(params: Params, root: Path = Path(".")) -> Path | None:
    """``.autoglm/parents/<id>`` with the files of release ``train.parent``, fetched when missing; None without a parent.

    Every byte is checked against the release's manifest, so what lies there is what its id names.

    Raises:
        UnknownRelease: the store has no such release.
        Corrupt: what the store holds is not what was published.
    """
    if params.train.parent is None:
        return None
    from openautoglm.release import ReleaseStore
    from openautoglm.release.node import materialise

    url = params.publish.store
    store = ReleaseStore(url if "://" in url else root / url)
    release = store.get(params.train.parent)
    return materialise(store, release, root / ".autoglm/parents" / release.id)
