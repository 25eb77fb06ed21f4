from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pytest

from openautoglm.corpus.read import RAW_SCHEMA, read
from openautoglm.params import IngestParams, ValidateParams

Rows = list[dict[str, object]]


@pytest.fixture
def ingest_params() -> IngestParams:
    return IngestParams.model_validate(
        {
            "inbox": "inbox",
            "source": None,
            "through": None,
            "columns": {"id": "id", "text": "text", "label": "label", "split": "split"},
            "valid_share": 0.1,
            "test_share": 0.2,
            "chunk_rows": 100,
        }
    )


@pytest.fixture
def params() -> ValidateParams:
    return ValidateParams(
        max_quarantined=0.02,
        min_chars=2,
        max_words=2000,
        min_per_class=5,
        max_class_share=0.6,
        max_label_psi=1.0,
        max_length_psi=0.5,
        max_oov=0.3,
    )


@pytest.fixture
def read_rows(ingest_params: IngestParams) -> Callable[..., Rows]:
    """All rows of a source, as dicts; keywords replace params."""

    def rows_of(source: str | Path, **changes: object) -> Rows:
        params = ingest_params.model_copy(update=changes)
        batches = list(read(str(source), "0001-a", params))
        return pa.Table.from_batches(batches, schema=RAW_SCHEMA).to_pylist()

    return rows_of


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Write rows (dicts, or bytes as they are) to a file below ``tmp_path``."""

    def write(name: str, rows: Iterable[object]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    return write
