"""The one metadata value of a delta: no other format, no frame that is a bomb, one spelling, and no lie in the facts."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from blake3 import blake3

from openautoglm.files import canonical_json
from openautoglm.release.container import KEY, describe, pack
from openautoglm.release.delta import Delta, diff
from openautoglm.release.weights import MAX_HEADER, Weights
from tests.unit.release.forgery import Facts, Pair, bomb, facts_of, made, refused, rewritten, undeclared, zstd
from tests.unit.release.samples import model, write_raw

Edit = Callable[[Facts], object]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return made(tmp_path)


def set_to(name: str, value: object) -> Edit:
    return lambda facts: facts.__setitem__(name, value)


def set_tensor(name: str, *record: str) -> Edit:
    def edit(facts: Facts) -> None:
        digest = facts["tensors"].get(name, ["", "A" * 43])[1]
        facts["tensors"][name] = [record[0], digest, *record[1:]]

    return edit


FROZEN = "bert.frozen.weight"


def hash_of(name: str) -> str:
    """As a record has it, of a tensor as it is in the base."""
    return base64.b64encode(blake3(model()[name][2]).digest()).decode().rstrip("=")


EDITS: dict[str, tuple[Edit, str]] = {
    "other format": (set_to("format", 1), "delta format 1, this version reads 2"),
    "format as text": (set_to("format", "2"), "delta format '2', this"),
    "format as a fraction": (set_to("format", 2.0), "delta format 2.0, this"),
    "other pcodec": (set_to("pcodec", "2"), "written with pcodec format '2'"),
    "a pcodec of megabytes": (set_to("pcodec", "x" * 1_000_000), "written with pcodec format 'x{39}, this"),
    "extra field": (set_to("more", 1), "not those of format 2"),
    "size is less": (set_to("size", 1), "says its target has 1 bytes"),
    "size is text": (set_to("size", "1"), "wrong types"),
    "no header": (set_to("header", None), "do not add up to the target"),
    "header no base64": (set_to("header", "!"), "not base64"),
    "header not ASCII": (set_to("header", "é"), "not base64"),
    "header no zstd": (set_to("header", "AAAA"), "the target's header: error"),
    "target elsewhere": (set_to("target", "0" * 64), "do not add up to the target"),
    "target no hash": (set_to("target", "../../etc/passwd"), "wrong types"),
    "tensors a list": (set_to("tensors", []), "wrong types"),
    "a seal inside": (set_to("seal", "0" * 64), "not those of format 2"),
    "base without header": (set_to("base_header", None), "wrong types"),
    "unknown mode": (set_tensor("head.weight", "magic"), "record is .'magic'"),
    "copy of nothing": (set_tensor("head.weight", "copy", "nowhere"), "copies 'nowhere'"),
    "copy of another size": (set_tensor("head.weight", "copy", "temperature"), "copies 'temperature'"),
    "tied to nothing": (set_tensor("head.weight", "tied", "nowhere"), "repeats 'nowhere'"),
    "tied to itself": (set_tensor("head.weight", "tied", "head.weight"), "repeats 'head.weight'"),
    "tied to one after it": (set_tensor("bert.dense.weight", "tied", "head.weight"), "repeats 'head.weight'"),
    "source of the wrong mode": (
        set_tensor("head.weight", "delta", "head.weight"),
        "record is .'delta', .*, 'head.weight'",
    ),
    "no source": (set_tensor("head.weight", "copy"), "record is .'copy'"),
    "stray tensor": (set_tensor("stray", "new"), "holds tensor 'stray'"),
    "a stray name of megabytes": (set_tensor("x" * 1_000_000, "new"), "holds tensor 'x{199}, which"),
    "path as a name": (set_tensor("../../stray", "new"), "holds tensor '../../stray'"),
    "short hash": (
        lambda facts: facts["tensors"].__setitem__("head.weight", ["delta", "AAAA"]),
        "has 3 bytes",
    ),
    "hash of others": (
        lambda facts: facts["tensors"].__setitem__("head.weight", ["delta", "A" * 43]),
        "do not add up to the target",
    ),
    "unchanged is new": (
        lambda facts: facts["tensors"].update({FROZEN: ["new", hash_of(FROZEN)]}),
        "holds 5 payloads for 6 tensors",
    ),
    "change forgotten": (
        lambda facts: facts["tensors"].pop("head.weight"),
        "says nothing about tensor 'head.weight'",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_sealed_lies(name: str, pair: Pair) -> None:
    edit, message = EDITS[name]
    rewritten(pair, edit)
    refused(pair[0], pair[2], match=message)


def test_a_difference_to_nothing(pair: Pair) -> None:
    diff(None, pair[1], pair[2])
    rewritten(pair, set_tensor("head.weight", "delta"))
    refused(None, pair[2], match="'head.weight' is a difference to one that the base does not have")


def test_sound_facts_sealed_by_somebody_else_are_read(pair: Pair, tmp_path: Path) -> None:
    """So that what is refused here is refused for what it is."""
    rewritten(pair)
    Delta.load(pair[2])


def test_format_1_is_told_as_such(pair: Pair) -> None:
    """It had its facts as plain JSON, sealed in themselves, and called its payloads like their tensors."""
    facts = facts_of(pair[2]) | {"format": 1}
    facts["seal"] = blake3(canonical_json(facts)).hexdigest()
    place = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    header = {"__metadata__": {KEY: canonical_json(facts).decode()}, "head.weight": place}
    write_raw(pair[2], json.dumps(header).encode(), b"x")
    refused(pair[0], pair[2], match="delta: delta format 1, this version reads 2$")


def test_a_later_format_is_told_before_its_fields_are_looked_at(pair: Pair) -> None:
    rewritten(pair, lambda facts: facts.update(format=3, more=1))
    refused(pair[0], pair[2], match="delta format 3, this version reads 2$")


FRAMES = {
    "bomb": (bomb(MAX_HEADER + 1), "does not say"),
    "bomb without a size": (undeclared(MAX_HEADER + 1), "does not say"),
    # magic number, one segment with 8 bytes of content size, that size: making room for it would be a MemoryError
    "says an exabyte": (b"\x28\xb5\x2f\xfd\xe0" + (1 << 60).to_bytes(8, "little") + bytes(16), "does not say"),
    "sound but without a size": (undeclared(10), "does not say"),
    "two frames": (zstd(b"{}") + zstd(b""), "its facts"),
    "cut short": (zstd(b"{}")[:-1], "its facts"),
    "not zstd": (b'{"format":2}', "its facts"),
    "nothing": (b"", "its facts"),
    "spaces": (zstd(b'{"format": 2}'), "canonical JSON"),
    "UTF-16": (zstd('{"format":2}'.encode("utf-16")), "canonical JSON"),
    "a list": (zstd(b"[]"), "canonical JSON"),
    "deep": (zstd(b"[" * 100_000), "canonical JSON"),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_are_not_one_frame_of_the_facts(name: str, pair: Pair) -> None:
    frame, message = FRAMES[name]
    rewritten(pair, frame=lambda facts: frame)
    refused(pair[0], pair[2], match=message)


def spelled(
    separator: str = ":", change: Callable[[str], str] = str, seal: Callable[[str], str] = str
) -> Callable[[bytes], str]:
    """Another text for the same frame."""

    def text(frame: bytes) -> str:
        return seal(blake3(frame).hexdigest()) + separator + change(base64.b64encode(frame).decode())

    return text


def padded(text: str) -> str:
    """The same bytes in other base64: bits that no byte needs."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bare = text.rstrip("=")
    assert bare != text, "this frame's base64 has no spare bits"
    return bare[:-1] + letters[letters.index(bare[-1]) + 1] + "=" * (len(text) - len(bare))


SPELLINGS = {
    "no padding": spelled(change=lambda text: text.rstrip("=")),
    "more padding": spelled(change=lambda text: text + "="),
    "a space": spelled(change=lambda text: text[:8] + " " + text[8:]),
    "a line end": spelled(change=lambda text: text + "\n"),
    "spare bits": spelled(change=padded),
    "letters of URLs": spelled(change=lambda text: text.replace("/", "_")),
    "not ASCII": spelled(change=lambda text: text + "é"),
    "another separator": spelled(separator="."),
    "no separator": spelled(separator=""),
    "two separators": spelled(separator="::"),
    "seal in capitals": spelled(seal=str.upper),
    "seal of something else": spelled(seal=lambda text: "0" * 64),
    "no seal": spelled(seal=lambda text: ""),
    "nothing": lambda frame: "",
}


def uneven(facts: bytes) -> bytes:
    """A frame whose base64 is padded, so that there is something to leave out and to vary, with a ``/`` in it."""
    for level in range(1, 23):
        frame = zstandard.ZstdCompressor(level=level).compress(facts)
        if len(frame) % 3 and b"/" in base64.b64encode(frame):
            return frame
    raise AssertionError("every level gives a multiple of three bytes")


@pytest.mark.parametrize("name", SPELLINGS)
def test_there_is_one_spelling(name: str, pair: Pair) -> None:
    rewritten(pair, frame=uneven, text=SPELLINGS[name])
    refused(pair[0], pair[2], match="not the ones that were written|not base64")


def test_payloads_are_as_many_as_coded_tensors(pair: Pair) -> None:
    count = len(Delta.load(pair[2]).weights.entries)
    sound = pair[2].read_bytes()
    rewritten(pair, payloads={str(count): b"x"})
    refused(pair[0], pair[2], match=f"holds {count + 1} payloads for {count} tensors that need one")
    pair[2].write_bytes(sound)
    rewritten(pair, payloads={"3": None})
    refused(pair[0], pair[2], match=f"holds {count - 1} payloads for {count} tensors that need one")


def test_payloads_are_called_by_their_position(pair: Pair) -> None:
    header = Weights.open(pair[2]).header
    data = pair[2].read_bytes()[8 + len(header) :]
    assert b'"1":{' in header
    for name in (b'"7":{', b'"x":{', b'"\\u0031":{'):
        write_raw(pair[2], header.replace(b'"1":{', name), data)
        refused(pair[0], pair[2], match="not the one this format writes")


def test_describe_is_what_load_reads(pair: Pair) -> None:
    delta, base, new = Delta.load(pair[2]), Weights.open(pair[0]), Weights.open(pair[1])
    text = describe(base, delta.base, new, delta.target, delta.changes, facts_of(pair[2])["payload"])
    assert pack(text, [entry.size for entry in delta.weights.entries]) == delta.weights.header
