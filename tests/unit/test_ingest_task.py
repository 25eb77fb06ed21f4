from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from openautoglm.corpus import Corpus
from openautoglm.corpus.forgotten import forgotten_rows
from openautoglm.corpus.inbox import put
from openautoglm.corpus.read import RAW_SCHEMA
from openautoglm.corpus.redact import take_out
from openautoglm.corpus.sample import write_sample
from openautoglm.errors import SourceError
from openautoglm.params import Params
from tasks.ingest import ingest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def params() -> Params:
    return Params.load(REPOSITORY / "params.yaml")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("sample")
    write_sample(to)
    return to


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_batches_become_one_corpus(params: Params, sample: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        put(tmp_path / "inbox", str(sample / f"batch{number}.jsonl"))
    facts = ingest(params, tmp_path)
    corpus = Corpus.load(tmp_path / "data" / "corpus")
    assert facts["rows"] == len(corpus) == sum(int(facts[s]) for s in ("train", "valid", "test"))  # type: ignore[call-overload]
    assert (facts["batches"], facts["newest_batch"]) == (3, "0003-batch3")
    assert facts["fingerprint"] == corpus.fingerprint
    assert corpus.column("batch")[0] == "0001-batch1"


def test_chunk_size_changes_no_byte(params: Params, sample: Path, tmp_path: Path) -> None:
    contents = []
    for size in (1, 137, 100_000):
        root = tmp_path / str(size)
        put(root / "inbox", str(sample / "batch3.jsonl"))
        section = params.ingest.model_copy(update={"chunk_rows": size})
        ingest(params.model_copy(update={"ingest": section}), root)
        contents.append(bytes_of(root / "data" / "corpus"))
    assert contents[0] == contents[1] == contents[2]


def test_it_notes_what_a_batch_was_asked_to_forget(params: Params, tmp_path: Path) -> None:
    for name in ("a", "b"):
        rows = [{"id": f"{name}{n}", "text": f"text {n}", "label": "x"} for n in range(9)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        put(tmp_path / "inbox", str(tmp_path / f"{name}.jsonl"))
    schemas = []
    for ids in ([], ["a1", "a2"], ["a3"]):
        take_out(tmp_path / "inbox", ids, "asked for", params.ingest)
        ingest(params, tmp_path)
        schemas.append(pq.read_schema(tmp_path / "data/corpus/part-00000.parquet"))
    assert [forgotten_rows(schema) for schema in schemas] == [{}, {"0001-a": 2}, {"0001-a": 3}]
    assert schemas[0].equals(RAW_SCHEMA, check_metadata=True)


def test_again_gives_the_same_bytes(params: Params, sample: Path, tmp_path: Path) -> None:
    put(tmp_path / "inbox", str(sample / "batch1.jsonl"))
    ingest(params, tmp_path)
    before = bytes_of(tmp_path / "data" / "corpus")
    shutil.rmtree(tmp_path / "data")
    ingest(params, tmp_path)
    assert bytes_of(tmp_path / "data" / "corpus") == before


def test_a_document_keeps_its_split_when_others_arrive(params: Params, sample: Path, tmp_path: Path) -> None:
    put(tmp_path / "inbox", str(sample / "batch2.jsonl"))
    ingest(params, tmp_path)
    alone = {d.doc_id: d.split for d in Corpus.load(tmp_path / "data" / "corpus").documents()}
    put(tmp_path / "inbox", str(sample / "batch1.jsonl"))
    ingest(params, tmp_path)
    together = {d.doc_id: d.split for d in Corpus.load(tmp_path / "data" / "corpus").documents()}
    assert alone.items() < together.items()


def test_a_bad_source_leaves_the_old_corpus(params: Params, sample: Path, tmp_path: Path) -> None:
    put(tmp_path / "inbox", str(sample / "batch1.jsonl"))
    ingest(params, tmp_path)
    before = bytes_of(tmp_path / "data" / "corpus")
    spans = tmp_path / "spans.jsonl"
    spans.write_text(json.dumps({"text": "a table for two", "spans": []}) + "\n")
    put(tmp_path / "inbox", str(spans))
    with pytest.raises(SourceError, match="no column 'label', found text, spans"):
        ingest(params, tmp_path)
    assert bytes_of(tmp_path / "data" / "corpus") == before
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["corpus"]


def test_faults_travel_to_validate(params: Params, sample: Path, tmp_path: Path) -> None:
    put(tmp_path / "inbox", str(sample / "batch3.jsonl"))
    ingest(params, tmp_path)
    faults = pq.read_table(tmp_path / "data" / "corpus")["fault"].drop_null().to_pylist()
    assert {fault.partition(":")[0] for fault in faults} == {
        "wrong type",
        "column missing",
        "broken encoding",
    }
