"""An inbox at a URL that several machines give to: `ingest.remote`. Each works on a folder of its own, in its own order.

    sent = send("s3://bucket/inbox", Path("inbox"), Path(".autoglm/source"))    # what the folder has comes to lie there
    mirror("s3://bucket/inbox", Path("inbox"), ..., leave=sent.leave)           # what lies there comes into the folder

s3://bucket/inbox/tickets-3fa9c1d2.jsonl     an entry without its number: the same content is one batch, whoever gave it
s3://bucket/inbox/_aside/bad-17c2a0f3.jsonl  set aside by whoever read it, with bad-17c2a0f3.jsonl.why.txt
s3://bucket/inbox/_forgotten.jsonl           what `autoglm forget` took out, without ids and texts (forgotten.py)

A number says when a batch came to the one who learns from it, so that a slow upload never comes between two batches that
are learnt already. Everything here follows from what the folder holds: after a kill the next call does the rest. A pointer
to a URL stays in the folder that it was given to: nobody else is made to read what it names.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fsspec

from openautoglm.corpus import inbox as boxes
from openautoglm.corpus.forgotten import FILE as FORGOTTEN
from openautoglm.corpus.forgotten import Forgotten, parsed, records, trail, write
from openautoglm.corpus.mirror import UNFINISHED, Offer, known, look, note
from openautoglm.corpus.source import naming
from openautoglm.files import fingerprint, locked


@dataclass(frozen=True)
class Sent:
    """names: of what went there; leave: content that is not to be taken from there: what documents were taken out of, and
    what was left of entries that the folder still has whole, which are ``to_cut``.
    """

    names: tuple[str, ...]
    leave: frozenset[str]
    to_cut: tuple[str, ...]


def send(remote: str, inbox: Path, scratch: Path) -> Sent:
    """Bring ``remote`` up to the folder: new entries go there, those that lost documents are replaced by what is left of
    them, those set aside move to ``_aside``. What somebody else took out is asked for here: `autoglm forget --finish`.

    ``scratch``: a folder that keeps two of these apart.

    Raises:
        SourceError: it cannot be reached, or not be written.
    """
    with locked(scratch):
        offered, there, sent = _offers(remote), _There(remote, inbox), []
        missing = _missing(inbox, known(inbox, remote))
        with naming(remote, "written"):
            found = there.forgotten()
            gone = {boxes.content(old) for record in found for old in record.renamed}
            for entry, name in missing:
                if name not in offered and boxes.content(entry) not in gone:
                    there.put(inbox / entry, name)
                    sent.append(name)
        if sent:
            offered = _offers(remote)
        for entry, name in missing:
            if name in offered:
                note(inbox, remote, name, offered[name].mark, entry=entry)
        with naming(remote, "written"):
            _follow(there, remote, inbox, offered, found)
        have = {boxes.content(entry): entry for entry in boxes.names(inbox)}
        to_cut, left = _asked_for(inbox, found, have)
        return Sent(tuple(sent), frozenset((gone | left) - have.keys()), to_cut)


def _offers(remote: str) -> dict[str, Offer]:
    return {one.name: one for one in look(remote)}


def _missing(inbox: Path, notes: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """(entry, its name there) of those that ``notes`` do not know there."""
    there = {found.get("entry") for found in notes.values()}
    return [
        (entry, boxes.unnumbered(entry))
        for entry in boxes.names(inbox)
        if boxes.is_named(entry) and not entry.endswith(".url") and entry not in there
    ]


def _follow(
    there: _There, remote: str, inbox: Path, offered: Mapping[str, Offer], noted: Sequence[Forgotten]
) -> None:
    """What was taken out or set aside here, goes there too. ``noted``: the record there."""
    taken_out = records(inbox)
    there.remember(taken_out, noted)
    for name, found in known(inbox, remote).items():
        entry = found.get("entry")
        if entry is None or (inbox / entry).exists():
            continue
        aside, is_same = inbox / boxes.ASIDE / entry, name in offered and offered[name].mark == found["mark"]
        if aside.exists():
            if is_same:  # else it is done, or somebody wrote another batch under this name since
                why = aside.with_name(f"{entry}.why.txt")
                there.set_aside(name, why.read_bytes() if why.is_file() else b"set aside by hand\n")
            note(inbox, remote, name, found["mark"], why="set aside")
        elif trail(taken_out, entry)[-1] != entry:
            if is_same:
                there.remove(name)
            note(inbox, remote, name, found["mark"], why="documents were taken out of it")


def _asked_for(
    inbox: Path, there: Sequence[Forgotten], have: Mapping[str, str]
) -> tuple[tuple[str, ...], set[str]]:
    """Note here what somebody else took out of entries that this folder still has: (those, the content that they have there
    by now). ``have``: {content: entry}.
    """
    ours = records(inbox)
    asked = {(record.when, record.ids): record for record in ours}
    new, whole, left = [], list[str](), set[str]()
    for record in there:
        known_here = asked.get((record.when, record.ids))
        if known_here and known_here.renamed:
            continue  # our own doing: what has them here, came after it
        mine = {
            have[boxes.content(old)]: to for old, to in record.renamed.items() if boxes.content(old) in have
        }
        whole += mine
        left |= {boxes.content(to) for to in mine.values() if to}
        if mine and not known_here:
            new.append(replace(record, renamed={}))  # by names that are not ours
    if new:
        write(inbox, [*ours, *new])
    return tuple(sorted(set(whole))), left


class _There:
    """The few things that are done at the URL."""

    def __init__(self, remote: str, inbox: Path) -> None:
        self.system: Any
        self.system, self.root = fsspec.core.url_to_fs(remote)
        # what is on its way is left alone by who looks; two senders of the same do not write into one file
        self.on_its_way = f"{fingerprint([platform.node(), str(inbox.resolve())])[:8]}{UNFINISHED[0]}"

    def put(self, entry: Path, name: str) -> None:
        """Under a name that nobody takes for a batch until it is whole."""
        to = f"{self.root}/{name}"
        if entry.is_dir():
            self.system.makedirs(to, exist_ok=True)
            self.system.pipe_file(f"{to}/{self.on_its_way}", b"")
            for file in sorted(entry.iterdir()):
                self.system.put_file(str(file), f"{to}/{file.name}")
            self.system.rm_file(f"{to}/{self.on_its_way}")
        else:
            self.system.put_file(str(entry), f"{to}.{self.on_its_way}")
            self.system.mv(f"{to}.{self.on_its_way}", to)

    def forgotten(self) -> list[Forgotten]:
        try:
            found = bytes(self.system.cat_file(f"{self.root}/{FORGOTTEN}"))
        except FileNotFoundError:
            return []
        return parsed(found[: found.rfind(b"\n") + 1])  # whoever was killed at a line, sends it again

    def remember(self, taken_out: Sequence[Forgotten], found: Sequence[Forgotten]) -> None:
        """Add to the record there, ``found``, what it lacks."""
        noted = {(record.when, record.ids) for record in found}
        new = [record for record in taken_out if (record.when, record.ids) not in noted]
        if new:
            merged = sorted([*found, *new], key=lambda record: record.when)
            beside = f"{self.root}/_{self.on_its_way}"
            self.system.pipe_file(beside, b"".join(map(bytes, merged)))
            self.system.mv(beside, f"{self.root}/{FORGOTTEN}")

    def set_aside(self, name: str, why: bytes) -> None:
        aside = f"{self.root}/{boxes.ASIDE}"
        self.system.makedirs(aside, exist_ok=True)
        self.system.pipe_file(f"{aside}/{name}.why.txt", why)
        self.system.mv(f"{self.root}/{name}", f"{aside}/{name}", recursive=True)

    def remove(self, name: str) -> None:
        self.system.rm(f"{self.root}/{name}", recursive=True)
