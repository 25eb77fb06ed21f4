from __future__ import annotations

import bz2
import functools
import gzip
import http.server
import lzma
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from openautoglm.corpus.read import read
from openautoglm.corpus.split import hash_split
from openautoglm.errors import SourceError
from openautoglm.params import Columns, IngestParams

Reader = Callable[..., list[dict[str, object]]]
Writer = Callable[..., Path]
ROWS = [{"id": f"d{n}", "text": f"text {n}", "label": f"l{n % 2}"} for n in range(10)]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def facts(rows: list[dict[str, object]]) -> list[tuple[object, object, object]]:
    return [(row["doc_id"], row["text"], row["label"]) for row in rows]


EXPECTED = [(row["id"], row["text"], row["label"]) for row in ROWS]


def test_the_same_rows_from_every_format(tmp_path: Path, jsonl: Writer, read_rows: Reader) -> None:
    jsonl("a.jsonl", ROWS)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    lines = [f'"{row["id"]}","{row["text"]}",{row["label"]}' for row in ROWS]
    (tmp_path / "a.csv").write_text("\n".join(["id,text,label", *lines]), encoding="utf-8-sig")
    (tmp_path / "a.tsv").write_text("\n".join(["id\ttext\tlabel", *(x.replace(",", "\t") for x in lines)]))
    for name in ("a.jsonl", "a.jsonl.gz", "a.parquet", "a.csv", "a.tsv"):
        rows = read_rows(tmp_path / name)
        assert facts(rows) == EXPECTED, name
        assert [row["split"] for row in rows] == [hash_split(str(row["id"]), 0.1, 0.2) for row in ROWS]
        assert not any(row["fault"] for row in rows)


PACKED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress}


@pytest.mark.parametrize("ending", ["", *PACKED])
def test_the_same_rows_however_they_are_packed(
    tmp_path: Path, jsonl: Writer, read_rows: Reader, ending: str
) -> None:
    plain = jsonl("plain.jsonl", ROWS).read_bytes()
    pack = PACKED.get(ending, bytes)
    (tmp_path / f"a.jsonl{ending}").write_bytes(pack(plain))
    lines = [f'"{row["id"]}","{row["text"]}",{row["label"]}' for row in ROWS]
    (tmp_path / f"a.csv{ending}").write_bytes(pack("\n".join(["id,text,label", *lines]).encode()))
    for kind in ("jsonl", "csv"):
        assert facts(read_rows(tmp_path / f"a.{kind}{ending}")) == EXPECTED


def test_zstandard_in_several_frames_and_broken_off(tmp_path: Path, jsonl: Writer, read_rows: Reader) -> None:
    plain = jsonl("plain.jsonl", ROWS).read_bytes()
    packed = zstandard.compress(plain[:100]) + zstandard.compress(plain[100:])
    (tmp_path / "a.jsonl.zst").write_bytes(packed)
    assert facts(read_rows(tmp_path / "a.jsonl.zst")) == EXPECTED
    (tmp_path / "a.jsonl.zst").write_bytes(packed[:-5])
    with pytest.raises(SourceError, match="breaks off"):
        read_rows(tmp_path / "a.jsonl.zst")


def test_over_http_and_other_file_systems(web: str, jsonl: Writer, read_rows: Reader) -> None:
    path = jsonl("day.jsonl", ROWS)
    with fsspec.open("memory://bucket/day.jsonl", "wb") as file:
        file.write(path.read_bytes())
    for url in (
        f"{web}/day.jsonl",
        f"{web}/day.jsonl?token=1",
        f"file://{path}",
        "memory://bucket/day.jsonl",
    ):
        assert facts(read_rows(url)) == EXPECTED, url
    with pytest.raises(SourceError, match=r"gone\.jsonl: not found"):
        read_rows(f"{web}/gone.jsonl")


def test_from_an_object_store(jsonl: Writer, read_rows: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        system = fsspec.filesystem("s3")
        system.mkdir("bucket")
        system.put(str(jsonl("train.jsonl", ROWS)), "bucket/day/train.jsonl")
        assert facts(read_rows("s3://bucket/day/train.jsonl")) == EXPECTED
        assert facts(read_rows("s3://bucket/day")) == EXPECTED
        with pytest.raises(SourceError, match="not found"):
            read_rows("s3://bucket/gone.csv")
    finally:
        server.stop()


def test_a_folder_brings_its_splits(jsonl: Writer, read_rows: Reader, tmp_path: Path) -> None:
    for name, rows in (("train", ROWS[:6]), ("val", ROWS[6:8]), ("test", ROWS[8:])):
        jsonl(f"set/{name}.jsonl", rows)
    (tmp_path / "set" / "README.md").write_text("not data")
    rows = read_rows(tmp_path / "set")
    assert {row["doc_id"]: row["split"] for row in rows} == {
        f"d{n}": "train" if n < 6 else "valid" if n < 8 else "test" for n in range(10)
    }


def test_a_missing_valid_file_is_carved_from_train(jsonl: Writer, read_rows: Reader, tmp_path: Path) -> None:
    many = [{"id": f"m{n}", "text": f"t {n}", "label": "a"} for n in range(300)]
    jsonl("set/train.jsonl", many)
    jsonl("set/test.jsonl", ROWS)
    splits = [row["split"] for row in read_rows(tmp_path / "set")]
    assert splits.count("test") == len(ROWS)
    assert 10 < splits.count("valid") < 60


def test_several_files_without_split_names_are_one_batch(
    jsonl: Writer, read_rows: Reader, tmp_path: Path
) -> None:
    jsonl("set/monday.jsonl", ROWS[:5])
    jsonl("set/tuesday.jsonl", ROWS[5:])
    assert facts(read_rows(tmp_path / "set")) == EXPECTED


def test_a_split_column_wins_over_the_hash(jsonl: Writer, read_rows: Reader) -> None:
    named = [row | {"split": s} for row, s in zip(ROWS, ["dev", "Training", "test", "", None], strict=False)]
    splits = [row["split"] for row in read_rows(jsonl("a.jsonl", named))]
    assert splits[:3] == ["valid", "train", "test"]
    assert splits[3:] == [hash_split(f"d{n}", 0.1, 0.2) for n in (3, 4)]


def test_a_data_set_by_its_hub_name(jsonl: Writer, read_rows: Reader, tmp_path: Path) -> None:
    """A folder stands in for the hub: `datasets` reads both by the same call."""
    jsonl("set/train.jsonl", ROWS[:6])
    jsonl("set/test.jsonl", ROWS[6:])
    rows = read_rows(f"hf://datasets/{tmp_path / 'set'}")
    assert sorted(facts(rows)) == EXPECTED
    assert {row["split"] for row in rows if str(row["doc_id"]) >= "d6"} == {"test"}
    with pytest.raises(SourceError, match="nobody/nothing"):
        read_rows(f"hf://datasets/{tmp_path}/nobody/nothing")


def test_class_numbers_become_class_names(tmp_path: Path, read_rows: Reader) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    made = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)
    (tmp_path / "set").mkdir()
    made.to_parquet(str(tmp_path / "set" / "train.parquet"))
    rows = read_rows(f"hf://datasets/{tmp_path / 'set'}")
    assert [row["label"] for row in rows] == ["yes", "no", None]


def test_columns_by_other_names(jsonl: Writer, read_rows: Reader) -> None:
    path = jsonl("a.jsonl", [{"key": 7, "body": "hello", "topic": True}])
    names = Columns(id="key", text="body", label="topic", split="split")
    assert facts(read_rows(path, columns=names)) == [("7", "hello", "true")]


def test_a_text_without_id_has_the_same_id_everywhere(jsonl: Writer, read_rows: Reader) -> None:
    rows = read_rows(
        jsonl(
            "a.jsonl",
            [{"text": "same", "label": "a"}, {"text": "same", "label": "b"}, {"text": "b", "label": "a"}],
        )
    )
    assert rows[0]["doc_id"] == rows[1]["doc_id"] == "sha256-0967115f2813a3541eae"
    assert rows[2]["doc_id"] != rows[0]["doc_id"]


def test_rows_come_in_chunks(jsonl: Writer, ingest_params: IngestParams) -> None:
    path = jsonl("a.jsonl", ROWS)
    sizes = [
        b.num_rows for b in read(str(path), "0001-a", ingest_params.model_copy(update={"chunk_rows": 4}))
    ]
    assert sizes == [4, 4, 2]
