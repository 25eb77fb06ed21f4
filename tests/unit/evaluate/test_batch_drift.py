"""Drift of the newest batch on a tiny champion: another kind of text is flagged, the same kind is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toy_exam import FILLER, WORDS, toy_checkpoint, toy_graphs, toy_params

from openautoglm.corpus import Corpus, Document
from openautoglm.evaluate.drift import Drift, drifted, measure, of_words
from openautoglm.evaluate.exam import sit
from openautoglm.evaluate.predict import Reader
from openautoglm.model.checkpoint import Checkpoint

NEWEST = "0002-new"
OTHER = ["parcel", "lorry", "harbour", "crane", "anchor", "sailor"]
VALIDATION = {
    "drift": {
        "batch": NEWEST,
        "documents": 200,
        "reference_documents": 400,
        "label_psi": 0.01,
        "length_psi": 0.3,
        "oov": 0.02,
        "new_labels": ["tent"],
        "new_words": ["tent"],
    }
}


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return toy_checkpoint(tmp_path_factory.mktemp("champion") / "checkpoint", sorted(WORDS))


def arrived(seed: int, other: float = 0.0, per_batch: int = 300, new: int = 300) -> Corpus:
    """Two batches of the same kind; ``other`` is the share (0-1) of the second that speaks of something else."""
    random = np.random.default_rng(seed)
    documents = []
    for batch, count in (("0001-old", per_batch), (NEWEST, new)):
        for n in range(count):
            label = sorted(WORDS)[n % 3]
            strange = batch == NEWEST and random.random() < other
            words = random.choice(OTHER if strange else FILLER, 5).tolist()
            words += [] if strange else [str(random.choice(WORDS[label].split()))]
            split = ("train", "valid", "test", "test", "test")[n % 5]
            documents.append(Document(f"{batch}-{seed}-{n}", " ".join(words), label, split, batch))
    return Corpus.from_documents(documents)


def found(champion: Checkpoint, corpus: Corpus, learnt: list[str] | None = None) -> Drift:
    graphs = toy_graphs(corpus)
    reader = Reader.of(champion, champion.path / "features")
    exam = sit(reader, reader, corpus, graphs, "tiny", champion.path / "features")
    params = toy_params().evaluate
    return measure(reader, corpus, graphs, exam, learnt, VALIDATION, params, 3, "v000001-0123456789ab")


def on_model(drift: Drift) -> list[str]:
    return [name for name in drift.drifted if name in ("embeddings", "confidence")]


def test_the_same_kind_is_let_be_over_several_seeds(champion: Checkpoint) -> None:
    assert [on_model(found(champion, arrived(seed))) for seed in range(5)] == [[]] * 5


@pytest.mark.parametrize("seed", [0, 1])
def test_another_kind_is_flagged(champion: Checkpoint, seed: int) -> None:
    drift = found(champion, arrived(seed, other=1.0))
    assert "embeddings" in on_model(drift)
    by_name = {one.name: one for one in drift.measures}
    assert by_name["embeddings"].value > 2 * by_name["embeddings"].bound
    assert drift.champion == "v000001-0123456789ab"


def test_a_small_batch_lends_its_training_texts_only_while_nobody_learnt_them(champion: Checkpoint) -> None:
    small = arrived(0, other=1.0, new=70)  # 42 of them for tests, 14 valid
    assert "embeddings" in on_model(found(champion, small, learnt=["0001-old"]))
    smaller = arrived(0, other=1.0, new=60)
    assert on_model(found(champion, smaller, learnt=["0001-old"])) == ["embeddings"]
    for learnt in ([NEWEST], None):
        kept_back = found(champion, smaller, learnt=learnt)
        assert on_model(kept_back) == []
        assert "compared from 50 on" in kept_back.note


def test_a_batch_that_has_nothing_but_learnt_texts_is_compared_on_none(champion: Checkpoint) -> None:
    drift = found(champion, arrived(0, new=1), learnt=[NEWEST])
    assert on_model(drift) == []
    assert "read 0 new" in drift.note


def test_words_have_bounds_of_their_own() -> None:
    drift = of_words(VALIDATION, toy_params().evaluate)
    assert drift.drifted == ["lengths"]
    assert [one.name for one in drift.measures] == ["labels", "lengths", "words"]
    assert of_words({"drift": {}}, toy_params().evaluate).measures == ()


def test_without_champion_or_earlier_batch_it_says_so(champion: Checkpoint) -> None:
    corpus = arrived(0, per_batch=30, new=30)
    graphs, params = toy_graphs(corpus), toy_params().evaluate
    cache = champion.path / "features"
    exam = sit(Reader.of(champion, cache), None, corpus, graphs, "tiny", cache)
    alone = measure(None, corpus, graphs, exam, [], VALIDATION, params)
    assert "no champion yet" in alone.note
    assert len(alone.measures) == 3
    first = measure(None, corpus, graphs, exam, [], {}, params)
    assert (first.batch, first.measures) == (None, ())


def test_the_file_says_the_same_twice_and_names_what_drifted(champion: Checkpoint, tmp_path: Path) -> None:
    corpus = arrived(1, other=1.0)
    for name in ("a.json", "b.json"):
        found(champion, corpus).save(tmp_path / name)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    over = drifted(tmp_path / "a.json")
    assert [one.name for one in over] == json.loads((tmp_path / "a.json").read_text())["drifted"]
    assert {"lengths", "embeddings"} <= {one.name for one in over}
    assert all(one.value > one.bound and one.text for one in over)
    assert drifted(tmp_path / "none.json") == []
