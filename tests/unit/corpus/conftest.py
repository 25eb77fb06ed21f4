from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import fsspec
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
            "remote": None,
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


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    found = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    found.start()
    host, port = found.get_host_and_port()
    yield f"http://{host}:{port}"
    found.stop()


@pytest.fixture(params=["file", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty place of each kind."""
    if request.param == "file":
        (tmp_path / "there").mkdir()
        yield f"file://{tmp_path}/there"
        return
    if request.param == "memory":
        fsspec.filesystem("memory").makedirs(f"/{tmp_path.name}/in", exist_ok=True)
        yield f"memory://{tmp_path.name}/in"
        return
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("server"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"b{abs(hash(request.node.name)) % 10**9}"
    s3fs.S3FileSystem().mkdir(bucket)
    yield f"s3://{bucket}/team/in"
    s3fs.S3FileSystem.clear_instance_cache()  # the next server has another address
