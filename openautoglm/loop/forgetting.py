"""What a killed `autoglm forget` left to do: the inbox has on record what was taken out, the store's log what came of it.

unfinished(Path("inbox"), ReleaseStore("releases"))
"""

from __future__ import annotations

from pathlib import Path

from openautoglm.corpus.forgotten import Forgotten, records
from openautoglm.release import ReleaseStore

FINISH = "autoglm forget --finish"


def unfinished(inbox: Path, store: ReleaseStore) -> list[Forgotten]:
    """Records that the store's log does not name, oldest first: the model or a cache may still know these documents."""
    found = records(inbox)
    noted = {entry["record"] for entry in store.log() if entry["kind"] == "forget"} if found else set()
    return [record for record in found if record.fingerprint not in noted]
