"""A delta as a file: valid safetensors, one ``uint8`` tensor per coded tensor, all facts packed under one metadata key.

docs/delta-format.md is the definition; this reads and writes it. The facts are sealed, and the reader writes the
header around them again and compares, so no byte of it can change without being noticed.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import zstandard
from blake3 import blake3

from openautoglm.errors import Corrupt, ReleaseError, WrongBase
from openautoglm.files import canonical_json
from openautoglm.release import grouping
from openautoglm.release.weights import MAX_HEADER, Weights

FORMAT = 2
KEY = "autoglm.delta"  # safetensors writes several keys in random order; one key is always in order
FIELDS = {"format", "base", "base_header", "target", "header", "size", "payload", "pcodec", "tensors"}
HEX = re.compile(r"[0-9a-f]{64}")

Mode = Literal["delta", "new", "copy", "tied"]
MODES: Mapping[str, int] = {"delta": 2, "new": 2, "copy": 3, "tied": 3}  # name: length of its record


@dataclass(frozen=True)
class Change:
    """What became of one tensor: its ``mode``, the blake3 of its new bytes, and for a copy the tensor it copies."""

    mode: Mode
    hash: bytes
    source: str | None = None

    def record(self) -> list[str]:
        digest = base64.b64encode(self.hash).decode().rstrip("=")
        return [self.mode, digest] + ([self.source] if self.source is not None else [])


@dataclass(frozen=True)
class Delta:
    """The difference of two safetensors files, as the file at ``path`` holds it.

    ``base`` and ``target`` are roots (blake3 over sorted name, dtype, shape, blake3); ``base`` is None for an anchor, a
    delta against nothing. ``changes`` names every tensor that is not simply the base's.
    """

    path: Path
    base: str | None
    base_header: str | None
    target: str
    target_size: int
    header: bytes | None
    changes: Mapping[str, Change]
    weights: Weights

    @property
    def size(self) -> int:
        """Bytes of the delta file."""
        return self.weights.size

    @classmethod
    def load(cls, path: Path) -> Delta:
        """Read the facts of a delta and check them and the payloads' hash.

        Raises:
            Corrupt: not a delta, one of another format, or a byte of it changed.
        """
        weights = open_weights(path)
        text = weights.metadata.get(KEY)
        if text is None:
            raise Corrupt(f"{path.name}: a safetensors file but not a delta: no {KEY} in its metadata")
        facts = _facts(text, path.name)
        if pack(text, [entry.size for entry in weights.entries]) != weights.header:
            raise Corrupt(f"{path.name}: its header is not the one this format writes")
        if _payload_hash(weights) != facts["payload"]:
            raise Corrupt(f"{path.name}: its payload is not the one that was written: fetch it again")
        changes = {name: _change(record, path.name) for name, record in facts["tensors"].items()}
        header = None if facts["header"] is None else _unbase64(facts["header"], path.name)
        return cls(
            path,
            facts["base"],
            facts["base_header"],
            facts["target"],
            facts["size"],
            header,
            changes,
            weights,
        )

    def target_header(self, base: Weights | None) -> bytes:
        """The header bytes of the target file, with the base's header as the dictionary they were packed with."""
        known = base.header if base else b""
        if self.base_header is not None and blake3(known).hexdigest() != self.base_header:
            raise WrongBase(
                f"{self.path.name}: the base holds the right weights under another header; use the published file itself"
            )
        if self.header is None:
            return known
        return _decompress(self.header, f"{self.path.name}: the target's header", known)

    def __repr__(self) -> str:
        kind = "anchor" if self.base is None else f"delta on {self.base[:12]}"
        ratio = self.target_size / max(self.size, 1)
        return f"Delta({kind} → {self.target[:12]}, {len(self.changes)} tensors, {self.size:,} bytes, {ratio:.1f}× smaller)"


def open_weights(path: Path) -> Weights:
    try:
        return Weights.open(path)
    except FileNotFoundError:
        raise ReleaseError(f"{path}: no such file") from None


def describe(
    base: Weights | None,
    base_root: str | None,
    target: Weights,
    target_root: str,
    changes: Mapping[str, Change],
    payload: str,
) -> str:
    """The text under KEY."""
    facts: dict[str, Any] = {
        "format": FORMAT,
        "base": base_root,
        "base_header": blake3(base.header).hexdigest() if base else None,
        "target": target_root,
        "header": None,
        "size": target.size,
        "payload": payload,
        "pcodec": grouping.VERSION,
        "tensors": {name: change.record() for name, change in changes.items()},
    }
    if base is None or base.header != target.header:
        packed = _compress(target.header, base.header if base else b"")
        facts["header"] = base64.b64encode(packed).decode()
    return sealed(_compress(canonical_json(facts)))


def sealed(frame: bytes) -> str:
    """The frame as text behind its own blake3: the only text that a reader takes for it."""
    return f"{blake3(frame).hexdigest()}:{base64.b64encode(frame).decode()}"


def pack(text: str, sizes: Sequence[int]) -> bytes:
    """The header of a delta file: the text, then the payloads, called by their position; padded to 8 bytes."""
    header: dict[str, Any] = {"__metadata__": {KEY: text}}
    position = 0
    for number, size in enumerate(sizes):
        header[str(number)] = {"dtype": "U8", "shape": [size], "data_offsets": [position, position + size]}
        position += size
    data = json.dumps(header, separators=(",", ":")).encode()
    return data + b" " * (-len(data) % 8)


def _compress(data: bytes, known: bytes = b"") -> bytes:
    # level 9: hashes do not pack, and 19 takes fifteen times as long for 1 % of the names
    return bytes(zstandard.ZstdCompressor(level=9, dict_data=_dictionary(known)).compress(data))


def _decompress(frame: bytes, what: str, known: bytes = b"") -> bytes:
    """A zstd frame that says how much it holds, at most MAX_HEADER; nothing is allocated before it says so."""
    try:
        if not 0 <= zstandard.frame_content_size(frame) <= MAX_HEADER:
            raise Corrupt(f"{what}: a frame that does not say it holds at most {MAX_HEADER:,} bytes")
        unpacker = zstandard.ZstdDecompressor(dict_data=_dictionary(known))
        return bytes(unpacker.decompress(frame, allow_extra_data=False))
    except zstandard.ZstdError as error:
        raise Corrupt(f"{what}: {error}") from None


def _dictionary(known: bytes) -> Any:
    return zstandard.ZstdCompressionDict(known, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if known else None


def _facts(text: str, where: str) -> dict[str, Any]:
    if text.startswith("{"):  # format 1 had its JSON here as it was; a seal starts with a hex digit
        raise Corrupt(f"{where}: delta format 1, this version reads {FORMAT}")
    frame = _unbase64(text.partition(":")[2], where)
    if sealed(frame) != text:
        raise Corrupt(f"{where}: its facts are not the ones that were written: fetch it again")
    data = _decompress(frame, f"{where}: its facts")
    facts: dict[str, Any]
    try:
        facts = json.loads(data.decode())
        sound = isinstance(facts, dict) and canonical_json(facts) == data
    except (ValueError, RecursionError):
        sound = False
    if not sound:
        raise Corrupt(f"{where}: its facts are not canonical JSON")
    if type(facts.get("format")) is not int or facts["format"] != FORMAT:
        raise Corrupt(f"{where}: delta format {facts.get('format')!r:.40}, this version reads {FORMAT}")
    # from here on only a writer with a purpose can be wrong, but what follows must not depend on its good will
    if facts.keys() != FIELDS:
        raise Corrupt(f"{where}: its facts are not those of format {FORMAT}")
    if facts["pcodec"] != grouping.VERSION:
        raise Corrupt(
            f"{where}: written with pcodec format {facts['pcodec']!r:.40}, this reads {grouping.VERSION!r}"
        )
    base, base_header = facts["base"], facts["base_header"]
    roots = [facts["target"], facts["payload"]] + ([] if base is None else [base, base_header])
    if (
        (base is None) != (base_header is None)
        or not all(isinstance(part, str) and HEX.fullmatch(part) for part in roots)
        or not isinstance(facts["header"], str | None)
        or (base is None and facts["header"] is None)
        or type(facts["size"]) is not int
        or not isinstance(facts["tensors"], dict)
    ):
        raise Corrupt(f"{where}: its facts have the wrong types")
    return facts


def _change(record: Any, where: str) -> Change:
    if (
        not isinstance(record, list)
        or not all(isinstance(part, str) for part in record)
        or MODES.get(record[0] if record else "") != len(record)
    ):
        raise Corrupt(f"{where}: a tensor's record is {str(record)[:80]}, expected [mode, hash(, source)]")
    digest = _unbase64(record[1] + "=", where)
    if len(digest) != 32:
        raise Corrupt(f"{where}: a tensor's hash has {len(digest)} bytes, expected 32")
    return Change(record[0], digest, record[2] if len(record) == 3 else None)


def _unbase64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Corrupt(f"{where}: not base64: {text[:40]!r}") from None


def _payload_hash(weights: Weights) -> str:
    digest = blake3()
    with weights.reader() as reader:
        for entry in weights.entries:
            for chunk in reader.chunks(entry):
                digest.update(chunk)
    return str(digest.hexdigest())
