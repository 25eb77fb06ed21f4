"""``autoglm verify``: every byte of a store against every other."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openautoglm.errors import AutoGLMError, Corrupt
from openautoglm.release.container import Delta
from openautoglm.release.layout import MOVES, manifest_name, pointer_name
from openautoglm.release.messages import listed
from openautoglm.release.release import SHA256, Release, unseal
from openautoglm.release.signature import signed_by

if TYPE_CHECKING:
    from openautoglm.release.store import ReleaseStore


def faults(store: ReleaseStore) -> list[str]:
    """What is wrong, a line each: blobs, manifests and signatures, the chains between them, pointers, log, nodes."""
    found: list[str] = []
    releases = _releases(store, found)
    sizes = _blobs(store, found)
    entries = _log(store, found)
    gone = {name for entry in entries if entry["kind"] == "removal" for name in entry["removed"]}
    for release in releases.values():
        _links(store, release, releases, gone, sizes, found)
    _pointers(store, releases, found)
    found += listed(store.storage)[1]
    moves = [entry for entry in entries if entry["kind"] in MOVES]
    there = {f"channels/{name}" for name in store.storage.names("channels")}
    there |= {manifest_name(version) for version in store.versions()}
    last = {entry["channel"]: entry["to"] for entry in moves}
    named = {pointer_name(channel) for channel, release in last.items() if release is not None}
    named |= {manifest_name(int(entry["release"][1:-13])) for entry in moves if entry["release"] not in gone}
    found += [f"{name}: is missing, the log names it" for name in sorted(named - there)]
    return found


def _releases(store: ReleaseStore, found: list[str]) -> dict[str, Release]:
    releases = {}
    for name in store.storage.names("manifests"):
        if name.endswith(".sig"):
            _signature(store, name, found)
            continue
        if not re.fullmatch(r"v\d{6,}\.json", name):
            found.append(f"manifests/{name}: is no manifest")
            continue
        try:
            release = store.get(int(name[1:-5]))
            releases[release.id] = release
        except AutoGLMError as error:
            found.append(f"manifests/{name}: {error.message}")
    return releases


def _signature(store: ReleaseStore, name: str, found: list[str]) -> None:
    """Whoever signed: what is there must be the signature of the manifest beside it."""
    manifest = store.storage.read(f"manifests/{name.removesuffix('.sig')}.json")
    try:
        signed_by(manifest or b"", store.storage.read(f"manifests/{name}") or b"", "the manifest beside it")
    except Corrupt as error:
        found.append(f"manifests/{name}: {error.message}")


def _blobs(store: ReleaseStore, found: list[str]) -> dict[str, int]:
    sizes = {}
    for name in store.storage.names("blobs"):
        digest, size = hashlib.sha256(), 0
        for part in store.storage.fetch(f"blobs/{name}", 0):
            digest.update(part)
            size += len(part)
        if not SHA256.fullmatch(name) or digest.hexdigest() != name:
            found.append(f"blobs/{name}: its bytes are not those of its name")
        else:
            sizes[name] = size
    return sizes


def _links(
    store: ReleaseStore,
    release: Release,
    releases: dict[str, Release],
    gone: set[str],
    sizes: dict[str, int],
    found: list[str],
) -> None:
    where = manifest_name(release.version)
    for blob, size in release.blobs().items():
        if sizes.get(blob) != size:
            found.append(f"{where}: names blob {blob} of {size} bytes, which is damaged or not there")
    weights, parent = release.weights, releases.get(release.parent or "")
    if release.parent and parent is None and release.parent not in gone:
        found.append(f"{where}: its parent {release.parent} is damaged or not there")
    if (
        weights.kind == "delta"
        and parent
        and (weights.base, weights.chain[:-1])
        != (
            parent.weights.root,
            parent.weights.chain,
        )
    ):
        found.append(f"{where}: its chain does not go on from its parent's")
    if weights.own.blob in sizes:
        _delta(store, release, where, found)


def _delta(store: ReleaseStore, release: Release, where: str, found: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "delta"
        with copy.open("wb") as file:
            for part in store.storage.fetch(f"blobs/{release.weights.own.blob}", 0):
                file.write(part)
        try:
            delta = Delta.load(copy)
        except Corrupt as error:
            found.append(f"{where}: its delta: {error.message}")
            return
        expected = (release.weights.base, release.weights.root, release.weights.size)
        if (delta.base, delta.target, delta.target_size) != expected:
            found.append(f"{where}: its delta leads from and to other weights than the manifest says")


def _pointers(store: ReleaseStore, releases: dict[str, Release], found: list[str]) -> None:
    for name in store.storage.names("channels"):
        channel = name.removesuffix(".json")
        try:
            value = unseal(store.storage.read(pointer_name(channel)) or b"", f"channels/{name}")
        except AutoGLMError as error:
            found.append(
                error.message
                if error.message.startswith("channels/")
                else f"channels/{name}: {error.message}"
            )
            continue
        if value.get("channel") != channel or value.get("release") not in releases:
            found.append(f"channels/{name}: points at {value.get('release')}, which is damaged or not there")


def _log(store: ReleaseStore, found: list[str]) -> list[dict[str, Any]]:
    """Give the entries that are sound."""
    entries = []
    for number, name in enumerate(store.storage.names("log"), start=1):
        if name != f"{number:06d}.json":
            found.append(f"log/{number:06d}.json: is missing")
            break
        try:
            entry = unseal(store.storage.read(f"log/{name}") or b"", f"log/{name}")
        except Corrupt as error:
            found.append(error.message)
            continue
        if entry.get("number") != number:
            found.append(f"log/{name}: is the entry {entry.get('number')}")
        entries.append(entry)
    return entries
