"""Toy: a store is a folder of manifests and a pointer."""

from dataclasses import dataclass
from pathlib import Path

from openautoglm.files import load_json, save_json


@dataclass(frozen=True)
class Release:
    version: int
    id: str


class ReleaseStore:
    def __init__(self, url: str) -> None:
        self.root = Path(url)

    def head(self, channel: str) -> Release | None:
        pointer = self.root / "channels" / f"{channel}.json"
        return Release(**load_json(pointer)) if pointer.is_file() else None

    def publish(self, fingerprint: str) -> Release:
        for path in self.root.glob("manifests/*.json"):
            if load_json(path)["id"].endswith(fingerprint[:12]):
                return Release(**load_json(path))
        version = len(list(self.root.glob("manifests/*.json"))) + 1
        release = Release(version, f"v{version:06d}-{fingerprint[:12]}")
        save_json(self.root / f"manifests/v{version:06d}.json", vars(release))
        save_json(self.root / "channels/stable.json", vars(release))
        return release
