from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from openautoglm.corpus import Corpus
from openautoglm.corpus.expectations import Examination
from openautoglm.corpus.inbox import put
from openautoglm.corpus.redact import take_out
from openautoglm.corpus.sample import write_sample
from openautoglm.corpus.sample_damage import EACH
from openautoglm.errors import ValidationFailed
from openautoglm.files import save_json
from openautoglm.params import Params
from tasks.ingest import ingest
from tasks.pages import draw_waiting
from tasks.validate import _write_docs, validate

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def params() -> Params:
    return Params.load(REPOSITORY / "params.yaml")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("sample")
    write_sample(to)
    return to


def ingested(params: Params, root: Path, *sources: Path) -> Path:
    for source in sources:
        put(root / "inbox", str(source))
    ingest(params, root)
    return root


@pytest.fixture(scope="module")
def failed(
    params: Params, sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ValidationFailed]:
    """All three batches, the last one damaged, after a run on the first two."""
    root = ingested(params, tmp_path_factory.mktemp("run"), sample / "batch1.jsonl", sample / "batch2.jsonl")
    validate(params, root)
    ingested(params, root, sample / "batch3.jsonl")
    with pytest.raises(ValidationFailed) as caught:
        validate(params, root)
    return root, caught.value


def test_docs_are_of_the_corpus_that_is_there(tmp_path: Path) -> None:
    """Somebody forgot some of it while a run that had examined it was held up: its texts do not come back."""
    report = {"rows": 3}
    save_json(tmp_path / "validation.json", {"rows": 2})
    examination = Examination()
    _write_docs(tmp_path, examination, report)
    assert not (tmp_path / "data_docs").exists()
    save_json(tmp_path / "validation.json", report)
    _write_docs(tmp_path, examination, report)
    assert (tmp_path / "data_docs/index.html").is_file()


def test_two_good_batches(params: Params, sample: Path, tmp_path: Path) -> None:
    root = ingested(params, tmp_path, sample / "batch1.jsonl", sample / "batch2.jsonl")
    facts = validate(params, root)
    clean = Corpus.load(root / "data" / "validated")
    report = json.loads((root / "reports" / "validation.json").read_text())
    assert facts["documents"] == len(clean) == report["rows"]
    assert facts["labels"] == 30
    assert facts["fingerprint"] == clean.fingerprint
    assert report["ok"]
    assert report["reference"] == ["0001-batch1"]
    assert len(report["drift"]["new_labels"]) == 6
    assert 0 < report["drift"]["oov"] < 0.3
    assert pq.read_table(root / "data" / "quarantine" / "rows.parquet").num_rows == 0
    assert not (root / "reports" / "data_docs").exists(), "no batch waits for them"
    draw_waiting()
    pages = {
        page.parent.parent.parent.name
        for page in (root / "reports" / "data_docs" / "validations").rglob("*.html")
    }
    assert pages == {"rows", "relations", "corpus", "batches"}


@pytest.mark.parametrize(
    ("fault", "rule", "count"),
    [
        ("column missing", "columns_present", EACH),
        ("wrong type", "value_types", EACH),
        ("text missing", "text_present", EACH),
        ("text too long", "text_not_too_long", EACH),
        ("broken encoding", "encoding", 2 * EACH),
        ("duplicate id", "unique_ids", EACH),
        ("label misspelt", "label_spelling", 4),
    ],
)
def test_every_damage_of_batch_3_is_named(
    failed: tuple[Path, ValidationFailed], fault: str, rule: str, count: int
) -> None:
    root, error = failed
    assert f"{count} × {fault}" in error.message
    assert sum(f"{count} × {fault} [{rule}] b3-" in line for line in error.facts["details"]) == 1
    table = pq.read_table(root / "data" / "quarantine" / "rows.parquet")
    assert sum(fault in reason for reason in table["reason"].to_pylist()) == count
    entry = next(e for e in error.facts["expectations"] if e["name"] == rule)
    assert entry["count"] == count
    assert len(entry["examples"]) == 3


def test_leakage_of_batch_3_is_named(failed: tuple[Path, ValidationFailed]) -> None:
    root, error = failed
    assert any("is in another split [leakage] b3-copy-" in line for line in error.facts["details"])
    rows = pq.read_table(root / "data" / "quarantine" / "rows.parquet").to_pylist()
    leaked = [row for row in rows if "leakage" in row["reason"]]
    assert len(leaked) >= EACH
    assert {row["batch"] for row in rows} == {"0003-batch3"}


def test_the_failure_is_one_line_with_a_code_and_facts(failed: tuple[Path, ValidationFailed]) -> None:
    root, error = failed
    assert error.exit_code == 2
    assert "\n" not in error.message
    assert error.message.startswith("0003-batch3: ")
    assert error.facts["quarantined"] == pq.read_table(root / "data" / "quarantine" / "rows.parquet").num_rows
    report = json.loads((root / "reports" / "validation.json").read_text())
    assert not report["ok"]
    assert report["expectations"] == error.facts["expectations"]
    assert (root / "reports" / "data_docs" / "index.html").exists()
    assert not (root / "data" / "validated").exists()


def test_batch_3_alone_fails_too(params: Params, sample: Path, tmp_path: Path) -> None:
    with pytest.raises(ValidationFailed, match="leakage"):
        validate(params, ingested(params, tmp_path, sample / "batch3.jsonl"))


def test_outputs_are_the_same_for_the_same_corpus(params: Params, sample: Path, tmp_path: Path) -> None:
    tolerant = params.model_copy(
        update={"validate_": params.validate_.model_copy(update={"max_quarantined": 0.2})}
    )
    outputs = []
    for name in ("one", "two"):
        root = ingested(params, tmp_path / name, sample / "batch1.jsonl", sample / "batch3.jsonl")
        facts = validate(tolerant, root)
        files = [*(root / "data").rglob("*.parquet"), root / "reports" / "validation.json"]
        outputs.append({p.relative_to(root): p.read_bytes() for p in files} | {"facts": facts})  # type: ignore[dict-item]
    assert outputs[0] == outputs[1]


def test_set_aside_and_kept_are_all_there_is(params: Params, sample: Path, tmp_path: Path) -> None:
    tolerant = params.model_copy(
        update={"validate_": params.validate_.model_copy(update={"max_quarantined": 0.2})}
    )
    root = ingested(params, tmp_path, sample / "batch1.jsonl", sample / "batch3.jsonl")
    validate(tolerant, root)
    raw, clean, aside = (
        Counter(pq.read_table(root / "data" / part)["doc_id"].to_pylist())
        for part in ("corpus", "validated", "quarantine")
    )
    assert clean + aside == raw
    assert max(clean.values()) == 1


def test_forgetting_down_to_four_documents_of_a_label_refuses_nothing(
    params: Params, sample: Path, tmp_path: Path
) -> None:
    strict = params.model_copy(
        update={"validate_": params.validate_.model_copy(update={"max_quarantined": 0.0})}
    )
    root = ingested(params, tmp_path, sample / "batch1.jsonl")
    validate(strict, root)
    corpus = Corpus.load(root / "data/validated")
    label = min(corpus.labels, key=corpus.split("train").column("label").count)
    train = [d.doc_id for d in corpus.split("train").documents() if d.label == label]
    take_out(root / "inbox", train[4:], "asked for", params.ingest)
    ingest(params, root)
    facts = validate(strict, root)
    rows = pq.read_table(root / "data/quarantine/rows.parquet").to_pylist()
    assert {row["reason"] for row in rows} == {f"label too rare to learn: {label}"}
    assert facts["quarantined"] == len(rows) == corpus.column("label").count(label) - len(train[4:])
    assert label not in Corpus.load(root / "data/validated").labels
