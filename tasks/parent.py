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


def read_ahead(params: Params, root: Path = Path(".")) -> None:
    """Bring into memory what train reads features with, where it starts from its parent's: for a thread beside the
    stages before it, which keep one core busy. What goes wrong here is told by train, which needs it.
    """
    from openautoglm.model.checkpoint import Checkpoint
    from openautoglm.train.feature_store import FeatureStore
    from openautoglm.train.features import Extractor

    if params.train.start == "parent" and params.continual.mode == "analytic":
        folder = parent_dir(params, root)
        if folder:
            knobs = params.train
            extractor = Extractor.of_checkpoint(Checkpoint.load(folder), knobs.weights, knobs.precision)
            extractor.warm_up()
            FeatureStore.of(root / ".autoglm/features", extractor)


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
