"""Releases: exact deltas between weights, the store that holds them, the node that serves them."""

from openautoglm.release.container import Delta
from openautoglm.release.node import pull
from openautoglm.release.release import Release
from openautoglm.release.store import ReleaseStore

__all__ = ["Delta", "Release", "ReleaseStore", "pull"]
