"""Prediction, baselines, slices, the noun and the confusion map."""

from pathlib import Path

import numpy as np
import pytest
import torch
from toy_exam import WORDS, toy_checkpoint, toy_corpus, toy_graphs

from openautoglm.corpus import Corpus, Document
from openautoglm.errors import Corrupt, UserError
from openautoglm.evaluate import Evaluation
from openautoglm.evaluate.baseline import frozen_features, frozen_lr, tfidf_svc
from openautoglm.evaluate.confused import confused_block
from openautoglm.evaluate.evaluation import exam_fingerprint
from openautoglm.evaluate.mistakes import shown_errors
from openautoglm.evaluate.plots import training_rows
from openautoglm.evaluate.predict import Reader
from openautoglm.evaluate.slices import NODES, buckets, slice_rows
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.model.encode import collate, encode
from openautoglm.train import features
from openautoglm.train.features import Extractor


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return toy_corpus()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    return toy_checkpoint(tmp_path_factory.mktemp("c") / "checkpoint", sorted(WORDS), gate=0.5)


def test_a_document_is_read_alike_alone_and_in_company(corpus, checkpoint, tmp_path):
    graphs, order = toy_graphs(corpus), np.random.default_rng(0).permutation(len(corpus))
    whole = Reader.of(checkpoint, tmp_path / "a").read(corpus, graphs)
    assert whole.logits.shape == (len(corpus), 3)
    assert whole.logits.dtype == np.float32
    mixed = Reader.of(checkpoint, tmp_path / "b").read(Corpus(corpus.table.take(order)), graphs.select(order))
    np.testing.assert_array_equal(mixed.features, whole.features[order])
    np.testing.assert_allclose(mixed.logits, whole.logits[order], atol=1e-5)


@torch.inference_mode()
def test_it_reads_what_the_models_own_forward_reads(corpus, checkpoint, tmp_path):
    graphs = toy_graphs(corpus)
    reading = Reader.of(checkpoint, tmp_path, precision="fp32").read(corpus, graphs)
    model = checkpoint.model()
    encoded = encode(corpus.column("text"), graphs, checkpoint.tokenizer(), checkpoint.config.max_tokens)
    inputs = collate(encoded, np.arange(len(corpus)))
    np.testing.assert_allclose(reading.logits, model(**inputs).logits.numpy(), atol=1e-4)
    model.use_graph = False
    np.testing.assert_allclose(reading.text_logits, model(**inputs).logits.numpy(), atol=1e-4)
    assert np.abs(reading.logits - reading.text_logits).max() > 1e-3


@pytest.mark.parametrize("seed", [0, 1])
def test_beside_another_it_reads_what_it_reads_alone(corpus, checkpoint, tmp_path, seed):
    """With the same body and another head; with another body."""
    model, tokenizer = (
        (checkpoint.model(), checkpoint.tokenizer()) if not seed else build("tiny", sorted(WORDS), 7)
    )
    with torch.no_grad():
        model.adapter.linear.weight.mul_(-1.0)
    other = Checkpoint.save(tmp_path / "other", model, tokenizer, {})
    reader = Reader.of(checkpoint, tmp_path / "cache")
    beside = Reader.of(other, tmp_path / "cache")
    assert (beside.extractor is reader.extractor) == (seed == 0)
    graphs = toy_graphs(corpus)
    features._LAST.clear()
    alone = Reader.of(other, tmp_path / "alone").read(corpus, graphs)
    np.testing.assert_array_equal(beside.read(corpus, graphs).logits, alone.logits)
    assert not np.array_equal(alone.logits, reader.read(corpus, graphs).logits)


def test_a_new_head_on_a_known_body_computes_nothing(corpus, checkpoint, tmp_path, monkeypatch):
    graphs = toy_graphs(corpus)
    first = Reader.of(checkpoint, tmp_path / "features").read(corpus, graphs)
    model = checkpoint.model()
    model.adapter.scale(2.0)
    other = Checkpoint.save(tmp_path / "other", model, checkpoint.tokenizer(), {}, "fp32")
    monkeypatch.setattr(Extractor, "extract", None)
    second = Reader.of(other, tmp_path / "features").read(corpus, graphs)
    np.testing.assert_allclose(second.logits, 2 * first.logits, rtol=1e-5, atol=1e-6)


def test_two_readers_on_one_body_share_what_either_computed(corpus, checkpoint, tmp_path, monkeypatch):
    graphs = toy_graphs(corpus)
    readers = [Reader.of(checkpoint, tmp_path) for _ in range(2)]
    first = readers[0].read(corpus, graphs)
    monkeypatch.setattr(Extractor, "extract", None)
    np.testing.assert_array_equal(readers[1].read(corpus, graphs).logits, first.logits)


def test_a_text_only_model_has_no_ablation(corpus, tmp_path):
    checkpoint = toy_checkpoint(tmp_path / "c", sorted(WORDS), text_only=True)
    reading = Reader.of(checkpoint, tmp_path / "features").read(corpus, toy_graphs(corpus))
    np.testing.assert_array_equal(reading.logits, reading.text_logits)


def test_graphs_of_other_documents_are_refused(corpus, checkpoint, tmp_path):
    with pytest.raises(UserError, match="graphs and corpus differ"):
        Reader.of(checkpoint, tmp_path).read(corpus, toy_graphs(corpus).select(np.arange(len(corpus))[::-1]))


def test_baselines_learn_words_from_train_alone(corpus, tmp_path):
    train, test = corpus.split("train"), corpus.split("test")
    found = tfidf_svc(train, test)
    assert found.note == ""
    assert np.mean(np.array(found.predicted) == np.array(test.column("label"))) > 0.9
    assert set(frozen_lr(train, test, "tiny", tmp_path).predicted) <= set(WORDS)


def test_large_corpora_are_bounded_with_a_note(corpus, monkeypatch):
    monkeypatch.setattr("openautoglm.evaluate.baseline.MAX_ROWS", 12)
    monkeypatch.setattr("openautoglm.evaluate.baseline.MAX_CHARS", 10)
    note = tfidf_svc(corpus.split("train"), corpus.split("test")).note
    assert "12 of 30 train documents" in note
    assert "words only" in note


def test_texts_without_a_word_get_the_most_frequent_label(corpus):
    rows = [("!!!", "b"), ("…", "a"), ("?!", "b"), ("", "a"), ("--", "b")]
    train = Corpus.from_documents(
        [Document(str(i), t, label, "train", "x") for i, (t, label) in enumerate(rows)]
    )
    test = corpus.split("test")
    found = tfidf_svc(train, test)
    assert found.predicted == ["b"] * len(test)
    assert "no word in any train text and answers b" in found.note


def test_one_class_needs_no_classifier(corpus):
    train = Corpus.from_documents([Document("x", "only this", "fruit", "train", "b")])
    assert set(tfidf_svc(train, corpus.split("test")).predicted) == {"fruit"}


def test_frozen_features_have_unit_length_and_the_texts_order(corpus, tmp_path):
    texts = corpus.column("text")[:9]
    features = frozen_features(texts, "tiny", tmp_path / "a")
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-3)
    np.testing.assert_array_equal(frozen_features(texts[::-1], "tiny", tmp_path / "b")[::-1], features)


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
            "valid_accuracy": 0.5,
        },
        {
            "epoch": 2,
            "step": 2,
            "train_loss": 1.0,
            "valid_loss": None,
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
