"""Prediction, baselines, slices, the noun and the confusion map."""

from pathlib import Path

import numpy as np
import pytest
from toy_exam import WORDS, toy_checkpoint, toy_corpus, toy_graphs

from openautoglm.corpus import Corpus, Document
from openautoglm.errors import Corrupt, UserError
from openautoglm.evaluate import Evaluation
from openautoglm.evaluate.baseline import frozen_features, frozen_lr, tfidf_svc
from openautoglm.evaluate.confused import confused_block
from openautoglm.evaluate.evaluation import exam_fingerprint
from openautoglm.evaluate.mistakes import shown_errors
from openautoglm.evaluate.plots import training_rows
from openautoglm.evaluate.predict import (
    predict_from_features,
    predict_logits,
    predict_with_ablation,
)
from openautoglm.evaluate.slices import NODES, buckets, slice_rows


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return toy_corpus()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    return toy_checkpoint(tmp_path_factory.mktemp("c") / "checkpoint", sorted(WORDS), gate=0.5)


def test_logits_keep_the_order_whatever_the_batches(corpus, checkpoint):
    graphs = toy_graphs(corpus)
    logits = predict_logits(checkpoint, corpus, graphs, batch_size=7)
    assert logits.shape == (len(corpus), 3)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, predict_logits(checkpoint, corpus, graphs, batch_size=1), atol=1e-5)
    np.testing.assert_array_equal(logits, predict_logits(checkpoint, corpus, graphs, batch_size=7))


def test_one_pass_gives_the_ablation_bit_for_bit(corpus, checkpoint):
    graphs = toy_graphs(corpus)
    logits, text_only, _ = predict_with_ablation(checkpoint, corpus, graphs)
    np.testing.assert_array_equal(logits, predict_logits(checkpoint, corpus, graphs))
    np.testing.assert_array_equal(text_only, predict_logits(checkpoint, corpus, graphs, use_graph=False))
    assert np.abs(logits - text_only).max() > 1e-6


def test_a_parent_with_the_same_body_answers_from_the_same_features(corpus, checkpoint, tmp_path):
    graphs = toy_graphs(corpus)
    _, _, features = predict_with_ablation(checkpoint, corpus, graphs)
    np.testing.assert_allclose(
        predict_from_features(checkpoint, features), predict_logits(checkpoint, corpus, graphs), atol=1e-6
    )
    assert checkpoint.shares_body(checkpoint)
    assert not checkpoint.shares_body(toy_checkpoint(tmp_path / "other", sorted(WORDS), seed=5))


def test_a_text_only_model_has_no_ablation(corpus, tmp_path):
    checkpoint = toy_checkpoint(tmp_path / "c", sorted(WORDS), text_only=True)
    logits, text_only, _ = predict_with_ablation(checkpoint, corpus, toy_graphs(corpus))
    np.testing.assert_array_equal(logits, text_only)


def test_graphs_of_other_documents_are_refused(corpus, checkpoint):
    with pytest.raises(UserError, match="graphs and corpus differ"):
        predict_logits(checkpoint, corpus, toy_graphs(corpus).select(np.arange(len(corpus))[::-1]))


def test_baselines_learn_words_from_train_alone(corpus):
    train, test = corpus.split("train"), corpus.split("test")
    found = tfidf_svc(train, test)
    assert found.note == ""
    assert np.mean(np.array(found.predicted) == np.array(test.column("label"))) > 0.9
    assert set(frozen_lr(train, test, "tiny").predicted) <= set(WORDS)


def test_large_corpora_are_bounded_with_a_note(corpus, monkeypatch):
    monkeypatch.setattr("openautoglm.evaluate.baseline.MAX_ROWS", 12)
    monkeypatch.setattr("openautoglm.evaluate.baseline.MAX_CHARS", 10)
    note = tfidf_svc(corpus.split("train"), corpus.split("test")).note
    assert "12 of 30 train documents" in note
    assert "words only" in note


def test_one_class_needs_no_classifier(corpus):
    train = Corpus.from_documents([Document("x", "only this", "fruit", "train", "b")])
    assert set(tfidf_svc(train, corpus.split("test")).predicted) == {"fruit"}


def test_frozen_features_have_unit_length_and_the_texts_order(corpus):
    texts = corpus.column("text")[:9]
    features = frozen_features(texts, "tiny")
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-3)
    np.testing.assert_allclose(frozen_features(texts[::-1], "tiny")[::-1], features, atol=2e-2)


def test_slices_cover_each_document_once():
    values = np.array([0, 1, 3, 4, 100])
    found = dict(buckets(values, NODES, "phrases"))
    assert list(found) == ["0 phrases", "1-3 phrases", "4-7 phrases", "41+ phrases"]
    assert sum(mask.sum() for mask in found.values()) == 5
    hits = np.array([True, True, False, True, False])
    rows = slice_rows({"graph size": list(found.items())}, hits, {"parent": ~hits})
    assert rows[1] == {"by": "graph size", "slice": "1-3 phrases", "count": 2, "accuracy": 0.5, "parent": 0.5}


def test_exam_fingerprint_ignores_order_and_sees_labels():
    rows = [Document(str(i), f"text {i}", "a", "test", "b") for i in range(3)]
    same = exam_fingerprint(Corpus.from_documents(rows[::-1]))
    assert exam_fingerprint(Corpus.from_documents(rows)) == same
    assert (
        exam_fingerprint(Corpus.from_documents([*rows[:2], Document("2", "text 2", "z", "test", "b")]))
        != same
    )


def test_mistakes_are_the_surest_ones_with_their_graph(corpus):
    test = corpus.split("test")
    names = sorted(WORDS)
    actual = np.array([names.index(label) for label in test.column("label")])
    probabilities = np.full((len(test), 3), 0.1)
    probabilities[np.arange(len(test)), (actual + 1) % 3] = np.linspace(0.4, 0.8, len(test))
    rows = shown_errors(test, toy_graphs(test), names, probabilities, actual)
    assert len(rows) == 6  # two of each of three pairs
    assert rows[0]["confidence"] == pytest.approx(0.8)
    start, end, _ = rows[0]["nodes"][0]
    assert rows[0]["text"][start:end] == rows[0]["text"].split()[0]


def test_confusion_map_shows_all_of_few_and_the_worst_of_many():
    classes = [{"label": f"c{i:03}", "support": 10, "recall": 0.9} for i in range(150)]
    wrong = [{"actual": "c003", "predicted": "c140", "count": 4, "share": 0.4}, {"actual": "c009", "predicted": "c003", "count": 1, "share": 0.1}]  # fmt: skip
    few = confused_block(classes[:4], wrong[:0])
    assert few["all"]
    assert few["labels"] == ["c000", "c001", "c002", "c003"]
    many = confused_block(classes, wrong)
    assert many["labels"] == ["c003", "c140", "c009"]
    assert many["rows"][0][1] == {"count": 4, "share": 0.4}


def test_training_rows_take_what_is_there(tmp_path: Path):
    path = tmp_path / "training.jsonl"
    assert training_rows(path) == []
    path.write_text(
        '{"epoch": 1, "step": 9, "train_loss": 2.0, "valid_loss": 1.5, "valid_accuracy": 0.5}\n{"train_loss": 1.0}\n'
    )
    assert training_rows(path) == [
        {
            "epoch": 1,
            "step": 9,
            "train_loss": 2.0,
            "valid_loss": 1.5,
            "train_accuracy": None,
            "valid_accuracy": 0.5,
        },
        {
            "epoch": 2,
            "step": 2,
            "train_loss": 1.0,
            "valid_loss": None,
            "train_accuracy": None,
            "valid_accuracy": None,
        },
    ]


def test_evaluation_is_a_noun(tmp_path: Path):
    gate = {"name": "accuracy", "kind": "gate", "passed": False, "value": 0.1, "bound": 0.5, "reason": "No."}
    fields = {
        key: []
        for key in ("comparisons", "slices", "classes", "calibration", "confusions", "errors", "notes")
    }
    scores = {"accuracy": 1 / 3, "macro_f1": 0.3, "ece": 0.1}
    evaluation = Evaluation("e", scores, {}, [gate], intervals={}, lineage={}, **fields)
    path = tmp_path / "evaluation.json"
    evaluation.save(path)
    first = path.read_bytes()
    loaded = Evaluation.load(path)
    loaded.save(path)
    assert path.read_bytes() == first
    assert loaded.fingerprint == evaluation.fingerprint
    assert not loaded.passed
    assert "\n" not in repr(loaded)
    assert "refused by accuracy" in repr(loaded)
    path.write_bytes(first.replace(b"0.333333", b"0.999999"))
    with pytest.raises(Corrupt, match="edited"):
        Evaluation.load(path)
