"""The release store: what was ever published, which of it is in service, and who did what when. layout.py names its files.

A publish writes blobs, then the manifest, its signature, the pointer, the log: whoever reads sees the old version or the new
one. Nothing here deletes anything, or rewrites anything but a pointer.
"""

from __future__ import annotations

import re
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from openautoglm.errors import Conflict, Corrupt, ReleaseError, UnknownRelease
from openautoglm.files import fresh_dir, sha256_file
from openautoglm.release import log
from openautoglm.release.channel import Channel
from openautoglm.release.layout import CHANNEL, manifest_name, signature_name
from openautoglm.release.places import open_storage
from openautoglm.release.release import MANIFEST, Release
from openautoglm.release.signature import Signer, Trust


class ReleaseStore:
    """``ReleaseStore("releases")``, ``ReleaseStore("s3://bucket/prefix")``; opening makes and changes nothing.

    With ``trust``, a release that none of its keys signed does not come out of here.
    """

    def __init__(self, url: str | Path, trust: Trust | None = None) -> None:
        self.url, self.trust = str(url), trust
        self.storage = open_storage(self.url)

    def __repr__(self) -> str:
        return f"ReleaseStore({self.url}, {len(self.versions())} versions)"

    # reading

    def versions(self) -> list[int]:
        """The version numbers that exist, ascending; rejected candidates have none."""
        names = self.storage.names("manifests")
        return sorted(int(name[1:-5]) for name in names if re.fullmatch(r"v\d{6,}\.json", name))

    def next_version(self) -> int:
        return max(self.versions(), default=0) + 1

    def head(self, channel: str = "stable") -> Release | None:
        """What ``channel`` points at; None where nothing was published to it yet."""
        release = Channel(self.storage, channel).release()
        return self.get(release) if release else None

    def get(self, ref: str | int) -> Release:
        """A release by version (2, "2", "v000002"), id or channel.

        Raises:
            UnknownRelease: there is none; the message lists what there is.
            Corrupt: its manifest was altered.
            Untrusted: it is not signed by a key that was asked for.
        """
        text = str(ref)
        if match := re.fullmatch(r"v?0*(\d+)(-[0-9a-f]{12})?", text):
            number = int(match[1])
            data = self.storage.read(manifest_name(number))
            if data is not None:
                if self.trust:
                    self.trust.check(data, self.signature(number), manifest_name(number))
                release = Release.parse(data, manifest_name(number))
                if release.version != number:
                    raise Corrupt(f"{manifest_name(number)}: holds the manifest of {release.id}")
                if not match[2] or text.endswith(release.id[-13:]):
                    return release
        elif CHANNEL.fullmatch(text) and (release_at := self.head(text)):
            return release_at
        raise UnknownRelease(f"no release {text!r} in {self.url}; there are {self._known()}", ref=text)

    def signature(self, version: int) -> bytes | None:
        """The signature file of a manifest, as it is."""
        return self.storage.read(signature_name(version))

    def find(self, fingerprint: str) -> Release | None:
        """The release with exactly this content, if it was published before; the latest, should there be several."""
        for version in reversed(self.versions()):
            release = self.get(version)
            if release.fingerprint == fingerprint:
                return release
        return None

    def restore(self, release: Release, out: Path) -> None:
        """Write the candidate folder that ``release`` was published from: its manifest and the blobs that it brought."""
        try:
            parent = self.get(release.parent).blobs() if release.parent else {}
        except UnknownRelease:  # removed by a gc, which keeps what a delta is based on: this is an anchor
            parent = {}
        with fresh_dir(out) as folder:
            (folder / "blobs").mkdir()
            for blob in release.blobs().keys() - parent.keys():
                with (folder / "blobs" / blob).open("wb") as file:
                    file.writelines(self.storage.fetch(f"blobs/{blob}", 0))
            release.save(folder / MANIFEST)

    def log(self) -> list[dict[str, Any]]:
        """All entries, oldest first: kind, who, when, why; of a release, unlike a removal: release, channel, from, to."""
        return log.entries(self.storage)

    # writing

    def publish(
        self, candidate: Path, channel: str = "stable", why: str = "", fence: int | None = None
    ) -> Release:
        """Put a candidate folder into the store and point ``channel`` at it.

        ``fence`` is the token of the publisher's lease. The pointer keeps the highest one that moved it, and a lower
        one moves it no more: a publisher that slept through its lease changes nothing.

        Publishing the same content again changes nothing and gives the release that is there; a publish that died on
        the way is finished by the next one of the same candidate.

        Raises:
            Conflict: somebody else published since the candidate was built, or holds the lease by now.
            Corrupt: a blob of the candidate is not what its manifest says, or is missing.
        """
        release, signer = Release.load(candidate / MANIFEST), Signer.from_environment()
        existing = self.find(release.fingerprint)
        if existing and (channels := self.channels_of(existing)):
            return existing if channel in channels else self.promote(existing.id, channel, why, fence)
        before, head = Channel(self.storage, channel).read(), self.head(channel)
        if existing and (head.id if head else None) not in (existing.id, existing.parent):
            existing = None  # taken back, and the channel went on without it: only the candidate fits
        release = existing or release  # there, but not in the log: a publish that died on the way
        if head and head.id == release.id:
            self._append("publish", release, channel, release.parent, why)
            return release
        if (head.id if head else None) != release.parent:
            raise Conflict(
                f"{channel} is at {head.id if head else 'nothing'}, {release.id} was built on "
                f"{release.parent or 'nothing'}; run the publish stage again"
            )
        # also for a manifest that is there: no pointer moves to what is not proven to be in the store, base and all
        self._put_blobs(release, candidate / "blobs")
        if not existing and not self.storage.create(manifest_name(release.version), release.manifest()):
            raise Conflict(
                f"v{release.version:06d} was published by somebody else; run the publish stage again"
            )
        if signer:
            self.storage.create(signature_name(release.version), signer.sign(release.manifest()))
        self._move("publish", channel, before, head, release, why, fence)
        return release

    def fence(self, channel: str) -> int:
        """The highest token that moved ``channel``; 0: it was never moved under a lease."""
        return Channel(self.storage, channel).fence()

    def reject(self, candidate: Path, channel: str, why: str) -> None:
        """Log that a candidate was not published. Saying the same of the same candidate again adds nothing."""
        release = Release.load(candidate / MANIFEST)
        gates = [gate for gate in release.facts.get("gates") or [] if not gate.get("passed")]
        for entry in self.log():
            if (entry["kind"], entry.get("fingerprint"), entry.get("gates")) == (
                "rejection",
                release.fingerprint,
                gates,
            ):
                return
        head = self.head(channel)
        self._append("rejection", release, channel, head.id if head else None, why, gates=gates)

    def rollback(self, to: str | int | None = None, channel: str = "stable", reason: str = "") -> Release:
        """Point ``channel`` at an earlier release (by default the head's parent) and log why.

        Raises:
            UnknownRelease: no such release, or nothing before the head.
            ReleaseError: no reason given.
        """
        if not reason.strip():
            raise ReleaseError("a rollback needs a reason; give --reason 'what was wrong'")
        before, head = Channel(self.storage, channel).read(), self.head(channel)
        if head is None:
            raise UnknownRelease(f"channel {channel} of {self.url} points at nothing yet; publish first")
        if to is None and head.parent is None:
            raise UnknownRelease(f"{head.id} is the first release of {channel}; there is nothing before it")
        release = self.get(to if to is not None else str(head.parent))
        if release.id != head.id:
            self._move("rollback", channel, before, head, release, reason)
        return release

    def promote(self, ref: str | int, channel: str, why: str, fence: int | None = None) -> Release:
        """Point another channel at a release that exists."""
        release, before, head = self.get(ref), Channel(self.storage, channel).read(), self.head(channel)
        if head is None or head.id != release.id:
            self._move("promotion", channel, before, head, release, why, fence)
        return release

    def take_back(self, ref: str, before: str | None, channel: str, why: str) -> None:
        """Undo the publication of ``ref``, of which something after it failed, also where that was a full disk.

        Whoever moved on meanwhile, stays.
        """
        pointer = Channel(self.storage, channel)
        found, head, release = pointer.read(), self.head(channel), self.get(ref)
        if head is None or head.id != release.id:
            return
        with self.storage.on_reserve():
            # said first: a kill in between leaves a release that the next publish of it puts in service again
            self._undo(release, before, channel, why)
            pointer.back(found, before)

    def verify(self) -> list[str]:
        """Every fault of the store, as ``file: what is wrong``; empty when all holds."""
        from openautoglm.release.verify import faults

        return faults(self)

    # parts

    def _put_blobs(self, release: Release, folder: Path) -> None:
        for blob, size in release.blobs().items():
            name, source = f"blobs/{blob}", folder / blob
            if not source.is_file():
                if self.storage.size(name) != size:
                    raise Corrupt(
                        f"{release.id}: blob {blob[:12]} is neither in the candidate nor in {self.url}"
                    )
            elif sha256_file(source) != blob or source.stat().st_size != size:
                raise Corrupt(
                    f"{source.name[:12]}: is not the blob of {release.id}; run the publish stage again"
                )
            elif self.storage.size(name) != size:
                self.storage.put(name, source)
                if self.storage.size(name) != size:
                    raise ReleaseError(
                        f"{self.url}: did not keep blob {blob[:12]} of {size} bytes; publish again"
                    )

    def _move(
        self,
        kind: str,
        channel: str,
        before: bytes | None,
        head: Release | None,
        release: Release,
        why: str,
        fence: int | None = None,
    ) -> None:
        """Point ``channel`` from ``head`` at ``release`` and log it: both or none."""
        pointer, is_way_back = Channel(self.storage, channel), kind == "rollback"
        earlier = head.id if head else None
        with suppress(ReleaseError) if is_way_back else nullcontext():
            self.storage.reserve()
        with self.storage.on_reserve() if is_way_back else nullcontext():
            moved = pointer.point(before, release.id, fence)
            try:
                self._append(kind, release, channel, earlier, why)
            except BaseException as error:
                with self.storage.on_reserve():
                    if (
                        kind == "publish"
                    ):  # else it would be taken for a release that was never on the channel
                        with suppress(ReleaseError):
                            self._undo(release, earlier, channel, f"not logged: {error}")
                    pointer.back(moved, earlier)
                raise

    def _undo(self, release: Release, before: str | None, channel: str, why: str) -> None:
        what = {"release": release.id, "fingerprint": release.fingerprint, "channel": channel}
        self.note("undo", **what, **{"from": release.id, "to": before}, why=why)

    def channels_of(self, release: Release) -> set[str]:
        """The channels that the log says this release was ever put on, and not taken back from."""
        return log.channels_of(self.log(), release.id)

    def _append(
        self, kind: str, release: Release, channel: str, before: str | None, why: str, **more: Any
    ) -> None:
        after = before if kind == "rejection" else release.id
        where = {"release": release.id, "fingerprint": release.fingerprint, "channel": channel}
        self.note(kind, **where, **{"from": before, "to": after}, why=why, **more)

    def note(self, kind: str, **facts: Any) -> None:
        """Append an entry to the log, with who and when."""
        log.append(self.storage, kind, facts)

    def _known(self) -> str:
        found = [f"v{version:06d}" for version in self.versions()]
        if not found:
            return "none yet; publish first"
        shown = found if len(found) <= 12 else [*found[:3], "...", *found[-8:]]
        return ", ".join(shown)
