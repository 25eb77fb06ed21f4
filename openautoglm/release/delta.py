"""The difference between two safetensors files, and the way back.

    diff(Path("v1.safetensors"), Path("v2.safetensors"), Path("v2.delta"))
    apply(Path("v1.safetensors"), Path("v2.delta"), Path("rebuilt.safetensors"))   # the bytes of v2.safetensors

The law: ``apply(base, diff(base, new)) == new``, the whole file, for every dtype and every bit pattern. The receiving
side adds integers and nothing else. Both sides hold a few blocks at a time, never a whole model.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from blake3 import blake3

from openautoglm.release import codec
from openautoglm.release.blocks import FRAME, blocks, in_order, written
from openautoglm.release.container import Change, Delta, describe, open_weights, pack
from openautoglm.release.rebuild import apply
from openautoglm.release.weights import Reader, TensorEntry, Weights, root

__all__ = ["Delta", "apply", "diff"]


def diff(base: Path | None, target: Path, out: Path, threads: int | None = None) -> Delta:
    """Write to ``out`` what turns the file ``base`` into the file ``target``; without a base, an anchor.

    Raises:
        Corrupt: one of the two is not a sound safetensors file.
    """
    old, new = open_weights(base) if base else None, open_weights(target)
    with ExitStack() as stack:
        old_reader = stack.enter_context(old.reader()) if old else None
        new_reader = stack.enter_context(new.reader())
        old_hashes = old_reader.hashes() if old_reader else {}
        new_hashes = new_reader.hashes()
        changes = _changes(old, old_hashes, new, new_hashes)
        jobs = _encodings(changes, old_reader, new_reader)
        spool = stack.enter_context(tempfile.TemporaryFile(dir=out.parent))
        sizes, digest = _spool(in_order(jobs, threads), spool)
        text = describe(
            old,
            root(old.entries, old_hashes) if old else None,
            new,
            root(new.entries, new_hashes),
            changes,
            digest,
        )
        with written(out) as file:
            header = pack(text, sizes)
            file.write(len(header).to_bytes(8, "little") + header)
            spool.seek(0)
            shutil.copyfileobj(spool, file, 1 << 20)
    return Delta.load(out)


def _changes(
    old: Weights | None, old_hashes: Mapping[str, bytes], new: Weights, new_hashes: Mapping[str, bytes]
) -> dict[str, Change]:
    """How each tensor that is not the base's of the same name gets its bytes, in file order."""
    known = old.by_name() if old else {}
    twins = {(old_hashes[name], entry.size): name for name, entry in sorted(known.items(), reverse=True)}
    written: dict[tuple[bytes, int], str] = {}
    changes: dict[str, Change] = {}
    for entry in new.entries:
        digest = new_hashes[entry.name]
        before, key = known.get(entry.name), (digest, entry.size)
        if before and before.alike(entry) and old_hashes[entry.name] == digest:
            continue
        if entry.size and key in twins:
            changes[entry.name] = Change(
                "copy", digest, twins[key]
            )  # renamed, reshaped or tied to a base tensor
        elif entry.size and key in written:
            changes[entry.name] = Change("tied", digest, written[key])
        elif before and before.dtype == entry.dtype and before.size and _comparable(before, entry):
            changes[entry.name] = Change("delta", digest)
        else:
            changes[entry.name] = Change("new", digest)
        written.setdefault(key, entry.name)
    return changes


def _comparable(before: TensorEntry, entry: TensorEntry) -> bool:
    """Same shape, or rows appended or cut: then equal positions mean equal things."""
    return before.size == entry.size or before.shape[1:] == entry.shape[1:]


def _encodings(
    changes: Mapping[str, Change], old: Reader | None, new: Reader
) -> Iterator[Callable[[], tuple[str, int, bytes]]]:
    known = old.weights.by_name() if old else {}
    for entry in new.weights.entries:
        change = changes.get(entry.name)
        if not change or change.source is not None:
            continue
        shared = min(entry.size, known[entry.name].size) if change.mode == "delta" else 0
        for start, stop, form in blocks(entry, shared):
            before = known[entry.name] if start < shared else None

            def encode(
                entry: TensorEntry = entry,
                before: TensorEntry | None = before,
                start: int = start,
                size: int = stop - start,
                form: codec.Form = form,
            ) -> tuple[str, int, bytes]:
                base = old.read(before, start, size) if old and before else None
                return entry.name, *codec.encode(new.read(entry, start, size), base, form)

            yield encode


def _spool(parts: Iterable[tuple[str, int, bytes]], spool: IO[bytes]) -> tuple[list[int], str]:
    """Write the framed blocks; give the payload size of every coded tensor, in order, and the blake3 of it all."""
    sizes: dict[str, int] = {}
    digest = blake3()
    for name, code, payload in parts:
        frame = bytes([code]) + len(payload).to_bytes(4, "little")
        for data in (frame, payload):
            spool.write(data)
            digest.update(data)
        sizes[name] = sizes.get(name, 0) + FRAME + len(payload)
    return list(sizes.values()), str(digest.hexdigest())
