"""Learning on analytically: a function of the parent's features and the set of documents, and of nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import toy_documents, toy_graph, toy_job

from openautoglm.corpus import Document
from openautoglm.errors import ParamsError, UserError
from openautoglm.files import fingerprint_dir, sha256_file
from openautoglm.graph import GraphBatch
from openautoglm.model.adapters import directions
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import MODEL_FILES, WEIGHTS, Checkpoint
from openautoglm.model.encode import collate, encode
from openautoglm.params import ContinualParams
from openautoglm.train.analytic import learn, refit
from openautoglm.train.features import Extractor
from openautoglm.train.forget import keep_only

PARAMS = ContinualParams(
    mode="analytic", features=48, replay_per_class=2, replay_choice="reservoir", replay_layers="all", penalty="none", penalty_weight=1.0, max_forgetting=0.05,
    retrain_on_drift=False, thorough=False,
)  # fmt: skip
DOCUMENTS = [replace(d, batch=f"b{int(d.doc_id[1:]) % 4}") for d in toy_documents(train=96, valid=30)]


@pytest.fixture(scope="module", params=["open", "closed"])
def parent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of two labels whose graph path is open, or still closed."""
    model, tokenizer = build("tiny", ["money", "train"], 3, graph_size=16, max_tokens=16)
    with torch.no_grad():
        model.fusion.gate.fill_(float(request.param == "open"))
    path = tmp_path_factory.mktemp("parent") / "checkpoint"
    Checkpoint.save(path, model, tokenizer, {})
    return path


def run(folder: Path, documents: list[Document], parent: Path | None, out: str = "out") -> Checkpoint:
    job = toy_job(folder, documents, parent_dir=parent)
    learn(job, PARAMS, folder / out, folder / f"{out}.jsonl")
    return Checkpoint.load(folder / out)


def released(checkpoint: Checkpoint) -> dict[str, str]:
    """What a release takes from a checkpoint: everything but where it came from."""
    return {name: sha256_file(checkpoint.path / name) for name in (WEIGHTS, *MODEL_FILES)}


def in_batches(folder: Path, order: list[str], parent: Path) -> list[Checkpoint]:
    """One run a batch, each on all documents so far and from the release before."""
    found, there = [], list[Document]()
    for number, batch in enumerate(order):
        there = there + [d for d in DOCUMENTS if d.batch == batch]
        found.append(run(folder, there, found[-1].path if found else parent, f"v{number}"))
    return found


def test_any_order_of_batches_gives_the_same_release(tmp_path: Path, parent: Path) -> None:
    whole = released(run(tmp_path / "whole", DOCUMENTS, parent))
    for number, order in enumerate((["b0", "b1", "b2", "b3"], ["b3", "b1", "b0", "b2"])):
        assert released(in_batches(tmp_path / str(number), order, parent)[-1]) == whole
    shuffled = [DOCUMENTS[i] for i in np.random.default_rng(1).permutation(len(DOCUMENTS))]
    assert released(run(tmp_path / "shuffled", shuffled, parent)) == whole


def test_only_new_documents_cost_anything_and_the_head_alone_changes(tmp_path: Path, parent: Path) -> None:
    job = toy_job(tmp_path, DOCUMENTS[:60], parent_dir=parent)
    first = learn(job, PARAMS, tmp_path / "v1", tmp_path / "v1.jsonl")
    assert first["computed"] == 60
    job = toy_job(tmp_path, DOCUMENTS, parent_dir=tmp_path / "v1")
    assert learn(job, PARAMS, tmp_path / "v2", tmp_path / "v2.jsonl")["computed"] == len(DOCUMENTS) - 60
    assert learn(job, PARAMS, tmp_path / "v3", tmp_path / "v3.jsonl")["computed"] == 0
    assert fingerprint_dir(tmp_path / "v3") == fingerprint_dir(tmp_path / "v2")
    states = [Checkpoint.load(tmp_path / name).model().state_dict() for name in ("v1", "v2")]
    changed = {name for name, tensor in states[0].items() if not torch.equal(tensor, states[1][name])}
    assert changed == {"adapter.linear.weight", "adapter.linear.bias"}


def test_it_learns_and_says_what(tmp_path: Path, parent: Path) -> None:
    checkpoint = run(tmp_path, DOCUMENTS, parent)
    assert checkpoint.config.labels == ["apple", "money", "train"]  # sorted, whatever the parent's order
    facts = checkpoint.training
    assert (facts["mode"], facts["documents"], facts["valid_documents"]) == ("analytic", 96, 30)
    assert facts["valid_accuracy"] > 0.8
    [line] = (tmp_path / "out.jsonl").read_text().splitlines()
    assert json.loads(line)["valid_accuracy"] == facts["valid_accuracy"]


def test_the_model_gives_what_was_solved(tmp_path: Path, parent: Path) -> None:
    """Through the model's own forward, in batches: the valid loss and accuracy that the facts claim."""
    checkpoint = run(tmp_path, DOCUMENTS, parent)
    model, valid = checkpoint.model(), [d for d in DOCUMENTS if d.split == "valid"]
    texts = [d.text or "" for d in valid]
    graphs = GraphBatch.from_graphs([toy_graph(text) for text in texts])
    encoded = encode(texts, graphs, checkpoint.tokenizer(), checkpoint.config.max_tokens)
    with torch.no_grad():
        logits = model(**collate(encoded, range(len(valid)))).logits
    labels = torch.tensor([checkpoint.config.labels.index(d.label) for d in valid])
    loss = torch.nn.functional.cross_entropy(logits, labels)
    assert float(loss) == pytest.approx(checkpoint.training["valid_loss"], abs=0.02)
    accuracy = float((logits.argmax(-1) == labels).float().mean())
    assert accuracy == pytest.approx(checkpoint.training["valid_accuracy"], abs=0.04)


def test_the_directions_are_the_same_everywhere(tmp_path: Path, parent: Path) -> None:
    signs = directions(32, 48, 13)
    assert signs.unique().tolist() == [-1.0, 1.0]
    assert signs[0, :12].int().tolist() == [1, -1, 1, 1, 1, 1, -1, -1, -1, -1, 1, 1]
    stored = run(tmp_path, DOCUMENTS, parent).model().adapter.projection
    assert torch.equal(stored, signs)


def test_without_a_parent_the_pretrained_features_are_used(tmp_path: Path) -> None:
    checkpoint = run(tmp_path, DOCUMENTS, None)
    assert checkpoint.training["parent"] is None
    assert checkpoint.training["valid_accuracy"] > 0.6


def test_without_valid_documents(tmp_path: Path, parent: Path) -> None:
    checkpoint = run(tmp_path, [d for d in DOCUMENTS if d.split == "train"], parent)
    assert checkpoint.training["valid_accuracy"] is None


def test_one_label_is_refused(tmp_path: Path, parent: Path) -> None:
    with pytest.raises(UserError, match="at least 2 labels, found 1"):
        run(tmp_path, [d for d in DOCUMENTS if d.label == "apple"], parent)


@pytest.mark.parametrize("seed", [0, 1])
def test_forgotten_is_never_had(tmp_path: Path, parent: Path, seed: int) -> None:
    """Some of what arrived after the first release goes, with all documents of one label."""
    late = [d for d in DOCUMENTS if d.batch in ("b2", "b3")]
    some = {str(i) for i in np.random.default_rng(seed).choice([d.doc_id for d in late], 20, replace=False)}
    gone = some | {d.doc_id for d in DOCUMENTS if d.label == "apple"}
    kept = [d for d in DOCUMENTS if d.doc_id not in gone]
    never = run(tmp_path / "never", kept, parent)

    last = in_batches(tmp_path / "had", ["b0", "b1", "b2", "b3"], parent)[-1]
    after = run(tmp_path / "had", kept, last.path, "after")
    assert released(after) == released(never)
    assert after.config.labels == ["money", "train"]


def test_forgetting_leaves_nothing_in_any_cache(tmp_path: Path, parent: Path) -> None:
    run(tmp_path, DOCUMENTS, parent)
    other = run(tmp_path, DOCUMENTS, None, "other")  # another extractor's store
    [unique] = [d for d in DOCUMENTS if d.doc_id == "d017"]
    graphs = GraphBatch.from_graphs([toy_graph(unique.text or "")])
    keys = [
        Extractor.of(c.model(), c.tokenizer()).keys([unique.text or ""], graphs)[0]
        for c in (Checkpoint.load(parent), other)
    ]
    before = b"".join(path.read_bytes() for path in sorted((tmp_path / "features").rglob("part-*")))
    assert all(bytes.fromhex(key) in before for key in keys)
    keep_only(toy_job(tmp_path, [d for d in DOCUMENTS if d is not unique], parent_dir=parent))
    after = b"".join(path.read_bytes() for path in sorted((tmp_path / "features").rglob("*.safetensors")))
    assert not any(bytes.fromhex(key) in after or key.encode() in after for key in keys)


def test_a_head_on_tuned_features_says_how_these_came_about(tmp_path: Path, parent: Path) -> None:
    Checkpoint.load(parent).save(
        tmp_path / "out", Checkpoint.load(parent).model(), Checkpoint.load(parent).tokenizer(), {}
    )
    tuned = {"history": [{"epoch": 1}], "temperature": 0.7, "samples_per_second": 12.3}
    refit(toy_job(tmp_path, DOCUMENTS), PARAMS, tmp_path / "out", tuned)
    training = Checkpoint.load(tmp_path / "out").training
    assert training["mode"] == "analytic"
    assert training["tuned"] == {"history": [{"epoch": 1}], "temperature": 0.7}, "and no time of this machine"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"max_tokens": 24}, "has max_tokens 16, params give 24"),
        ({"text_only": True}, "has text_only False, params give True"),
        ({"graph_layers": 3}, "has graph_layers 2, params give 3"),
        ({"graph_size": 32}, "has graph_size 16, params give 32"),
        ({"backbone": "all-MiniLM-L6-v2"}, "has backbone hidden_size 32, params give 384"),
    ],
)
def test_params_of_other_features_than_the_parents_are_refused(
    tmp_path: Path, parent: Path, change: dict[str, object], told: str
) -> None:
    job = toy_job(tmp_path, DOCUMENTS, parent_dir=parent, **change)
    with pytest.raises(ParamsError, match=f"{told}; set it back, or run `autoglm retrain`"):
        learn(job, PARAMS, tmp_path / "out", tmp_path / "out.jsonl")
