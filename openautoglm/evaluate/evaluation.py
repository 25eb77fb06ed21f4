"""Evaluation: everything that one exam showed, as one JSON file with one fingerprint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from openautoglm.corpus import Corpus
from openautoglm.errors import Corrupt
from openautoglm.evaluate.gate import Gate, passed
from openautoglm.evaluate.metrics import Row
from openautoglm.files import fingerprint, load_json, save_json

DIGITS = 6  # what is written; more would be noise of the machine


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Shares are 0-1.

    metrics: flat, also in reports/metrics.json. parent_metrics: accuracy, macro_f1, ece of the parent on the same exam.
    intervals: {metric: [low, high]}. comparisons: one row a rival, each on
    the same documents. slices, classes, calibration, confusions, errors: the rows of the report. lineage: fingerprints
    of what was examined, and the parent's release id. notes: what a reader must know about how it was measured.
    """

    exam: str
    metrics: dict[str, float]
    parent_metrics: dict[str, float]
    gates: list[Gate]
    intervals: dict[str, list[float]]
    comparisons: list[Row]
    slices: list[Row]
    classes: list[Row]
    calibration: list[Row]
    confusions: list[Row]
    errors: list[Row]
    lineage: dict[str, str | None]
    notes: list[str]

    @property
    def passed(self) -> bool:
        return passed(self.gates)

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(self._values())

    def save(self, path: Path) -> None:
        """Write ``path`` (reports/evaluation.json); the same exam gives the same bytes."""
        save_json(path, {**self._values(), "passed": self.passed, "fingerprint": self.fingerprint})

    @classmethod
    def load(cls, path: Path) -> Evaluation:
        """Raises:
        Corrupt: the file is missing, a key is missing, or its content is not what its fingerprint says.
        """
        if not path.is_file():
            raise Corrupt(
                f"{path}: no evaluation here; run the evaluate stage (autoglm run, or dvc repro evaluate)"
            )
        values = load_json(path)
        missing = [field.name for field in fields(cls) if field.name not in values]
        if missing:
            raise Corrupt(
                f"{path}: not an evaluation, {', '.join(missing)} missing; run the evaluate stage again"
            )
        found = cls(**{field.name: values[field.name] for field in fields(cls)})
        if values.get("fingerprint") != found.fingerprint:
            raise Corrupt(
                f"{path}: content and fingerprint differ, it was edited; run the evaluate stage again"
            )
        return found

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = rounded(asdict(self))
        return values

    def __repr__(self) -> str:
        refused = [gate["name"] for gate in self.gates if gate["kind"] == "gate" and not gate["passed"]]
        scores = ", ".join(
            f"{k} {self.metrics[k]:.3f}" for k in ("accuracy", "macro_f1", "ece") if k in self.metrics
        )
        verdict = "passed" if self.passed else f"refused by {', '.join(refused)}"
        return f"Evaluation({scores}, {len(self.classes)} classes, {verdict})"


def exam_fingerprint(test: Corpus) -> str:
    """sha256 of the exam: doc_ids, texts and labels, sorted by doc_id. Two models with the same one sat the same exam."""
    columns = (test.column("doc_id"), test.column("text"), test.column("label"))
    return fingerprint(sorted(map(list, zip(*columns, strict=True)), key=lambda row: str(row[0])))


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS) + 0.0  # no minus zero
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value
