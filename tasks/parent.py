"""The release that a model trains on from and is compared with, as a folder on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from openautoglm.files import PARENTS

if TYPE_CHECKING:
    from openautoglm.params import Params


def parent_dir(params: Params, root: Path = Path(".")) -> Path | None:
    """``.autoglm/parents/<id>`` with the files of release ``train.parent``, built when missing, from an earlier one there
    where that moves less; None without a parent.

    Every byte is checked against the release's manifest, so what lies there is what its id names.

    Raises:
        UnknownRelease: the store has no such release.
        Corrupt: what the store holds is not what was published.
    """
    if params.train.parent is None:
        return None
    from openautoglm.release import materialise
    from tasks.deliver import store_of

    store = store_of(params, root)
    release = store.get(params.train.parent)
    earlier = {path.name: path for path in (root / PARENTS).glob("v*") if path.is_dir()}
    return materialise(store, release, root / PARENTS / release.id, earlier)


def parent_batches(params: Params, root: Path = Path(".")) -> list[str]:
    """The batches that release ``train.parent`` was made from.

    Raises:
        UnknownRelease: the store has no such release.
        ParamsError: its manifest does not name them, as it was published by an earlier version.
    """
    from openautoglm.errors import ParamsError
    from tasks.deliver import store_of

    assert params.train.parent is not None
    found: list[str] | None = store_of(params, root).get(params.train.parent).facts["data"].get("batches")
    if found is None:
        raise ParamsError(
            f"train.parent: {params.train.parent} does not say which batches it has seen; "
            "set continual.mode to finetune or analytic for one release"
        )
    return found
