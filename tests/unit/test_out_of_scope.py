"""Documents that belong to no class, from validate to an answer: never learnt, never examined as a class, told apart."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "evaluate"))
from toy_exam import FILLER, WORDS, toy_corpus, toy_graphs, toy_params

from openautoglm.corpus import Corpus, Document
from openautoglm.corpus.examine import examine
from openautoglm.corpus.read import RAW_SCHEMA
from openautoglm.evaluate.report import write_report
from openautoglm.evaluate.scope import auroc
from openautoglm.export.session import Session
from openautoglm.files import load_json
from openautoglm.graph import FastParser, GraphBatch, GraphBuilder
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.model.scope import Scope, score
from openautoglm.params import Params
from openautoglm.train.scope import fit_scope
from tasks.evaluate import evaluate
from tasks.export import export

OOS = "nothing"


def params(**more: Any) -> Params:
    found = toy_params(oos_label=OOS, **more)
    return found.model_copy(update={"export": found.export.model_copy(update={"int8": False})})


def documents() -> list[Document]:
    """The toy's, and 40 of no class among test and valid."""
    random = np.random.default_rng(0)
    others = [
        Document(
            f"other-{n}", " ".join(random.choice(FILLER, 6)), OOS, "test" if n % 2 else "valid", "0001-first"
        )
        for n in range(40)
    ]
    return [*toy_corpus((60, 60, 60)).documents(), *others]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout after evaluate and export, its head solved on the features of the train split."""
    root = tmp_path_factory.mktemp("checkout")
    corpus = Corpus.from_documents(documents())
    corpus.save(root / "data/validated")
    builder = GraphBuilder(FastParser())
    graphs, builder = builder.fit_build(
        corpus.column("text"),
        corpus.column("doc_id"),
        [s == "train" for s in corpus.column("split")],
        10,
        0.1,
        2,
    )
    graphs.save(root / "data/graphs", vocabulary=builder.vocabulary())
    make_head(root / "models/checkpoint", corpus.split("train"))
    threshold(root, corpus, graphs).save(root / "models/checkpoint/scope.json")
    evaluate(params(), root)
    export(params(), root)
    return root


def threshold(root: Path, corpus: Corpus, graphs: GraphBatch) -> Scope:
    found = Checkpoint.load(root / "models/checkpoint")
    return fit_scope(found, root / ".autoglm/features", corpus, graphs, params().train.in_scope_share)


def make_head(path: Path, train: Corpus) -> None:
    """Ridge from the tiny backbone's features to the three classes, sharpened."""
    from openautoglm.evaluate.predict import Reader

    labels = sorted(WORDS)
    model, tokenizer = build("tiny", labels, 0, graph_size=16, max_tokens=16)
    first = Checkpoint.save(path, model, tokenizer, {})
    reader = Reader.of(first, path.parent / "features")
    features = reader.read(train, toy_graphs(train)).features.astype(np.float64)
    target = np.array([[label == name for name in labels] for label in train.column("label")], float)
    weights = np.linalg.solve(features.T @ features + 1e-2 * np.eye(features.shape[1]), features.T @ target)
    with torch.no_grad():
        model.adapter.linear.weight.copy_(torch.from_numpy(10 * weights.T).float())
        model.adapter.linear.bias.zero_()
    Checkpoint.save(path, model, tokenizer, {})


def test_metrics_say_how_well_they_are_told_apart(root: Path) -> None:
    metrics = load_json(root / "reports/metrics.json")
    assert metrics["oos_documents"] == 20
    assert metrics["documents"] == 60
    assert metrics["oos_auroc"] > 0.8
    assert metrics["oos_recall"] > metrics["false_rejections"]
    assert load_json(root / "reports/evaluation.json")["metrics"]["oos_auroc"] == metrics["oos_auroc"]
    page = write_report(root).read_text()
    assert "20 documents that belong to no class" in page
    classes = {row["label"] for row in load_json(root / "reports/evaluation.json")["classes"]}
    assert OOS not in classes


def test_the_threshold_examined_is_the_one_published(root: Path) -> None:
    published = root / "models/onnx/scope.json"
    assert published.read_bytes() == (root / "models/checkpoint/scope.json").read_bytes()
    assert Scope.load(published).documents == 60, "the valid documents with a class"
    assert Scope.load(published).threshold == load_json(root / "reports/metrics.json")["in_scope_threshold"]


def test_what_a_parent_took_for_a_class_sets_no_threshold_where_it_is_none(root: Path) -> None:
    found = Checkpoint.load(root / "models/checkpoint")
    known = found.config.labels[0]
    corpus, graphs = Corpus.load(root / "data/validated"), GraphBatch.load(root / "data/graphs")
    scope = fit_scope(found, root / ".autoglm/features", corpus, graphs, 0.95, oos_label=known)
    assert scope.documents == 40, "20 of the valid documents are of that class"


def test_an_answer_says_whether_it_is_in_scope(root: Path) -> None:
    session = Session(root / "models/onnx", 1)
    texts = [d.text or "" for d in documents() if d.split == "test"]
    answers = session.predict(texts)
    scores = score(session.logits(session.encode(texts)))
    assert [a.score for a in answers] == pytest.approx(scores.tolist(), abs=1e-4)
    assert session.scope
    assert [a.in_scope for a in answers] == [a.score >= (session.scope.threshold or 0) for a in answers]
    assert {a.in_scope for a in answers} == {True, False}
    assert json.loads(json.dumps(answers[0].to_json()))["in_scope"] in (True, False)


def test_a_release_of_earlier_days_does_not_know(root: Path, tmp_path: Path) -> None:
    import shutil

    old = Path(shutil.copytree(root / "models/onnx", tmp_path / "onnx"))
    (old / "scope.json").unlink()
    assert [a.in_scope for a in Session(old, 1).predict(["a plum please"])] == [None]


def test_the_order_of_arrival_leaves_no_trace_in_the_threshold(root: Path) -> None:
    corpus = Corpus.from_documents(documents()[::-1])
    builder = GraphBuilder.load(root / "data/graphs/vocabulary.json")
    graphs = builder.build([text or "" for text in corpus.column("text")], corpus.column("doc_id"))
    assert threshold(root, corpus, graphs) == Checkpoint.load(root / "models/checkpoint").scope


def test_validate_keeps_them_out_of_training_and_does_not_call_them_rare() -> None:
    rows = [
        {"doc_id": f"d{n}", "text": f"this is text {n} on {label}", "label": label, "split": split, "batch": "0001-a", "fault": None}
        for n, (label, split) in enumerate(
            [(label, split) for label in ("parcel", "refund") for split in ("train",) * 30 + ("valid",) * 2 + ("test",) * 9]
            + [(OOS, split) for split in ("train", "train", "valid", "test", "test")]
        )
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=RAW_SCHEMA)
    verdict = examine(table, toy_params().validate_, OOS)
    assert verdict.ok, verdict.message
    assert verdict.report["out_of_scope"] == {"label": OOS, "left_out_of_training": 2}
    assert list(verdict.clean.labels) == ["parcel", "refund"]
    assert verdict.clean.column("label").count(OOS) == 3
    assert verdict.quarantine.num_rows == 0
    assert not examine(table, toy_params().validate_).ok, "as a class it would be a rare one"


def test_auroc_by_hand() -> None:
    assert auroc(np.array([3.0, 2.0]), np.array([1.0, 0.0])) == 1.0
    assert auroc(np.array([1.0, 1.0]), np.array([1.0])) == 0.5
    assert auroc(np.array([2.0, 0.0]), np.array([1.0])) == 0.5
    random = np.random.default_rng(0)
    from sklearn.metrics import roc_auc_score

    a, b = random.normal(1, 1, 50).round(1), random.normal(0, 1, 70).round(1)
    both = roc_auc_score(np.r_[np.ones(50), np.zeros(70)], np.r_[a, b])
    assert auroc(a, b) == pytest.approx(both)
