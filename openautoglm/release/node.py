"""A serving node's folder: versions side by side, one of them current, every byte checked.

<to>/versions/v000002-3fa9c1d2e4b5/   exactly the files that were released
<to>/manifests/<id>.json              what they must be, and <id>.sig, who signed that
<to>/current → versions/<id>          switched by one rename
<to>/fetch/<sha256>.part              what a download left behind; the next one goes on from there
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from openautoglm.errors import AutoGLMError, Corrupt, UnknownRelease, WrongBase
from openautoglm.files import fresh_dir, fsync_dir, locked, sha256_file, write_atomic
from openautoglm.release.candidate import unpack
from openautoglm.release.delta import apply
from openautoglm.release.fetch import CandidateFirst, Fetcher
from openautoglm.release.release import MANIFEST, Link, Release
from openautoglm.release.signature import Trust
from openautoglm.release.store import ReleaseStore


@dataclass(frozen=True)
class Pulled:
    """What a pull did: ``route`` is held, delta, catch-up or anchor; ``seconds`` by step; ``fetched`` in bytes."""

    release: Release
    path: Path
    previous: str | None
    route: str
    fetched: int
    seconds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        plain = {name: value for name, value in asdict(self).items() if name not in ("release", "path")}
        return {"release": self.release.id, "path": str(self.path), **plain}

    def __repr__(self) -> str:
        return f"Pulled({self.release.id} by {self.route}, {self.fetched:,} bytes, {sum(self.seconds.values()):.2f} s)"


def pull(
    store_url: str,
    to: Path,
    ref: str | int | None = None,
    channel: str = "stable",
    switch: bool = True,
    trust: Trust | None = None,
) -> Pulled:
    """Bring ``to`` to a release (by default what ``channel`` points at) and make it the current one.

    Moves as few bytes as the versions already held allow. A pull that dies leaves the current version as it is.

    Raises:
        UnknownRelease: nothing published, or no such version.
        Corrupt: what came is not what was published, and fetching it again did not help.
        Untrusted: none of the keys in ``trust`` signed it.
    """
    store = ReleaseStore(store_url, trust)
    clock = _Clock()
    release = store.get(ref) if ref is not None else store.head(channel)
    if release is None:
        raise UnknownRelease(f"channel {channel} of {store_url} points at nothing yet; publish first")
    clock.lap("resolve")
    (to / "versions").mkdir(parents=True, exist_ok=True)
    with alone(to):
        fetcher = Fetcher(store.storage, to / "fetch")
        home = to / "versions" / release.id
        if is_whole(home, release):
            route = "held"
        else:
            route = _build(release, home, held(to), fetcher, clock)
            release.save(to / "manifests" / f"{release.id}.json")
            if signature := store.signature(release.version):
                write_atomic(to / "manifests" / f"{release.id}.sig", signature)
        clock.lap("verify")
        previous = current(to)
        if switch and previous != release.id:
            point(to, release.id)
            clock.lap("switch")
        fetcher.clear()
    return Pulled(release, home, previous, route, fetcher.fetched, clock.seconds)


def materialise(
    store: ReleaseStore, release: Release, to: Path, known: Mapping[str, Path] | None = None
) -> Path:
    """Write exactly the files of ``release`` to the folder ``to``; one process at a time.

    From the store, or by a delta from one of the ``known`` releases (id → folder); either way every byte is checked.
    """
    if is_whole(to, release):
        return to
    with locked(to.parent):
        if not is_whole(to, release):  # nobody else did it meanwhile
            fetcher = Fetcher(store.storage, to.parent / f".{to.name}.fetch")
            _build(release, to, dict(known or {}), fetcher, _Clock())
            fetcher.clear()
    return to


def rehearse(store: ReleaseStore, candidate: Path, known: dict[str, Path], to: Path) -> str:
    """Build a candidate that is not in the store yet into ``to``, as a node that holds ``known`` would; give the route."""
    release = Release.load(candidate / MANIFEST)
    fetcher = Fetcher(CandidateFirst(candidate, store.storage), to.parent / f".{to.name}.fetch")
    try:
        return _build(release, to, known, fetcher, _Clock())
    finally:
        fetcher.clear()


def keep_rehearsed(built: Path, to: Path) -> None:
    """A folder that :func:`rehearse` built takes its place among those that :func:`materialise` wrote."""
    with locked(to.parent):
        shutil.rmtree(to, ignore_errors=True)
        built.rename(to)


def current(to: Path) -> str | None:
    """The id of the version in service on this node."""
    try:
        return Path(os.readlink(to / "current")).name
    except OSError:
        return None


def sound(to: Path, name: str, trust: Trust | None = None) -> Path | None:
    """The folder of a version on this node, if it is byte for byte what was published, and signed where that is asked for."""
    manifest, home = to / "manifests" / f"{name}.json", to / "versions" / name
    try:
        release = Release.load(manifest)
        if trust:
            signature = manifest.with_suffix(".sig")
            trust.check(manifest.read_bytes(), signature.read_bytes() if signature.is_file() else None, name)
        return home if release.id == name and is_whole(home, release) else None
    except AutoGLMError:
        return None


def held(to: Path) -> dict[str, Path]:
    """The versions on this node whose manifest is at hand and sound, by id; their files are checked when used."""
    found = {}
    for manifest in sorted((to / "manifests").glob("*.json")):
        home = to / "versions" / manifest.stem
        try:
            if home.is_dir() and Release.load(manifest).id == manifest.stem:
                found[manifest.stem] = home
        except AutoGLMError:
            continue
    return found


def is_whole(home: Path, release: Release) -> bool:
    """Whether ``home`` holds exactly the release's files, byte for byte."""
    if not home.is_dir():
        return False
    expected = release.contents()
    found = {path.relative_to(home).as_posix() for path in home.rglob("*") if not path.is_dir()}
    return found == expected.keys() and all(
        sha256_file(home / name) == digest for name, digest in expected.items()
    )


def _build(release: Release, home: Path, known: dict[str, Path], fetcher: Fetcher, clock: _Clock) -> str:
    with fresh_dir(home) as folder:
        route = _weights(release, folder / release.weights.file, known, fetcher, clock)
        for name, stored in sorted(release.files.items()):
            out = folder / name
            out.parent.mkdir(parents=True, exist_ok=True)
            twin = next((path / name for path in known.values() if _holds(path / name, stored.sha256)), None)
            if twin:
                shutil.copyfile(twin, out)
            else:
                unpack(fetcher.blob(stored.blob, stored.stored), stored, out)
        clock.lap("files")
        if not is_whole(folder, release):
            raise Corrupt(
                f"{release.id}: what was built is not what was published; run autoglm verify on the store"
            )
        for path in folder.rglob("*"):
            if path.is_file():
                _sync(path)
    return route


def _weights(release: Release, out: Path, known: dict[str, Path], fetcher: Fetcher, clock: _Clock) -> str:
    """Try the ways to the weights from the cheapest on; a base that turns out to be damaged costs one more try."""
    out.parent.mkdir(parents=True, exist_ok=True)
    ways = sorted(_ways(release, known), key=lambda way: sum(link.size for link in way[2]))
    for number, (route, base, links) in enumerate(ways):
        try:
            deltas = fetcher.blobs({link.blob: link.size for link in links})
            clock.lap("fetch")
            _replay(base, deltas, out)
            if out.stat().st_size != release.weights.size or sha256_file(out) != release.weights.sha256:
                raise Corrupt(f"{release.id}: its deltas do not lead to the weights that its manifest names")
            clock.lap("apply")
            return route
        except (WrongBase, Corrupt, FileNotFoundError):
            if number == len(ways) - 1:
                raise
    raise AssertionError("the anchor is always a way")


def _ways(release: Release, known: dict[str, Path]) -> Iterator[tuple[str, Path | None, list[Link]]]:
    """(name, base file or None, deltas to apply) for every way from what is held, or from nothing, to the release."""
    weights = release.weights
    chain = list(weights.chain)
    for place, link in enumerate(chain[:-1]):
        if link.release in known:
            yield "delta", known[link.release] / weights.file, chain[place + 1 :]
    anchor = known.get(chain[0].release)
    if weights.catchup:
        if anchor:
            yield "catch-up", anchor / weights.file, [weights.catchup]
        yield "anchor", None, [chain[0], weights.catchup]
    yield "anchor", None, chain


def _replay(base: Path | None, deltas: list[Path], out: Path) -> None:
    steps = [out.with_name(f".step{number}") for number in range(len(deltas) - 1)]
    try:
        for delta, step in zip(deltas, [*steps, out], strict=True):
            apply(base, delta, step)
            base = step
    finally:
        for step in steps:
            step.unlink(missing_ok=True)


def point(to: Path, name: str) -> None:
    """Point ``current`` at a version that is there, in one rename: whoever opens it gets the old one or the new one."""
    temporary = to / ".current"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(Path("versions") / name)
    os.replace(temporary, to / "current")
    fsync_dir(to)


def _holds(path: Path, digest: str) -> bool:
    return path.is_file() and sha256_file(path) == digest


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def alone(to: Path) -> Iterator[None]:
    """One pull at a time into a folder; the lock goes with the process. What a killed pull left is removed."""
    with (to / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for leftover in (to / "versions").glob(".*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = round(self.seconds.get(step, 0.0) + now - self._last, 6)
        self._last = now
