"""Back to an earlier release, from Prefect's UI; on a command line: autoglm rollback."""

from __future__ import annotations

import os

from prefect import flow

from flows.server import ROOT
from openautoglm.params import Params
from tasks.deliver import draw_chain, store_of
from tasks.registry import champion
from tasks.tracking import tried


@flow(name="rollback", log_prints=True, persist_result=False)
def rollback(reason: str, to: str = "") -> str:
    """Point the channel at an earlier release. No training, no download where a node still holds it.

    Args:
        reason: what was wrong; it is logged.
        to: version or id; empty: the one before the release in service.
    """
    os.chdir(ROOT)
    params = Params.load()
    release = store_of(params).rollback(to or None, params.publish.channel, reason)
    tried(lambda: champion(params, ROOT))  # the pointer has moved: a retry would move it once more
    draw_chain(params, ROOT)
    print(f"{params.publish.channel} is at {release.id}")
    return release.id
