"""What somebody who knows the delta format can make of a sound file, and what must become of it."""

from __future__ import annotations

import base64
import json
import multiprocessing
import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import zstandard
from blake3 import blake3

from openautoglm.errors import Corrupt, ReleaseError
from openautoglm.files import canonical_json
from openautoglm.release.container import KEY, pack, sealed
from openautoglm.release.delta import Delta, apply, diff
from openautoglm.release.weights import Weights
from tests.unit.release.samples import model, write, write_raw

Facts = dict[str, Any]
Pair = tuple[Path, Path, Path]


def made(folder: Path) -> Pair:
    """A base, a target, and the delta between them; ``folder/out`` is where nothing must appear."""
    base, new = write(folder / "base", model()), write(folder / "new", model(steps=1, rows=30))
    diff(base, new, folder / "delta")
    return base, new, folder / "delta"


def refused(
    base: Path | None, delta: Path, kind: type[ReleaseError] = Corrupt, match: str | None = None
) -> None:
    before = sorted(delta.parent.iterdir())
    with pytest.raises(kind, match=match) as caught:
        apply(base, delta, delta.parent / "out")
    assert "\n" not in str(caught.value)
    assert sorted(delta.parent.iterdir()) == before, "something was left behind"


def facts_of(delta: Path) -> Facts:
    frame = base64.b64decode(Weights.open(delta).metadata[KEY].partition(":")[2])
    facts: Facts = json.loads(zstandard.ZstdDecompressor().decompress(frame))
    return facts


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def rewritten(
    pair: Pair,
    edit: Callable[[Facts], object] = lambda facts: None,
    payloads: Mapping[str, bytes | None] | None = None,
    frame: Callable[[bytes], bytes] = zstd,
    text: Callable[[bytes], str] = sealed,
) -> Path:
    """The delta with its facts edited and everything sealed again: the work of somebody who knows the format.

    ``payloads`` replaces some by their position; with None one goes, and those after it move up.
    """
    delta, facts = Delta.load(pair[2]), facts_of(pair[2])
    with delta.weights.reader() as reader:
        parts = {entry.name: reader.read(entry, 0, entry.size) for entry in delta.weights.entries}
    data = [part for part in (parts | dict(payloads or {})).values() if part is not None]
    facts["payload"] = blake3(b"".join(data)).hexdigest()
    edit(facts)
    header = pack(text(frame(canonical_json(facts))), [len(part) for part in data])
    return write_raw(pair[2], header, b"".join(data))


def grown(what: Callable[[], object]) -> int:
    """KiB that the most memory grows by in a process of its own; what was needed before counts for nothing there."""
    context = multiprocessing.get_context("fork")
    told, tell = context.Pipe(False)

    def work() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        what()
        tell.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

    child = context.Process(target=work)
    child.start()
    child.join()
    assert child.exitcode == 0
    found: int = told.recv()
    return found


def bomb(size: int) -> bytes:
    return zstd(bytes(size))


def undeclared(size: int) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(bytes(size))
