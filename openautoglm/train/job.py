"""A `Job` is all that a training run depends on, as paths and values: it travels to other processes as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from openautoglm.files import fingerprint, fingerprint_dir, load_json, save_json
from openautoglm.params import TrainParams

VALUES = ("params", "layers", "hold", "key")  # the other fields of a job are paths


@dataclass(frozen=True)
class Hold:
    """What holds the new weights near the parent's: ``penalty`` none | ewc | lwf with its ``weight`` in the loss, and the
    ids of the documents ``old`` that the parent learnt already."""

    penalty: str = "none"
    weight: float = 0.0
    old: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """corpus: data/validated; graphs: data/graphs; parent: a release's folder, or none; runs: .autoglm/train;
    code: the key of the code that trains (see the code stage), or none; layers: all, or top:N or lora:R of the backbone.
    """

    params: TrainParams
    corpus: Path
    graphs: Path
    runs: Path
    parent: Path | None = None
    code: Path | None = None
    layers: str = "all"
    hold: Hold = Hold()
    key: str = ""

    def sealed(self) -> Job:
        """With the key: sha256 of everything the result depends on. Another key never sees this run's state."""
        code = load_json(self.code) if self.code is not None and self.code.is_file() else None
        depends = {
            "params": self.params.model_dump(exclude={"in_scope_share"}),  # set on what was trained
            "corpus": fingerprint_dir(self.corpus),
            "graphs": fingerprint_dir(self.graphs),
            "parent": fingerprint_dir(self.parent) if self.parent else None,
            "code": code,
            "layers": self.layers,
            "hold": asdict(self.hold),
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
        paths = {name: value and str(value) for name, value in vars(self).items() if name not in VALUES}
        values = {"layers": self.layers, "hold": asdict(self.hold), "key": self.key}
        save_json(path, {**paths, **values, "params": self.params.model_dump()})

    @classmethod
    def load(cls, path: Path) -> Job:
        raw: dict[str, Any] = load_json(path)
        paths = {name: value and Path(value) for name, value in raw.items() if name not in VALUES}
        hold = Hold(**{**raw["hold"], "old": tuple(raw["hold"]["old"])})
        params = TrainParams.model_validate(raw["params"])
        return cls(**paths, params=params, layers=raw["layers"], hold=hold, key=raw["key"])
