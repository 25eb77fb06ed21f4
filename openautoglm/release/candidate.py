"""A candidate: a release as a folder, exactly as it will lie in the store (``manifest.json``, ``blobs/<sha256>``).

The same inputs give the same bytes. Blobs that the base release already has are named, not written again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import zstandard

from openautoglm.errors import Corrupt, ReleaseError, WrongBase
from openautoglm.files import fresh_dir, sha256_file
from openautoglm.release.delta import Delta, diff
from openautoglm.release.release import (
    FACTS,
    MANIFEST,
    WEIGHTS,
    Link,
    Release,
    StoredFile,
    WeightsRecord,
    files_fingerprint,
    is_safe,
    release_id,
)

LEVEL = 9  # zstd; small files, written once and read by every node
WORTH = 0.5  # share of a full copy above which a delta, or all deltas since the anchor together, give way to an anchor


def contents(folder: Path) -> dict[str, str]:
    """Every file below ``folder`` with its sha256; what a release's fingerprint is taken over."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


def build(
    onnx_dir: Path,
    base: Release | None,
    base_dir: Path | None,
    out: Path,
    *,
    version: int,
    anchor_every: int,
    anchor_dir: Path | None = None,
    **facts: Any,
) -> Release:
    """Write the candidate of ``onnx_dir`` to ``out`` and give its release.

    ``base`` is what nodes hold and ``base_dir`` its materialised files; ``anchor_dir``, those of the base's anchor,
    lets a catch-up delta be made. ``facts`` are the manifest's other fields.

    Raises:
        ReleaseError: no weights in ``onnx_dir``, or a file name that no node would accept.
        WrongBase: ``base_dir`` does not hold the weights of ``base``.
    """
    unknown = facts.keys() - set(FACTS)
    assert not unknown, f"not fields of a manifest: {sorted(unknown)}"
    found = contents(onnx_dir)
    if WEIGHTS not in found:
        raise ReleaseError(
            f"{onnx_dir}: no {WEIGHTS} among {', '.join(sorted(found)) or 'no files'}; run the export stage"
        )
    for name in found:
        if not is_safe(name):
            raise ReleaseError(f"{onnx_dir}: {name!r} cannot be released; use a plain relative name")
    with fresh_dir(out) as folder:
        (folder / "blobs").mkdir()
        files = {
            name: _stored(onnx_dir / name, digest, base, folder / "blobs")
            for name, digest in found.items()
            if name != WEIGHTS
        }
        name = release_id(version, files_fingerprint(found))
        weights = _weights(
            onnx_dir / WEIGHTS, found[WEIGHTS], name, base, base_dir, anchor_dir, folder, anchor_every
        )
        release = Release(version, base.id if base else None, files, weights, facts)
        assert release.id == name
        release.save(folder / MANIFEST)
    return release


def _stored(path: Path, digest: str, base: Release | None, blobs: Path) -> StoredFile:
    before = [stored for stored in base.files.values() if stored.sha256 == digest] if base else []
    if before:
        return before[0]
    data = path.read_bytes()
    packed = bytes(zstandard.ZstdCompressor(level=LEVEL).compress(data))
    smaller = len(packed) < len(data)
    blob = blobs / "new"
    blob.write_bytes(packed if smaller else data)
    size = blob.stat().st_size
    return StoredFile(digest, len(data), _named(blob), size, "zstd" if smaller else "raw")


def _weights(
    path: Path,
    digest: str,
    name: str,
    base: Release | None,
    base_dir: Path | None,
    anchor_dir: Path | None,
    folder: Path,
    anchor_every: int,
) -> WeightsRecord:
    size, before = path.stat().st_size, base.weights.chain if base else ()
    new = folder / "blobs" / "new"
    if base and base_dir and len(before) < anchor_every:
        delta = diff(base_dir / base.weights.file, path, new)
        if delta.base != base.weights.root:
            raise WrongBase(
                f"{base_dir}: does not hold the weights of {base.id}; remove it and publish again"
            )
        since = delta.size + sum(link.size for link in before[1:])
        if since <= WORTH * size:
            own = Link(name, _named(new), delta.size)
            catchup = _catchup(path, name, base, anchor_dir, folder, since)
            return WeightsRecord(
                WEIGHTS, digest, size, delta.target, delta.base, "delta", (*before, own), catchup
            )
    anchor = diff(None, path, new)
    return WeightsRecord(
        WEIGHTS, digest, size, anchor.target, None, "anchor", (Link(name, _named(new), anchor.size),)
    )


def _catchup(
    path: Path, name: str, base: Release, anchor_dir: Path | None, folder: Path, since: int
) -> Link | None:
    """The delta from the chain's anchor straight to here, where the chain has more than one link and costs more."""
    if anchor_dir is None or len(base.weights.chain) < 2:
        return None
    direct: Delta = diff(anchor_dir / base.weights.file, path, folder / "blobs" / "new")
    if direct.size < since:
        return Link(name, _named(direct.path), direct.size)
    direct.path.unlink()
    return None


def _named(blob: Path) -> str:
    """Give a finished blob its own hash as its name."""
    digest = sha256_file(blob)
    os.replace(blob, blob.with_name(digest))
    return digest


def unpack(blob: Path, stored: StoredFile, out: Path) -> None:
    """Write the file that ``blob`` holds, never more than its declared size, and check it.

    Raises:
        Corrupt: the blob does not hold that file.
    """
    with blob.open("rb") as source, out.open("wb") as file:
        reader = (
            source
            if stored.encoding == "raw"
            else zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(source)
        )
        left = stored.size + 1
        try:
            while left and (part := reader.read(min(left, 1 << 20))):
                file.write(part)
                left -= len(part)
        except zstandard.ZstdError as error:
            raise Corrupt(f"blob {blob.name[:12]}: {error}") from None
        file.flush()
        os.fsync(file.fileno())
    if left != 1 or sha256_file(out) != stored.sha256:
        raise Corrupt(
            f"blob {blob.name[:12]}: does not hold the file of {stored.size} bytes that the manifest names"
        )
