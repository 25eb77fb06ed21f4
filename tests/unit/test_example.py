"""What a user of the example is told before anything is trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = {split: [("a", f"{split} a"), ("b", f"{split} b")] for split in ("train", "valid", "test")}


def asked(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(ROOT / "examples/continual_banking77.py"), str(folder), *more]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(script, env=env, capture_output=True, text=True)


def written(folder: Path, rows: dict[str, list[tuple[str, str]]]) -> Path:
    for split, found in rows.items():
        lines = [json.dumps({"id": text, "text": text, "label": label}) + "\n" for label, text in found]
        (folder / f"{split}.jsonl").write_text("".join(lines))
    return folder


@pytest.mark.parametrize(
    ("rows", "more", "told"),
    [
        ({}, (), "train.jsonl: cannot be read"),
        (ROWS | {"test": [("new", "one")]}, (), "train.jsonl has no document of new"),
        (ROWS, ("--methods", "naive,magic"), "no method 'magic'; choose from naive, replay"),
    ],
)
def test_a_fault_is_told_in_a_line(
    tmp_path: Path, rows: dict[str, list[tuple[str, str]]], more: tuple[str, ...], told: str
) -> None:
    found = asked(written(tmp_path, rows), *more)
    assert found.returncode == 2
    assert told in found.stderr.splitlines()[-1]
    assert "Traceback" not in found.stderr


def test_the_batches_can_be_had_as_files(tmp_path: Path) -> None:
    out = tmp_path / "stream"
    assert asked(written(tmp_path, ROWS), "--batches", "2", "--write", str(out)).returncode == 0
    found = [[json.loads(line) for line in path.read_text().splitlines()] for path in sorted(out.iterdir())]
    assert [sorted(row["split"] for row in rows) for rows in found] == [["test", "train", "valid"]] * 2
    assert {row["label"] for row in found[0]} | {row["label"] for row in found[1]} == {"a", "b"}
    assert len({row["label"] for row in found[0]}) == 1
