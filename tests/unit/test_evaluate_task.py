"""The stage end to end on a tiny model: files, verdict, parent, report."""

import csv
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "evaluate"))
from toy_exam import WORDS, toy_checkpoint, toy_params, toy_root

from openautoglm.evaluate import Evaluation
from openautoglm.evaluate.plots import TRAINING
from openautoglm.evaluate.report import write_report
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.params import Params
from tasks.evaluate import evaluate

LABELS = sorted(WORDS)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = toy_root(tmp_path_factory.mktemp("root"), gate=0.5)
    evaluate(toy_params(), root)
    return root


def outputs(root: Path) -> dict[str, bytes]:
    files = [
        root / "reports/evaluation.json",
        root / "reports/metrics.json",
        *(root / "reports/plots").iterdir(),
    ]
    return {path.name: path.read_bytes() for path in files}


def test_the_same_inputs_give_the_same_bytes(root: Path):
    before = outputs(root)
    facts = evaluate(toy_params(), root)
    assert outputs(root) == before
    assert facts["fingerprint"] == Evaluation.load(root / "reports/evaluation.json").fingerprint


def test_metrics_are_flat_numbers(root: Path):
    metrics = json.loads((root / "reports/metrics.json").read_bytes())
    assert metrics["documents"] == 24
    assert {
        "accuracy",
        "macro_f1",
        "ece",
        "text_only_accuracy",
        "tfidf_svc_accuracy",
        "frozen_lr_accuracy",
    } <= set(metrics)
    assert "parent_accuracy" not in metrics
    assert all(isinstance(value, int | float) for value in metrics.values())


@pytest.mark.parametrize(
    ("name", "columns", "rows"),
    [
        ("confusion.csv", ["actual", "predicted", "doc_id"], 24),
        ("reliability.csv", ["confidence", "accuracy", "count"], None),
        ("training.csv", ["epoch", "step", *TRAINING], 0),
        ("slices.csv", ["slice", "accuracy", "count"], None),
        ("per_class.csv", ["label", "precision", "recall", "f1", "support"], None),
    ],
)
def test_plots_have_the_columns_that_dvc_reads(root: Path, name: str, columns: list[str], rows: int | None):
    with (root / "reports/plots" / name).open() as file:
        reader = csv.DictReader(file)
        found = list(reader)
    assert reader.fieldnames == columns
    assert len(found) == rows if rows is not None else found


def test_report_says_what_was_found_and_loads_nothing(root: Path):
    page = write_report(root).read_text()
    evaluation = Evaluation.load(root / "reports/evaluation.json")
    assert f"{100 * evaluation.metrics['accuracy']:.1f}" in page
    assert evaluation.fingerprint in page
    assert evaluation.errors[0]["doc_id"] in page
    for gate in evaluation.gates:
        assert gate["reason"].replace("'", "&#39;") in page
    assert not re.search(r"https?://|//cdn|<link|src=", page)


def test_report_shows_latencies_where_they_were_measured(root: Path):
    assert "latencies" not in write_report(root).read_text()
    row = {
        "batch": 8.0,
        "tokens": 17.0,
        "torch_ms": 40.0,
        "onnx_ms": 16.04,
        "onnx_ratio": 2.49,
        "int8_ms": 8.0,
        "int8_ratio": 5.0,
    }
    path = root / "reports/latency.json"
    path.write_text(json.dumps({"milliseconds": [row, row | {"batch": 32.0}]}))
    try:
        page = " ".join(write_report(root).read_text().split())
    finally:
        path.unlink()
    found = re.search(r'<table class="latencies">.*?</table>', page)
    assert found
    cells = re.findall(r">([^<>]*\w[^<>]*)<", found[0])
    assert cells[:4] == ["Milliseconds a batch of", "torch", "onnx", "int8"]
    assert cells[4:11] == ["8", " of 17 tokens", "40.0", "16.0", " 2.5×", "8.0", " 5.0×"]


def test_report_takes_up_the_release_when_it_is_this_evaluations(root: Path):
    evaluation = Evaluation.load(root / "reports/evaluation.json")
    release = {
        "id": "v000001-abcdefabcdef",
        "published": True,
        "passed": True,
        "kind": "full",
        "gates": evaluation.gates,
    }
    (root / "models/release.json").write_text(json.dumps({**release, "metrics": {"evaluation": "another"}}))
    assert "v000001-abcdefabcdef" not in write_report(root).read_text()
    metrics = {"evaluation": evaluation.fingerprint}
    (root / "models/release.json").write_text(json.dumps({**release, "metrics": metrics}))
    assert "Published as v000001-abcdefabcdef" in write_report(root).read_text()
    (root / "models/release.json").unlink()


def test_texts_cannot_write_the_page(root: Path, tmp_path: Path):
    path = root / "reports/evaluation.json"
    values = json.loads(path.read_bytes())
    values["errors"][0] |= {"text": "<script>alert(1)</script>", "nodes": [[0, 8, 0]], "edges": []}
    fields = {key: value for key, value in values.items() if key not in ("passed", "fingerprint")}
    Evaluation(**fields).save(tmp_path / "reports/evaluation.json")
    assert "<script>alert" not in write_report(tmp_path).read_text()


def test_a_bad_score_says_no_and_does_not_raise(root: Path, tmp_path: Path):
    toy_root(tmp_path)
    facts = evaluate(toy_params(min_accuracy=0.99), tmp_path)
    assert facts["passed"] is False
    assert "accuracy" in str(facts["refused_by"])
    assert "Not published" in write_report(tmp_path).read_text()


def with_parent(monkeypatch: pytest.MonkeyPatch) -> Params:
    """The toy's params, with the checkpoint in ``parent/`` as the release to compare with."""
    monkeypatch.setattr("tasks.parent.parent_dir", lambda params, root: root / "parent")
    monkeypatch.setattr("tasks.parent.parent_batches", lambda params, root: ["0001-first"])
    params = toy_params()
    return params.model_copy(
        update={"train": params.train.model_copy(update={"parent": "v000001-0123456789ab"})}
    )


def test_against_a_parent_that_lacks_a_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    toy_root(tmp_path)
    toy_checkpoint(tmp_path / "parent", LABELS[:2], seed=3)
    params = with_parent(monkeypatch)
    facts = evaluate(params, tmp_path)
    evaluation = Evaluation.load(tmp_path / "reports/evaluation.json")
    known, whole = evaluation.comparisons[:2]
    assert (known["name"], known["documents"]) == ("parent_known", 16)
    assert (whole["name"], whole["documents"]) == ("parent_whole", 24)
    # what the parent got right, it got right among the classes that it knows
    assert round(known["theirs"] * 16) == round(whole["theirs"] * 24)
    assert facts["parent_accuracy"] == pytest.approx(whole["theirs"], abs=1e-6)
    assert "new_classes_accuracy" in facts
    assert evaluation.parent_metrics["accuracy"] == pytest.approx(whole["theirs"])
    assert {row["slice"] for row in evaluation.slices if row["by"] == "class"} == {
        "known to the parent",
        "new",
    }
    assert [row["parent_recall"] is None for row in evaluation.classes] == [False, False, True]


def test_old_answers_lost_to_a_new_class_are_forgetting_and_not_worse_like_for_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    toy_root(tmp_path)
    parent = toy_checkpoint(tmp_path / "parent", LABELS[:2], seed=3).model()
    wider, tokenizer = build("tiny", LABELS, 3, graph_size=16, max_tokens=16)
    state = parent.state_dict()
    for name in ("adapter.linear.weight", "adapter.linear.bias"):
        state[name] = torch.cat([state[name], torch.full_like(state[name][:1], 0.0)])
    state["adapter.linear.bias"][2] = 100.0  # every document is answered with the new class
    wider.load_state_dict(state)
    shutil.rmtree(tmp_path / "models/checkpoint")
    Checkpoint.save(tmp_path / "models/checkpoint", wider, tokenizer, {})
    evaluate(with_parent(monkeypatch), tmp_path)
    evaluation = Evaluation.load(tmp_path / "reports/evaluation.json")
    known = evaluation.comparisons[0]
    assert known["name"] == "parent_known"
    assert (known["wins"], known["losses"]) == (0, 0)
    assert evaluation.metrics["known_classes_accuracy"] == 0.0
    gates = {gate["name"]: gate for gate in evaluation.gates}
    assert gates["parent_known_classes"]["passed"]
    assert not gates["forgetting"]["passed"]


def test_an_exam_label_that_nobody_learnt_counts_as_wrong(tmp_path: Path):
    toy_root(tmp_path, labels=LABELS[:2])
    evaluate(toy_params(), tmp_path)
    evaluation = Evaluation.load(tmp_path / "reports/evaluation.json")
    (row,) = [row for row in evaluation.classes if row["label"] == LABELS[2]]
    assert (row["recall"], row["support"]) == (0.0, 8)


def test_an_empty_exam_is_refused(tmp_path: Path):
    from toy_exam import toy_corpus, toy_graphs

    toy_root(tmp_path)
    corpus = toy_corpus((30, 6, 0))
    corpus.save(tmp_path / "data/validated")
    toy_graphs(corpus).save(tmp_path / "data/graphs")
    facts = evaluate(toy_params(), tmp_path)
    assert (facts["passed"], facts["refused_by"]) == (False, "exam")
    assert "The test split has no document" in write_report(tmp_path).read_text()


def test_a_checkpoint_that_forgot_a_batch_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The parent knows the classes of the first batch by heart; the challenger answers them all with the new one."""
    import torch
    from toy_exam import toy_corpus, toy_graphs

    from openautoglm.corpus import Corpus, Document
    from openautoglm.model.checkpoint import Checkpoint

    toy_root(tmp_path)
    rows = [
        Document(d.doc_id, d.text, d.label, d.split, "0002-new" if d.label == LABELS[2] else "0001-old")
        for d in toy_corpus((30, 6, 90)).documents()
    ]
    Corpus.from_documents(rows).save(tmp_path / "data/validated")
    toy_graphs(Corpus.from_documents(rows)).save(tmp_path / "data/graphs")
    for path, winner in ((tmp_path / "parent", 0), (tmp_path / "models/checkpoint", 2)):
        checkpoint = toy_checkpoint(path, LABELS)
        model = checkpoint.model()
        with torch.no_grad():
            model.adapter.linear.weight.zero_()
            model.adapter.linear.bias.copy_(torch.eye(3)[winner])
        Checkpoint.save(path, model, checkpoint.tokenizer(), {})
    params = with_parent(monkeypatch)
    facts = evaluate(params, tmp_path)
    assert "forgetting" in str(facts["refused_by"])
    gate = {g["name"]: g for g in Evaluation.load(tmp_path / "reports/evaluation.json").gates}["forgetting"]
    assert "the classes of 0001-old −50.0; up to 3.0 may be lost" in gate["reason"]
    assert "0002-new" not in gate["reason"]
    assert facts["group/0001-old"] == 0.0
    assert facts["group/0002-new"] == 1.0
    assert "0001-old −50.0" in write_report(tmp_path).read_text()


def test_a_parent_is_examined_on_graphs_as_it_parses_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import numpy as np
    from toy_exam import toy_corpus, toy_graphs

    from openautoglm.errors import UserError
    from openautoglm.evaluate.predict import Reader
    from openautoglm.graph import FastParser, GraphBuilder

    root, corpus = toy_root(tmp_path, gate=0.5), toy_corpus()
    texts, doc_ids = corpus.column("text"), corpus.column("doc_id")
    every = [True] * len(corpus)
    own, builder = GraphBuilder(FastParser()).fit_build(
        texts, doc_ids, every, window=9, minimum=0.1, min_count=2
    )
    own.save(tmp_path / "own", vocabulary=builder.vocabulary())
    checkpoint = toy_checkpoint(tmp_path / "parent", LABELS, seed=3, gate=0.5)
    vocabulary, given = tmp_path / "parent/vocabulary.json", root / "data/graphs/vocabulary.json"
    vocabulary.write_bytes((tmp_path / "own/vocabulary.json").read_bytes())
    graphs, cache = toy_graphs(corpus), tmp_path / "cache"
    right = Reader.of(checkpoint, cache).read(corpus, own).logits
    assert np.array_equal(Reader.of(checkpoint, cache, given).read(corpus, graphs).logits, right)
    assert not np.array_equal(Reader.of(checkpoint, cache).read(corpus, graphs).logits, right)
    assert Reader.of(checkpoint, cache, vocabulary).builder is None, (
        "the same vocabulary gives the same graphs"
    )

    vocabulary.write_text("{}")
    with pytest.raises(UserError, match=r"parent/vocabulary\.json"):
        evaluate(with_parent(monkeypatch), root)
