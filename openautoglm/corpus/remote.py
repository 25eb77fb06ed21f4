"""An inbox at a URL that several machines give to: `ingest.remote`. Each works on a folder of its own, in its own order.

    send("s3://bucket/inbox", Path("inbox"), Path(".autoglm/remote"))    # what the folder has comes to lie there
    mirror("s3://bucket/inbox", Path("inbox"), ...)                      # what lies there comes into the folder

s3://bucket/inbox/tickets-3fa9c1d2.jsonl     an entry without its number: the same content is one batch, whoever gave it
s3://bucket/inbox/_aside/bad-17c2a0f3.jsonl  set aside by whoever read it, with bad-17c2a0f3.jsonl.why.txt
s3://bucket/inbox/_forgotten.jsonl           what `autoglm forget` took out, without ids and texts (forgotten.py)

A number says when a batch came to the one who learns from it, so that a slow upload never comes between two batches that
are learnt already. Everything here follows from what the folder holds: after a kill the next call does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fsspec

from openautoglm.corpus import inbox as boxes
from openautoglm.corpus.forgotten import FILE as FORGOTTEN
from openautoglm.corpus.forgotten import Forgotten, parsed, records, trail
from openautoglm.corpus.mirror import UNFINISHED, Offer, known, look, note
from openautoglm.corpus.source import naming
from openautoglm.files import locked

UPLOADING = "upload.part"  # in a folder that is on its way: whoever looks leaves it alone


def send(remote: str, inbox: Path, scratch: Path) -> list[str]:
    """Bring ``remote`` up to the folder: new entries go there, those that lost documents are replaced by what is left of
    them, those set aside move to ``_aside``. Returns the names of what was sent.

    ``scratch``: a folder that keeps two of these apart.

    Raises:
        SourceError: it cannot be reached, or not be written.
    """
    with locked(scratch):
        offered, there, sent = _offers(remote), _There(remote), []
        missing = _missing(inbox, known(inbox, remote)) if inbox.is_dir() else []
        with naming(remote, "written"):
            gone = {boxes.content(old) for record in there.forgotten() for old in record.renamed}
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
            _follow(there, remote, inbox)
    return sent


def _offers(remote: str) -> dict[str, Offer]:
    return {one.name: one for one in look(remote)}


def _missing(inbox: Path, notes: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """(entry, its name there) of those that ``notes`` do not know there."""
    there = {found.get("entry") for found in notes.values()}
    return [
        (entry, boxes.unnumbered(entry))
        for entry in boxes.names(inbox)
        if boxes.is_named(entry) and entry not in there
    ]


def _follow(there: _There, remote: str, inbox: Path) -> None:
    """What was taken out or set aside here, goes there too."""
    taken_out = records(inbox)
    there.remember(taken_out)
    aside = inbox / boxes.ASIDE
    for name, found in known(inbox, remote).items():
        entry = found.get("entry")
        if entry is None:
            continue
        if (aside / entry).exists():
            there.set_aside(name, (aside / f"{entry}.why.txt").read_bytes())
            note(inbox, remote, name, found["mark"], why="set aside")
        elif trail(taken_out, entry)[-1] != entry:
            there.remove(name)
            note(inbox, remote, name, found["mark"], why="documents were taken out of it")


class _There:
    """The few things that are done at the URL."""

    def __init__(self, remote: str) -> None:
        self.system: Any
        self.system, self.root = fsspec.core.url_to_fs(remote)

    def put(self, entry: Path, name: str) -> None:
        """Under a name that nobody takes for a batch until it is whole."""
        to = f"{self.root}/{name}"
        if entry.is_dir():
            self.system.makedirs(to, exist_ok=True)
            self.system.pipe_file(f"{to}/{UPLOADING}", b"")
            for file in sorted(entry.iterdir()):
                self.system.put_file(str(file), f"{to}/{file.name}")
            self.system.rm_file(f"{to}/{UPLOADING}")
        else:
            self.system.put_file(str(entry), f"{to}{UNFINISHED[0]}")
            self.system.mv(f"{to}{UNFINISHED[0]}", to)

    def forgotten(self) -> list[Forgotten]:
        try:
            return parsed(self.system.cat_file(f"{self.root}/{FORGOTTEN}"))
        except FileNotFoundError:
            return []

    def remember(self, taken_out: Sequence[Forgotten]) -> None:
        """Add to the record there what it lacks."""
        found = self.forgotten()
        new = [record for record in taken_out if record not in found]
        if new:
            merged = sorted([*found, *new], key=lambda record: record.when)
            self.system.pipe_file(f"{self.root}/{FORGOTTEN}", b"".join(map(bytes, merged)))

    def set_aside(self, name: str, why: bytes) -> None:
        aside = f"{self.root}/{boxes.ASIDE}"
        self.system.makedirs(aside, exist_ok=True)
        self.system.pipe_file(f"{aside}/{name}.why.txt", why)
        if self.system.exists(f"{self.root}/{name}"):
            self.system.mv(f"{self.root}/{name}", f"{aside}/{name}", recursive=True)

    def remove(self, name: str) -> None:
        if self.system.exists(f"{self.root}/{name}"):
            self.system.rm(f"{self.root}/{name}", recursive=True)
