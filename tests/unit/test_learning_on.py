"""graph → train → export with a parent, as the pipeline runs them: what a release holds after batches in any order."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "train"))
from toy_training import ROOT, toy_documents

from openautoglm.corpus import Corpus, Document
from openautoglm.files import load_json, save_json
from openautoglm.params import Params
from openautoglm.release.candidate import contents
from openautoglm.train.feature_store import FeatureStore
from tasks.ahead import read_ahead
from tasks.evaluate import evaluate
from tasks.export import export
from tasks.graph import graph
from tasks.train import train

LABEL_OF_BATCH = {"money": "b1", "train": "b1", "apple": "b2"}
DOCUMENTS = [
    replace(d, batch="b3" if n % 5 == 0 else LABEL_OF_BATCH[d.label or ""])
    for n, d in enumerate(toy_documents(train=90, valid=24))
]
DOCUMENTS += [replace(d, doc_id=f"t{d.doc_id}", split="test") for d in DOCUMENTS[::4]]


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def toy_params(mode: str, parent: str | None, **changes: dict[str, Any]) -> Params:
    import yaml

    raw: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw["graph"] |= {"npmi_min_count": 2, "npmi_min": 0.0}
    raw["train"] |= {"backbone": "tiny", "parent": parent, "graph_size": 16, "max_tokens": 16, "epochs": 1}
    raw["train"] |= {"batch_size": 8, "precision": "fp32", "learning_rate": 1e-3, "head_learning_rate": 1e-1}
    raw["continual"] |= {"mode": mode, "features": 64}
    raw["export"] |= {"int8": False}
    for section, values in changes.items():
        raw[section] |= values
    return Params.parse(raw)


def run(root: Path, documents: list[Document], mode: str, parent: Path | None, out: Path) -> Path:
    """A release's folder, as it comes from these documents and the folder of the release before."""
    Corpus.from_documents(documents).save(root / "data/validated")
    params = toy_params(mode, parent and "v000001-0123456789ab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.parent.parent_dir", lambda params, root: parent)
        patch.setattr("tasks.parent.parent_batches", lambda params, root: ["b1"])
        graph(params, root)
        train(params, root)
        export(params, root)
    shutil.copytree(root / "models/onnx", out)
    return out


def of(*batches: str) -> list[Document]:
    return [d for batch in batches for d in DOCUMENTS if d.batch == batch]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    return run(folder, of("b1"), "finetune", None, folder / "v1")


def test_every_order_of_batches_ends_in_the_same_release(first: Path, tmp_path: Path) -> None:
    ends = []
    for number, (second, third) in enumerate((("b2", "b3"), ("b3", "b2"))):
        root = tmp_path / str(number)
        v2 = run(root, of("b1", second), "analytic", first, root / "v2")
        ends.append(contents(run(root, of("b1", second, third), "analytic", v2, root / "v3")))
    at_once = run(tmp_path / "once", of("b3", "b2", "b1"), "analytic", first, tmp_path / "once/v2")
    assert ends[0] == ends[1] == contents(at_once)
    assert load_json(at_once / "config.json")["adapter"] == "analytic"
    assert contents(first)["vocabulary.json"] == ends[0]["vocabulary.json"]
    assert contents(first)["canary.json"] != ends[0]["canary.json"]


@pytest.mark.parametrize("thorough", [False, True])
def test_a_new_head_alone_is_a_light_release(first: Path, tmp_path: Path, thorough: bool) -> None:
    run(tmp_path, of("b1", "b2"), "analytic", first, tmp_path / "v2")
    params = toy_params(
        "analytic",
        "v000001-0123456789ab",
        continual={"thorough": thorough},
        export={"int8": True},
        evaluate={"min_accuracy": 0.0, "max_ece": 1.0},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.parent.parent_dir", lambda params, root: first)
        patch.setattr("tasks.parent.parent_batches", lambda params, root: ["b1"])
        evaluate(params, tmp_path)
        export(params, tmp_path)
    found = load_json(tmp_path / "reports/evaluation.json")
    names = {gate["name"] for gate in found["gates"]}
    assert ("frozen_lr" in names) == ("tfidf_svc_accuracy" in found["metrics"]) == thorough
    assert any("continual.thorough" in note for note in found["notes"]) == (not thorough)
    assert {"parent_known_classes", "forgetting", "calibration"} <= names
    assert (tmp_path / "models/int8/model.onnx").exists() == thorough


def test_what_is_read_ahead_is_what_the_next_batch_needs(
    first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_json(tmp_path / ".autoglm/code/export.json", {})  # traces are kept for the code that made them
    run(tmp_path, of("b1"), "finetune", None, tmp_path / "v1")
    params = toy_params("analytic", None)
    documents = {(d.text, d.split) for d in of("b1")}
    assert 0 < read_ahead(params, tmp_path) <= len(documents)
    assert read_ahead(params, tmp_path) == 0
    assert read_ahead(toy_params("finetune", None), tmp_path) == 0
    kept = sorted((tmp_path / ".autoglm/traces").iterdir())
    assert len(kept) == 2
    computed: list[int] = []
    fill = FeatureStore.fill
    monkeypatch.setattr(FeatureStore, "fill", lambda *args: computed.append(fill(*args)) or computed[-1])
    run(tmp_path, of("b1"), "analytic", tmp_path / "v1", tmp_path / "v2")
    assert computed
    assert not any(computed), "nothing was read again"
    assert sorted((tmp_path / ".autoglm/traces").iterdir()) == kept, "nothing was traced again"
    assert read_ahead(params, tmp_path) == 0, "a solved head was solved on them"


def test_replay_goes_through_the_stage(first: Path, tmp_path: Path) -> None:
    run(tmp_path, of("b1", "b2"), "replay", first, tmp_path / "v2")
    facts = load_json(tmp_path / "models/checkpoint/training.json")
    assert (facts["mode"], facts["batches"]) == ("replay", ["b1", "b2"])
    assert len(facts["replayed"]) == 20
    assert load_json(tmp_path / "v2/config.json")["adapter"] == "classify"


def test_fine_tuning_goes_on_from_an_analytic_head(first: Path, tmp_path: Path) -> None:
    """Its backbone is taken over; the head, which reads other features, starts fresh."""
    v2 = run(tmp_path, of("b1", "b2"), "analytic", first, tmp_path / "v2")
    run(tmp_path, of("b1", "b2", "b3"), "finetune", v2, tmp_path / "v3")
    assert load_json(tmp_path / "v3/config.json")["adapter"] == "classify"
