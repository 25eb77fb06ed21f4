"""Replay: which old documents come back, and that nothing else of the old ones is trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import toy_documents, toy_job, toy_replay

from openautoglm.corpus import Corpus
from openautoglm.files import load_json, sha256_file
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import WEIGHTS, Checkpoint
from openautoglm.train.optimizer import trains
from openautoglm.train.replay import Buffer, balanced, by_hash, herd, learn
from openautoglm.train.run import train

DOCUMENTS = [
    replace(d, batch="new" if d.label == "apple" else "old") for d in toy_documents(train=60, valid=12)
]


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent")
    old = [d for d in DOCUMENTS if d.batch == "old"]
    train(toy_job(folder, old, epochs=1), folder / "out", folder / "out.jsonl")
    return folder / "out"


def run(folder: Path, parent: Path, **changes: object) -> Checkpoint:
    job = toy_job(folder, DOCUMENTS, parent_dir=parent, epochs=2)
    learn(job, toy_replay(**changes), {"old"}, folder / "out", folder / "out.jsonl")
    return Checkpoint.load(folder / "out")


@pytest.mark.parametrize("choice", ["reservoir", "herding"])
def test_trains_on_the_new_and_a_few_of_each_old_class(tmp_path: Path, parent: Path, choice: str) -> None:
    checkpoint = run(tmp_path, parent, replay_choice=choice)
    facts = checkpoint.training
    new = sum(d.batch == "new" and d.split == "train" for d in DOCUMENTS)
    label_of = {d.doc_id: d.label for d in DOCUMENTS}
    assert facts["documents"] == new + 6
    assert sorted(label_of[doc_id] for doc_id in facts["replayed"]) == ["money"] * 3 + ["train"] * 3
    assert facts["replay_fingerprint"] == Buffer(tuple(facts["replayed"])).fingerprint
    assert facts["corpus"] == Corpus.load(tmp_path / "corpus").fingerprint
    assert checkpoint.config.labels == ["money", "train", "apple"]
    assert not (tmp_path / "replay").exists()


def test_none_of_the_old_is_naive_fine_tuning(tmp_path: Path, parent: Path) -> None:
    facts = run(tmp_path, parent, replay_per_class=0).training
    assert facts["replayed"] == []
    assert facts["documents"] == sum(d.batch == "new" and d.split == "train" for d in DOCUMENTS)


def test_nothing_old_is_no_fault(tmp_path: Path, parent: Path) -> None:
    """Every batch that the parent has seen was forgotten."""
    job = toy_job(tmp_path, DOCUMENTS, parent_dir=parent)
    learn(job, toy_replay(replay_choice="herding"), (), tmp_path / "out", tmp_path / "out.jsonl")
    assert Checkpoint.load(tmp_path / "out").training["replayed"] == []


def test_the_same_job_gives_the_same_bytes(tmp_path: Path, parent: Path) -> None:
    found = [run(tmp_path / name, parent).path / WEIGHTS for name in ("a", "b")]
    assert sha256_file(found[0]) == sha256_file(found[1])


def test_top_layers_alone_move(tmp_path: Path, parent: Path) -> None:
    before, after = Checkpoint.load(parent).model(), run(tmp_path, parent, replay_layers="top:1").model()
    changed = {
        name
        for name, tensor in after.backbone.state_dict().items()
        if not torch.equal(tensor, before.backbone.state_dict()[name])
    }
    assert changed
    assert all(name.startswith("encoder.layer.1.") for name in changed)


def test_which_parameters_a_layers_option_names() -> None:
    model, _ = build("tiny", ["a", "b"], graph_size=16)
    names = [name for name, _ in model.named_parameters()]
    still = {name for name in names if not trains(name, "top:1", model)}
    assert {name.split(".")[1] for name in still} == {"embeddings", "encoder"}
    assert all(".layer.0." in name or ".embeddings." in name for name in still)
    assert all(trains(name, layers, model) for name in names for layers in ("all",))
    assert {name for name in names if not trains(name, "top:2", model)} == {
        n for n in names if "embeddings" in n
    }


def test_the_reservoir_is_that_of_any_order_and_a_part_of_itself() -> None:
    corpus = Corpus.from_documents(DOCUMENTS)
    rows = list(range(len(corpus)))
    ids = corpus.column("doc_id")
    few, more = (balanced(corpus, rows, count, by_hash(corpus)) for count in (3, 6))
    assert set(few) < set(more)
    order = np.random.default_rng(0).permutation(len(DOCUMENTS))
    mixed = Corpus.from_documents([DOCUMENTS[i] for i in order])
    again = balanced(mixed, rows, 3, by_hash(mixed))
    assert {mixed.column("doc_id")[row] for row in again} == {ids[row] for row in few}


def test_herding_follows_the_mean() -> None:
    values = np.array([[0, 0], [10, 0], [0, 10], [10, 10], [100, 100]], np.int16)
    assert herd(values, 1) == [3]  # (24, 24) is the mean, (10, 10) the nearest
    assert sorted(herd(values, 9)) == [0, 1, 2, 3, 4]
    random = np.random.default_rng(0).integers(-500, 500, (200, 8)).astype(np.int16)
    gap = np.linalg.norm(random[herd(random, 10)].mean(axis=0) - random.mean(axis=0))
    others = [
        np.linalg.norm(random[i : i + 10].mean(axis=0) - random.mean(axis=0)) for i in range(0, 190, 10)
    ]
    assert gap < min(others)


def test_the_job_says_which_layers(tmp_path: Path, parent: Path) -> None:
    job = toy_job(tmp_path, DOCUMENTS, parent_dir=parent)
    top = replace(job, layers="top:1").sealed()
    assert top.key != job.key
    top.save(tmp_path / "job.json")
    assert load_json(tmp_path / "job.json")["layers"] == "top:1"
    assert type(job).load(tmp_path / "job.json") == top
