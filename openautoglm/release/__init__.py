"""Releases: what is published, how it travels, and how a node gets it back bit for bit.

``diff`` and ``apply`` are the delta; ``build`` makes a candidate; ``ReleaseStore`` publishes it; ``pull`` serves a node.
"""

from openautoglm.release.candidate import build
from openautoglm.release.delta import Delta, apply, diff
from openautoglm.release.node import Pulled, keep_rehearsed, materialise, pull
from openautoglm.release.release import Release
from openautoglm.release.store import ReleaseStore

__all__ = [
    "Delta",
    "Pulled",
    "Release",
    "ReleaseStore",
    "apply",
    "build",
    "diff",
    "keep_rehearsed",
    "materialise",
    "pull",
]
