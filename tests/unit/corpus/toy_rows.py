"""A corpus that holds every expectation, as rows, for tests to break, and what examine says of it; batches at a URL."""

from __future__ import annotations

import json
import time

import fsspec
import pyarrow as pa

from openautoglm.corpus.examine import Verdict, examine
from openautoglm.corpus.read import RAW_SCHEMA
from openautoglm.params import ValidateParams

Row = dict[str, str | None]


def good(rows: int = 120, batch: str = "0001-a", prefix: str = "d") -> list[Row]:
    """Documents of two labels in three splits."""
    return [
        {
            "doc_id": f"{prefix}{n}",
            "text": f"this is text {prefix} {n} on {'parcels' if n % 2 else 'refunds'}",
            "label": "parcel_late" if n % 2 else "refund_ask",
            "split": ("train", "train", "train", "valid", "test")[n % 5],
            "batch": batch,
            "fault": None,
        }
        for n in range(rows)
    ]


def judged(
    rows: list[Row], params: ValidateParams, oos: str | None = None, forgotten: dict[str, int] | None = None
) -> Verdict:
    return examine(pa.Table.from_pylist(rows, schema=RAW_SCHEMA), params, oos, forgotten)


def reasons(verdict: Verdict) -> dict[str, str]:
    return {row["doc_id"]: row["reason"] for row in verdict.quarantine.to_pylist()}


def entry(verdict: Verdict, name: str) -> dict[str, object]:
    return next(e for e in verdict.report["expectations"] if e["name"] == name)


def labelled(rows: list[Row], count: int, label: str) -> list[Row]:
    """``rows`` with ``label`` on the first ``count`` of the train split."""
    train = [row for row in rows if row["split"] == "train"][:count]
    return [row | {"label": label} if row in train else row for row in rows]


def row(name: str) -> bytes:
    return json.dumps({"id": name, "text": f"text of {name}", "label": "a"}).encode() + b"\n"


def drop(url: str, name: str, data: bytes, tick: bool = True) -> None:
    with fsspec.open(f"{url}/{name}", "wb", auto_mkdir=True) as file:
        file.write(data)
    if tick and url.startswith("s3"):
        time.sleep(1.05)  # S3 tells whole seconds
    elif tick:
        time.sleep(0.02)
