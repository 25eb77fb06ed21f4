"""A channel: the pointer to the release that its nodes serve. Only it is ever written over.

{"format", "channel", "release", "fence": the highest token of a lease under which it was moved}
"""

from __future__ import annotations

from contextlib import suppress

from openautoglm.errors import Conflict
from openautoglm.release.layout import pointer_name
from openautoglm.release.release import seal, unseal
from openautoglm.release.storage import Storage


class Channel:
    def __init__(self, storage: Storage, name: str) -> None:
        self.storage, self.name, self.file = storage, name, pointer_name(name)

    def read(self) -> bytes | None:
        """The pointer as it is; None: nothing was published to it yet."""
        return self.storage.read(self.file)

    def release(self) -> str | None:
        """The id that it points at."""
        pointer = self.read()
        return str(unseal(pointer, f"channel {self.name}").get("release")) if pointer is not None else None

    def fence(self) -> int:
        return self._fence_of(self.read())

    def point(self, before: bytes | None, release: str, fence: int | None = None) -> bytes:
        """Replace the pointer ``before`` by one to ``release``, and return that.

        Raises:
            Conflict: somebody else moved it since, or did so under a later lease.
        """
        highest = self._fence_of(before)
        if fence is not None and fence < highest:
            raise Conflict(
                f"{self.name} was moved under a later training lease ({highest}) than this run's ({fence}); "
                "that run does what is left to do"
            )
        fenced = {"fence": max(fence or 0, highest)} if fence or highest else {}
        pointer = seal({"format": 1, "channel": self.name, "release": release, **fenced})
        if not self.storage.swap(self.file, before, pointer):
            raise Conflict(f"{self.name} was moved by somebody else meanwhile; look at it and try again")
        return pointer

    def back(self, moved: bytes | None, release: str | None) -> None:
        """Point at ``release`` (None: at nothing) again, as before it became ``moved``; whoever moved it on since, stays."""
        if self.read() != moved:
            return
        if release is None:
            self.storage.remove(self.file)
        else:
            with suppress(Conflict):
                self.point(moved, release)

    def _fence_of(self, pointer: bytes | None) -> int:
        return int(unseal(pointer, f"channel {self.name}").get("fence") or 0) if pointer else 0
