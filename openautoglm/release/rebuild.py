"""The receiving side of a delta: check everything that can be checked, then build, then check what was built."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from blake3 import blake3

from openautoglm.errors import Corrupt, ReleaseError, WrongBase
from openautoglm.release import codec
from openautoglm.release.blocks import FRAME, blocks, in_order, written
from openautoglm.release.container import Change, Delta, open_weights
from openautoglm.release.weights import Reader, TensorEntry, Weights, parse_header, root

Part = bytes | memoryview
Job = Callable[[], Part]


def apply(base: Path | None, delta: Path, out: Path, threads: int | None = None) -> None:
    """Write to ``out`` the file that ``delta`` was made from, or nothing.

    Raises:
        WrongBase: ``base`` is not the file the delta was taken against.
        Corrupt: the delta is damaged, or does not lead where it says.
        ReleaseError: no such file, or no room for the target.
    """
    plan = Delta.load(delta)
    old = _matching(plan, base)
    with ExitStack() as stack:
        old_reader = stack.enter_context(old.reader()) if old else None
        old_hashes = old_reader.hashes() if old_reader else {}
        if old and root(old.entries, old_hashes) != plan.base:
            raise WrongBase(
                f"{delta.name} applies to weights {str(plan.base)[:12]}, found {root(old.entries, old_hashes)[:12]} "
                f"in {old.path.name}; apply the versions in between first"
            )
        header = plan.target_header(old)
        entries, _ = parse_header(header, f"the target of {delta.name}")
        hashes = _expected(plan, entries, old, old_hashes)
        packed = _payloads(plan, entries)
        total = 8 + len(header) + sum(entry.size for entry in entries)
        _room(plan, total, out.parent)
        payload = stack.enter_context(plan.weights.reader())
        file = stack.enter_context(written(out))
        file.write(len(header).to_bytes(8, "little") + header)
        blocks = in_order(_decodings(plan, entries, packed, old_reader, payload), threads)
        _write_checked(entries, hashes, blocks, file, delta.name)


def _matching(plan: Delta, base: Path | None) -> Weights | None:
    if plan.base is None:
        return None  # an anchor needs nothing, whatever is there
    if base is None:
        raise WrongBase(f"{plan.path.name} applies to weights {plan.base[:12]}, and no base was given")
    return open_weights(base)


def _expected(
    plan: Delta, entries: tuple[TensorEntry, ...], old: Weights | None, old_hashes: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The hash of every tensor of the target, before any of them is built; they must add up to the target's root."""
    where, known = plan.path.name, old.by_name() if old else {}
    hashes: dict[str, bytes] = {}
    places: dict[str, TensorEntry] = {}
    for entry in entries:
        change, before = plan.changes.get(entry.name), known.get(entry.name)
        if change is None:
            if before is None or not before.alike(entry):
                raise Corrupt(
                    f"{where}: says nothing about tensor {entry.name!r:.200}, which the base does not have"
                )
            hashes[entry.name] = old_hashes[entry.name]
            continue
        _check_change(change, entry, known, plan, done=places)
        hashes[entry.name] = change.hash
        places[entry.name] = entry
    strays = sorted(plan.changes.keys() - hashes.keys())
    if strays:
        raise Corrupt(f"{where}: holds tensor {strays[0]!r:.200}, which the target does not have")
    if root(entries, hashes) != plan.target:
        raise Corrupt(f"{where}: its tensors do not add up to the target it names")
    return hashes


def _payloads(plan: Delta, entries: tuple[TensorEntry, ...]) -> dict[str, TensorEntry]:
    """The payload of each tensor that has one: they come in the order of the target's tensors."""
    coded = {name for name, change in plan.changes.items() if change.source is None}
    names = [entry.name for entry in entries if entry.size and entry.name in coded]
    payloads = plan.weights.entries
    if len(payloads) != len(names):
        raise Corrupt(
            f"{plan.path.name}: holds {len(payloads)} payloads for {len(names)} tensors that need one"
        )
    return dict(zip(names, payloads, strict=True))


def _check_change(
    change: Change,
    entry: TensorEntry,
    known: Mapping[str, TensorEntry],
    plan: Delta,
    done: Mapping[str, TensorEntry],
) -> None:
    where = plan.path.name
    if change.mode == "delta":
        before = known.get(entry.name)
        if before is None or before.dtype != entry.dtype:
            raise Corrupt(
                f"{where}: tensor {entry.name!r:.200} is a difference to one that the base does not have"
            )
    if change.mode == "copy":
        source = known.get(str(change.source))
        if source is None or source.size != entry.size:
            raise Corrupt(
                f"{where}: tensor {entry.name!r:.200} copies {change.source!r:.200}, which the base does not have so"
            )
    if change.mode == "tied":
        twin = plan.changes.get(str(change.source))
        place = done.get(str(change.source))
        if twin is None or twin.source is not None or place is None or place.size != entry.size:
            raise Corrupt(
                f"{where}: tensor {entry.name!r:.200} repeats {change.source!r:.200}, which is not coded before it"
            )


def _room(plan: Delta, total: int, folder: Path) -> None:
    if total != plan.target_size:
        raise Corrupt(
            f"{plan.path.name}: says its target has {plan.target_size} bytes, its header says {total}"
        )
    free = shutil.disk_usage(folder).free
    if total > free:
        raise ReleaseError(f"{plan.path.name}: needs {total:,} bytes in {folder}, {free:,} are free")


def _decodings(
    plan: Delta,
    entries: tuple[TensorEntry, ...],
    packed: Mapping[str, TensorEntry],
    old: Reader | None,
    payload: Reader,
) -> Iterator[Job]:
    places = {entry.name: entry for entry in entries}
    known = old.weights.by_name() if old else {}
    for entry in entries:
        change = plan.changes.get(entry.name)
        if change and change.mode == "tied":
            # decoded again from its twin's payload: cheaper than reading back what may not be written yet
            entry = places[str(change.source)]
            change = plan.changes[entry.name]
        if change and change.source is None:
            if entry.size:
                before = known[entry.name] if change.mode == "delta" else None
                yield from _unpack(entry, packed[entry.name], payload, before, old)
        else:
            assert old
            yield from _copies(known[change.source if change and change.source else entry.name], old)


def _copies(source: TensorEntry, old: Reader) -> Iterator[Job]:
    for start in range(0, source.size, codec.BLOCK):
        size = min(codec.BLOCK, source.size - start)
        yield lambda start=start, size=size: old.read(source, start, size)  # type: ignore[misc]


def _unpack(
    entry: TensorEntry,
    packed: TensorEntry,
    payload: Reader,
    before: TensorEntry | None,
    old: Reader | None,
) -> Iterator[Job]:
    """Walk the frames of a payload; their lengths must end exactly where it ends."""
    position, shared = 0, min(entry.size, before.size) if before else 0
    for start, stop, form in blocks(entry, shared):
        frame = payload.read(packed, position, min(FRAME, packed.size - position))
        length = int.from_bytes(frame[1:], "little")
        position += FRAME
        if len(frame) < FRAME or length > min(stop - start, packed.size - position):
            raise Corrupt(
                f"{payload.weights.path.name}: tensor {entry.name!r:.200}: its payload is cut short"
            )

        def decode(
            code: int = frame[0],
            place: int = position,
            length: int = length,
            start: int = start,
            size: int = stop - start,
            form: codec.Form = form,
        ) -> Part:
            base = old.read(before, start, size) if old and before and start < shared else None
            return codec.decode(code, payload.read(packed, place, length), base, size, form)

        yield decode
        position += length
    if position != packed.size:
        raise Corrupt(f"{payload.weights.path.name}: tensor {entry.name!r:.200}: bytes after its last block")


def _write_checked(
    entries: tuple[TensorEntry, ...],
    hashes: Mapping[str, bytes],
    parts: Iterator[Part],
    file: IO[bytes],
    where: str,
) -> None:
    for entry in entries:
        digest, left = blake3(), entry.size
        while left:
            part = next(parts)
            digest.update(part)
            file.write(part)
            left -= len(part)
        if digest.digest() != hashes[entry.name]:
            raise Corrupt(f"{where}: tensor {entry.name!r:.200} does not come out as it should")
