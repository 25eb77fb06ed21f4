"""A release: one immutable version, told by its manifest.

The manifest says what every file of the version is (sha256, size), which blob holds it and how to get from one to the
other, and where all of it came from. The fingerprint covers the files alone, so the same content is the same release
however and whenever it was built; the seal covers every byte of the manifest. Neither holds a time: times live in the
store's log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from openautoglm.errors import Corrupt, ReleaseError
from openautoglm.files import fingerprint, write_atomic

FORMAT = 1
WEIGHTS = "model.safetensors"
MANIFEST = "manifest.json"
MAX_MANIFEST = 16 << 20  # bytes
FACTS = ("gates", "metrics", "data", "params", "dvc_lock", "code", "libraries", "canary", "labels")
SHA256 = re.compile(r"[0-9a-f]{64}")
ID = re.compile(r"v(\d{6,})-[0-9a-f]{12}")


@dataclass(frozen=True)
class StoredFile:
    """A file of a release: ``sha256`` and ``size`` of itself, and the ``blob`` of ``stored`` bytes that holds it."""

    sha256: str
    size: int
    blob: str
    stored: int
    encoding: Literal["raw", "zstd"]


@dataclass(frozen=True)
class Link:
    """A delta that some release published: ``release`` is what it leads to."""

    release: str
    blob: str
    size: int


@dataclass(frozen=True)
class WeightsRecord:
    """The weights file: a full copy (``anchor``) or a delta on the parent's.

    ``chain`` leads from the last anchor to here, the anchor first; ``catchup`` goes from that anchor to here in one
    step, where that is cheaper.
    """

    file: str
    sha256: str
    size: int
    root: str
    base: str | None
    kind: Literal["anchor", "delta"]
    chain: tuple[Link, ...]
    catchup: Link | None = None

    @property
    def own(self) -> Link:
        return self.chain[-1]


@dataclass(frozen=True)
class Release:
    version: int
    parent: str | None
    files: Mapping[str, StoredFile]
    weights: WeightsRecord
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """sha256 over the sorted (name, sha256) of everything a node gets."""
        return files_fingerprint(self.contents())

    @property
    def id(self) -> str:
        return release_id(self.version, self.fingerprint)

    def contents(self) -> dict[str, str]:
        """Every file of the version with its sha256."""
        return {name: stored.sha256 for name, stored in self.files.items()} | {
            self.weights.file: self.weights.sha256
        }

    def blobs(self) -> dict[str, int]:
        """Every blob that this manifest alone names, with its bytes."""
        found = {stored.blob: stored.stored for stored in self.files.values()}
        links = [*self.weights.chain, *([self.weights.catchup] if self.weights.catchup else [])]
        return found | {link.blob: link.size for link in links}

    @property
    def metrics(self) -> Mapping[str, Any]:
        return self.facts.get("metrics") or {}

    def manifest(self) -> bytes:
        """The bytes of the manifest: sorted, indented, sealed."""
        weights = asdict(self.weights)
        value = {
            "format": FORMAT,
            "version": self.version,
            "id": self.id,
            "fingerprint": self.fingerprint,
            "parent": self.parent,
            "files": {name: asdict(stored) for name, stored in self.files.items()},
            "weights": weights,
            **{name: self.facts.get(name) for name in FACTS},
        }
        return seal(value)

    def save(self, path: Path) -> None:
        write_atomic(path, self.manifest())

    @classmethod
    def load(cls, path: Path) -> Release:
        """Raises ReleaseError: no such file. Corrupt: not a manifest, or one that was altered."""
        try:
            return cls.parse(path.read_bytes(), path.name)
        except FileNotFoundError:
            raise ReleaseError(f"{path}: no such manifest; run the publish stage first") from None

    @classmethod
    def parse(cls, data: bytes, where: str) -> Release:
        if len(data) > MAX_MANIFEST:
            raise Corrupt(f"{where}: a manifest of {len(data):,} bytes; none is larger than {MAX_MANIFEST:,}")
        value = unseal(data, where)
        if value.get("format") != FORMAT:
            raise Corrupt(
                f"{where}: manifest format {str(value.get('format'))[:20]}, this version reads {FORMAT}"
            )
        try:
            release = _release(value)
        except (KeyError, TypeError, AttributeError) as error:
            raise Corrupt(f"{where}: a manifest without what it needs: {error!s:.100}") from None
        if (release.id, release.fingerprint) != (value.get("id"), value.get("fingerprint")):
            raise Corrupt(f"{where}: its id and fingerprint are not those of its files")
        _check(release, where)
        return release

    def __repr__(self) -> str:
        moved = f"{self.weights.kind} of {self.weights.own.size:,} bytes for {self.weights.size:,}"
        return f"Release({self.id}, parent {self.parent}, {len(self.files) + 1} files, {moved})"


def release_id(version: int, content: str) -> str:
    return f"v{version:06d}-{content[:12]}"


def files_fingerprint(contents: Mapping[str, str]) -> str:
    return fingerprint(sorted(contents.items()))


def seal(value: Mapping[str, Any]) -> bytes:
    """JSON for people, with the sha256 of itself inside, so that a changed byte anywhere is found."""
    return _text({**value, "seal": fingerprint(dict(value))})


def unseal(data: bytes, where: str) -> dict[str, Any]:
    """Raises Corrupt: not JSON of this very form, or altered."""
    value: dict[str, Any]
    try:
        value = json.loads(data.decode("utf-8"))
        found = value.pop("seal")
        sound = found == fingerprint(value) and _text({**value, "seal": found}) == data
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise Corrupt(f"{where}: not what was written: its seal does not hold")
    return value


def _text(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def _release(value: Mapping[str, Any]) -> Release:
    weights = dict(value["weights"])
    weights["chain"] = tuple(Link(**link) for link in weights["chain"])
    weights["catchup"] = Link(**weights["catchup"]) if weights["catchup"] else None
    files = {name: StoredFile(**stored) for name, stored in value["files"].items()}
    facts = {name: value[name] for name in FACTS}
    return Release(value["version"], value["parent"], files, WeightsRecord(**weights), facts)


def _check(release: Release, where: str) -> None:
    """What a manifest names becomes paths and allocations on a node, so it is held to its form."""
    weights = release.weights
    links = [*weights.chain, *([weights.catchup] if weights.catchup else [])]
    hashes = [weights.sha256, weights.root, *(link.blob for link in links)]
    hashes += [part for stored in release.files.values() for part in (stored.sha256, stored.blob)]
    sizes = [release.version, weights.size, *(link.size for link in links)]
    sizes += [part for stored in release.files.values() for part in (stored.size, stored.stored)]
    ids = [link.release for link in links] + ([] if release.parent is None else [release.parent])
    if (
        not links
        or not _all_match(SHA256, hashes)
        or not _all_match(ID, ids)
        or not all(type(size) is int and size >= 0 for size in sizes)
        or weights.kind not in ("anchor", "delta")
        or (weights.kind == "anchor") != (len(weights.chain) == 1)
        or weights.own.release != release.id
        or any(stored.encoding not in ("raw", "zstd") for stored in release.files.values())
    ):
        raise Corrupt(f"{where}: a manifest that contradicts itself")
    for name in release.contents():
        if not is_safe(name):
            raise Corrupt(f"{where}: names the file {name!r:.80}, which is no plain relative path")


def _all_match(pattern: re.Pattern[str], texts: Sequence[object]) -> bool:
    return all(isinstance(text, str) and pattern.fullmatch(text) for text in texts)


def is_safe(name: str) -> bool:
    """A relative path of plain parts: nothing that leads out of the folder it is joined to."""
    parts = name.split("/")
    return len(name) <= 255 and all(
        part not in ("", ".", "..") and "\\" not in part and part.isprintable() and ":" not in part
        for part in parts
    )
