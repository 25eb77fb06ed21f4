"""The CSV files that `dvc plots` and the tables of other tools read, and the flat metrics of `dvc metrics`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from openautoglm.evaluate.evaluation import Evaluation, rounded
from openautoglm.evaluate.exam import Exam
from openautoglm.files import fresh_dir, save_json

TRAINING = ("train_loss", "valid_loss", "valid_accuracy")
COLUMNS = {
    "confusion.csv": ("actual", "predicted", "doc_id"),
    "reliability.csv": ("confidence", "accuracy", "count"),
    "training.csv": ("epoch", "step", *TRAINING),
    "slices.csv": ("slice", "accuracy", "count"),
    "per_class.csv": ("label", "precision", "recall", "f1", "support"),
}


def write_plots(evaluation: Evaluation, exam: Exam, reports: Path) -> None:
    """``reports/metrics.json`` and ``reports/plots/*.csv``; the same evaluation gives the same bytes."""
    save_json(reports / "metrics.json", rounded(evaluation.metrics))
    tables = {
        "confusion.csv": _confusion(exam),
        "reliability.csv": evaluation.calibration,
        "training.csv": training_rows(reports / "training.jsonl"),
        "slices.csv": [{**row, "slice": f"{row['by']}: {row['slice']}"} for row in evaluation.slices],
        "per_class.csv": evaluation.classes,
    }
    with fresh_dir(reports / "plots") as folder:
        for name, rows in tables.items():
            (folder / name).write_bytes(_csv(COLUMNS[name], rows))


def training_rows(path: Path) -> list[dict[str, Any]]:
    """A row per epoch of ``training.jsonl``; what a line does not say is left empty, no file gives none.

    A column per curve: DVC joins the points of one column, whatever they belong to, to one line.
    """
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        found = json.loads(line)
        epoch = found.get("epoch", number)
        row = {"epoch": epoch, "step": found.get("step", epoch)}
        rows.append(row | {name: found.get(name) for name in TRAINING})
    return rows


def _confusion(exam: Exam) -> Iterable[dict[str, Any]]:
    ids = exam.test.column("doc_id")
    for doc_id, actual, predicted in zip(ids, exam.actual, exam.model.predicted, strict=True):
        yield {"actual": exam.names[actual], "predicted": exam.names[predicted], "doc_id": doc_id}


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rounded(list(rows)))
    return text.getvalue().encode()
