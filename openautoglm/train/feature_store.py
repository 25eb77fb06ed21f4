"""Features by content, on disk: computed once for a document, whatever corpus, split or batch it comes in.

store = FeatureStore.of(root / ".autoglm/features", extractor)
keys = extractor.keys(texts, graphs)
store.fill(extractor, keys, texts, graphs)
features = store.take(keys)                                # [D, P, H] float32
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from openautoglm.files import keep_newest, write_atomic
from openautoglm.graph import GraphBatch
from openautoglm.train.features import Extractor, Floats

Part = dict[str, NDArray[Any]]
PARTS = 8  # files of a store before they become one
STORES = 6  # extractors whose features stay on disk: champion, challenger, baseline, experiments; the newest


@dataclass
class FeatureStore:
    """Features by key below ``folder``, in a few safetensors files."""

    folder: Path
    _parts: list[Part] = field(default_factory=list)
    _place: dict[str, tuple[int, int]] = field(default_factory=dict)
    _seen: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._look()

    @classmethod
    def of(cls, root: Path, extractor: Extractor) -> FeatureStore:
        """The store of ``extractor`` below ``root``; those of extractors long out of use go.

        The last one stays in memory, and only what came since is read: stage after stage asks for it, of champion and
        challenger. Where a file of it went, for instance as a document was forgotten, it is read anew.
        """
        folder = (root / extractor.fingerprint[:32]).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        keep_newest((path for path in root.iterdir() if path.is_dir()), STORES)
        found = _LAST.get(folder)
        if found is None or found._seen - set(folder.glob("part-*.safetensors")):
            _LAST.clear()
            _LAST[folder] = cls(folder)
        else:
            found._look()
        return _LAST[folder]

    def __repr__(self) -> str:
        return f"FeatureStore({self.folder}, {len(self)} documents)"

    def __len__(self) -> int:
        return len(self._place)

    def __contains__(self, key: str) -> bool:
        return key in self._place

    def fill(
        self, extractor: Extractor, keys: Sequence[str], texts: Sequence[str], graphs: GraphBatch
    ) -> int:
        """Compute and keep what is not there yet; returns how many documents that were."""
        if any(key not in self for key in keys):
            self._look()
        rows = sorted({key: row for row, key in enumerate(keys) if key not in self}.values())
        if rows:
            found = extractor.extract([texts[row] for row in rows], graphs.select(rows))
            self.add([keys[row] for row in rows], found)
        return len(rows)

    def add(self, keys: Sequence[str], features: Floats) -> None:
        part: Part = {"keys": _to_bytes(keys), "features": features}
        self._seen.add(self._write(part))
        self._take_in(part)
        if len(list(self.folder.glob("part-*.safetensors"))) > PARTS:
            self._rewrite(list(self._place))

    def recall(self, extractor: Extractor, texts: Sequence[str], graphs: GraphBatch) -> Floats:
        """[D, P, H] of these documents, computed first where they are not there."""
        keys = extractor.keys(texts, graphs)
        self.fill(extractor, keys, texts, graphs)
        return self.take(keys)

    def take(self, keys: Iterable[str]) -> Floats:
        """[D, P, H]. Raises KeyError for a document that is not there."""
        rows = [self._parts[part]["features"][row] for part, row in (self._place[key] for key in keys)]
        return np.stack(rows) if rows else np.zeros((0, 1, 1), np.float32)

    def purge(self, keys: Iterable[str]) -> None:
        """Forget these documents, on disk as well."""
        gone = set(keys) & self._place.keys()
        if gone:
            self._rewrite([key for key in self._place if key not in gone])

    def keep_only(self, keys: Iterable[str]) -> int:
        """Forget all others; returns how many those were."""
        gone = self._place.keys() - set(keys)
        self.purge(gone)
        return len(gone)

    def _rewrite(self, kept: list[str]) -> None:
        old = set(self._seen)
        part: Part = {"keys": _to_bytes(kept), "features": self.take(kept)}
        self._parts, self._place = [], {}
        new = {self._write(part)} if kept else set()
        self._seen = set(new)
        self._take_in(part)
        for path in old - new:
            path.unlink(missing_ok=True)

    def _look(self) -> None:
        """Take in the files that are new; another store on the same folder may have written some.

        A damaged one goes: what was in it is computed again.
        """
        for path in sorted(set(self.folder.glob("part-*.safetensors")) - self._seen):
            part = _read(path)
            if part is None:
                path.unlink(missing_ok=True)
                continue
            self._seen.add(path)
            self._take_in(part)

    def _write(self, part: Part) -> Path:
        data = save(part)
        path = self.folder / _name(data)
        write_atomic(path, data)
        return path

    def _take_in(self, part: Part) -> None:
        number = len(self._parts)
        self._parts.append(part)
        for row, key in enumerate(part["keys"]):
            self._place[key.tobytes().hex()] = (number, row)


_LAST: dict[Path, FeatureStore] = {}


def _read(path: Path) -> Part | None:
    """None where it is gone, or its bytes are not those that its name says."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    return load(data) if path == path.with_name(_name(data)) else None


def _name(data: bytes) -> str:
    return f"part-{hashlib.sha256(data).hexdigest()[:16]}.safetensors"


def _to_bytes(keys: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex("".join(keys)), np.uint8).reshape(-1, 16).copy()
