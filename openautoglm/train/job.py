"""A `Job` is all that a training run depends on, as paths and values: it travels to other processes as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from openautoglm.files import fingerprint, fingerprint_dir, load_json, save_json
from openautoglm.params import TrainParams


@dataclass(frozen=True)
class Job:
    """corpus: data/validated; graphs: data/graphs; parent: a release's folder, or none; runs: .autoglm/train;
    code: the key of the code that trains (see the code stage), or none; layers: all, or top:N of the backbone.
    """

    params: TrainParams
    corpus: Path
    graphs: Path
    runs: Path
    parent: Path | None = None
    code: Path | None = None
    layers: str = "all"
    key: str = ""

    def sealed(self) -> Job:
        """With the key: sha256 of everything the result depends on. Another key never sees this run's state."""
        code = load_json(self.code) if self.code is not None and self.code.is_file() else None
        depends = {
            "params": self.params.model_dump(),
            "corpus": fingerprint_dir(self.corpus),
            "graphs": fingerprint_dir(self.graphs),
            "parent": fingerprint_dir(self.parent) if self.parent else None,
            "code": code,
            "layers": self.layers,
        }
        return Job(**{**vars(self), "key": fingerprint(depends)})

    @property
    def state(self) -> Path:
        """Where this run keeps its training state."""
        assert self.key, "a job is sealed before it runs"
        return self.runs / self.key[:32]

    @property
    def epochs(self) -> int:
        """Half as many, rounded down, when training on from a parent: what it knows already needs no second learning."""
        return max(1, self.params.epochs // 2) if self.parent else self.params.epochs

    def save(self, path: Path) -> None:
        paths = {name: value and str(value) for name, value in asdict(self).items() if name != "params"}
        save_json(path, {**paths, "params": self.params.model_dump()})

    @classmethod
    def load(cls, path: Path) -> Job:
        raw: dict[str, Any] = load_json(path)
        named = {field.name: raw[field.name] for field in fields(cls)}
        places = {n: v and Path(v) for n, v in named.items() if n not in ("params", "layers", "key")}
        values = {"layers": raw["layers"], "key": raw["key"]}
        return cls(**{**places, **values, "params": TrainParams.model_validate(raw["params"])})
