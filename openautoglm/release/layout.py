"""What lies where in a release store.

manifests/v000007.json   one release (release.py); created once, never written again
manifests/v000007.sig    who signed it (signature.py), where the publisher has a key
blobs/<sha256>           what manifests name
channels/stable.json     the release that nodes of a channel serve
log/000012.json          one publish, promotion, rejection, rollback or removal (gc.py)
nodes/<node>.json        what a node says of itself (messages.py)
"""

from __future__ import annotations

import re

from openautoglm.errors import UnknownRelease

MOVES = ("publish", "promotion", "rollback", "undo")  # kinds of log entries that move a channel
CHANNEL = re.compile(r"[a-z0-9][a-z0-9._-]*")


def manifest_name(version: int) -> str:
    return f"manifests/v{version:06d}.json"


def signature_name(version: int) -> str:
    return f"manifests/v{version:06d}.sig"


def pointer_name(channel: str) -> str:
    if not CHANNEL.fullmatch(channel):
        raise UnknownRelease(f"{channel!r} is no channel name; use small letters, digits, dot and dash")
    return f"channels/{channel}.json"
