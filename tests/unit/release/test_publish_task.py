"""The publish stage: reports in, a release or a recorded refusal out; the same inputs give the same bytes."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from openautoglm.errors import Conflict
from openautoglm.files import save_json
from openautoglm.loop import Ledger
from openautoglm.params import Params
from openautoglm.release import ReleaseStore
from openautoglm.release.candidate import contents
from openautoglm.release.node import is_whole
from tasks.deliver import deliver, deliver_now, is_stale, take_back
from tasks.publish import publish as stage
from tests.unit.release.samples import onnx

PARAMS = Path(__file__).parents[3] / "params.yaml"
GATE = {"name": "accuracy", "kind": "gate", "passed": True, "value": 0.9, "bound": 0.5, "reason": "good"}


@pytest.fixture(autouse=True)
def _session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session that answers the canary belongs to another room; here it only looks whether the files are there."""
    session = ModuleType("openautoglm.export.session")

    def check_canary(folder: Path) -> dict[str, Any]:
        passed = json.loads((folder / "canary.json").read_text())["label"] == "a"
        return {"name": "canary", "passed": passed, "value": None, "bound": None, "reason": "answered"}

    session.check_canary = check_canary  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "openautoglm.export.session", session)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.setenv("AUTOGLM_TRACKING", "off")


@pytest.fixture
def params() -> Params:
    return Params.load(PARAMS)


def prepare(root: Path, step: int = 0, accuracy: float = 0.9, refuse: str = "") -> Path:
    """What the stages before publish leave."""
    folder = onnx(root, step)
    for name in ("onnx", "checkpoint"):
        shutil.rmtree(root / "models" / name, ignore_errors=True)
        shutil.copytree(folder, root / "models" / name)
    save_json(root / "models/checkpoint/training.json", {"corpus": "c" * 64, "documents": 10})
    report = {"ok": refuse != "data", "rows": 10, "quarantined": 0, "batches": [{"batch": "0001-a"}]}
    save_json(root / "reports/validation.json", report)
    gate = {**GATE, "passed": refuse != "accuracy", "value": accuracy}
    warning = {**GATE, "name": "tfidf_svc", "kind": "warning", "passed": False}
    evaluation = {"metrics": {"accuracy": accuracy}, "exam": "e" * 64, "fingerprint": "f" * 64}
    save_json(root / "reports/evaluation.json", {**evaluation, "gates": [gate, warning]})
    parity = {
        "name": "parity",
        "passed": refuse != "parity",
        "value": 0.0,
        "bound": 0.1,
        "reason": "same",
    }
    save_json(root / "reports/parity.json", {"gates": [parity]})
    return root


def publish(params: Params, root: Path) -> dict[str, Any]:
    """The stage, and what follows it."""
    facts = stage(params, root)
    deliver_now(params, root)
    return dict(facts)


def outputs(root: Path) -> dict[str, str]:
    return contents(root / "models/release") | {"release.json": (root / "models/release.json").read_text()}


def test_two_versions(tmp_path: Path, params: Params) -> None:
    facts = publish(params, prepare(tmp_path))
    assert (facts["passed"], facts["version"], facts["kind"], facts["parent"]) == (True, 1, "anchor", None)
    facts = publish(params, prepare(tmp_path, 1))
    assert (facts["passed"], facts["version"], facts["kind"]) == (True, 2, "delta")
    store = ReleaseStore(tmp_path / "releases")
    head = store.head()
    assert head is not None
    assert head.id == facts["id"] == json.loads((tmp_path / "models/release.json").read_text())["id"]
    assert store.verify() == []
    names = [
        "data",
        "accuracy",
        "tfidf_svc",
        "parity",
        "weights",
        "not_worse_than_head",
        "materialised",
        "canary",
    ]
    assert [gate["name"] for gate in head.facts["gates"]] == names
    assert head.facts["canary"]["text"] == "hello"
    assert head.facts["labels"] == ["a", "b"]
    assert head.facts["data"]["corpus"] == "c" * 64
    assert head.facts["params"]["train"]["epochs"] == params.train.epochs
    assert not {"source", "remote"} & head.facts["params"]["ingest"].keys(), (
        "where batches come from is no input"
    )
    assert str(tmp_path) not in head.manifest().decode()
    assert is_whole(tmp_path / ".autoglm/parents" / head.id, head), "the next run's parent is there already"


def test_a_batch_that_arrives_during_training_is_not_said_to_be_learnt(
    tmp_path: Path, params: Params
) -> None:
    (tmp_path / "inbox").mkdir()
    for name in ("0001-a-5ba7a52c.jsonl", "0002-b-5ba7a52d.jsonl"):
        (tmp_path / "inbox" / name).touch()
    publish(params, prepare(tmp_path))
    head = ReleaseStore(tmp_path / "releases").head()
    assert head is not None
    assert head.facts["data"]["entries"] == ["0001-a-5ba7a52c.jsonl"]
    told = {batch.entry: batch.state for batch in Ledger(tmp_path / ".autoglm/ledger.db").batches()}
    assert told == {"0001-a-5ba7a52c.jsonl": "published"}


def test_running_it_again_changes_nothing(tmp_path: Path, params: Params) -> None:
    for step in range(2):
        publish(params, prepare(tmp_path, step))
    before, store = outputs(tmp_path), contents(tmp_path / "releases")
    publish(params, tmp_path)
    shutil.rmtree(tmp_path / "models/release")
    publish(params, tmp_path)
    assert outputs(tmp_path) == before
    assert contents(tmp_path / "releases") == store


@pytest.mark.parametrize("name", ["data", "accuracy", "parity"])
def test_a_gate_that_says_no(name: str, tmp_path: Path, params: Params) -> None:
    publish(params, prepare(tmp_path))
    facts = publish(params, prepare(tmp_path, 1, refuse=name))
    assert (facts["passed"], facts["reason"]) == (False, f"refused by {name}")
    once = outputs(tmp_path)
    publish(params, tmp_path)
    assert outputs(tmp_path) == once
    store = ReleaseStore(tmp_path / "releases")
    assert (store.versions(), [entry["kind"] for entry in store.log()]) == ([1], ["publish", "rejection"])
    assert (tmp_path / "models/release/manifest.json").is_file()


def test_the_canary_has_a_say(tmp_path: Path, params: Params) -> None:
    prepare(tmp_path)
    save_json(tmp_path / "models/onnx/canary.json", {"text": "hello", "label": "b", "probability": 0.5})
    assert publish(params, tmp_path)["reason"] == "refused by canary"


def test_other_weights_than_were_examined(tmp_path: Path, params: Params) -> None:
    prepare(tmp_path)
    shutil.copy(onnx(tmp_path, 3) / "model.safetensors", tmp_path / "models/onnx")
    assert publish(params, tmp_path)["reason"] == "refused by weights"


def test_without_a_session_there_is_no_release(
    tmp_path: Path, params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openautoglm.export.session", None)
    with pytest.raises(ImportError):
        publish(params, prepare(tmp_path))
    assert not (tmp_path / "releases").exists()


def test_the_head_has_a_say_when_it_is_not_the_parent(tmp_path: Path, params: Params) -> None:
    publish(params, prepare(tmp_path, 0, accuracy=0.9))
    facts = publish(params, prepare(tmp_path, 1, accuracy=0.88))
    assert facts["reason"] == "refused by not_worse_than_head"
    child = params.model_copy(update={"train": params.train.model_copy(update={"parent": facts["parent"]})})
    assert publish(child, tmp_path)["passed"]  # against its parent, evaluate has compared already


def test_an_experiment_touches_no_store(
    tmp_path: Path, params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(params, prepare(tmp_path))
    before = contents(tmp_path / "releases")
    monkeypatch.setenv("DVC_EXP_NAME", "bold-idea")
    facts = publish(params, prepare(tmp_path, 1))
    assert (facts["passed"], facts["version"]) == (True, 2)
    assert contents(tmp_path / "releases") == before
    monkeypatch.delenv("DVC_EXP_NAME")
    assert deliver(params, tmp_path).moved, (
        "what an experiment left in the cache is published by the next run"
    )


def test_a_candidate_for_another_head_is_stale(tmp_path: Path, params: Params) -> None:
    publish(params, prepare(tmp_path))
    stage(params, prepare(tmp_path, 1))
    assert not is_stale(params, tmp_path)
    shutil.rmtree(tmp_path / "releases")
    assert is_stale(params, tmp_path)
    assert publish(params, tmp_path)["version"] == 1, "built anew, on what is there"


def test_a_rollback_is_not_undone_by_running_again(tmp_path: Path, params: Params) -> None:
    for step in range(2):
        publish(params, prepare(tmp_path, step))
    store = ReleaseStore(tmp_path / "releases")
    store.rollback(reason="worse on Mondays")
    assert not is_stale(params, tmp_path)
    assert not deliver(params, tmp_path).moved
    head = store.head()
    assert head is not None
    assert head.version == 1


def test_taken_back_it_can_be_published_again(tmp_path: Path, params: Params) -> None:
    store = ReleaseStore(tmp_path / "releases")
    for step in range(2):
        stage(params, prepare(tmp_path, step))
        delivered = deliver(params, tmp_path)
        take_back(params, delivered, "the registry is down", tmp_path)
        assert (store.head() and store.head().id) == delivered.before  # type: ignore[union-attr]
        assert store.verify() == []
        assert store.log()[-1]["kind"] == "undo"
        assert deliver(params, tmp_path).moved
    assert store.versions() == [1, 2]


def test_taken_back_and_overtaken_it_is_built_anew(tmp_path: Path, params: Params) -> None:
    publish(params, prepare(tmp_path))
    stage(params, prepare(tmp_path, 1))
    take_back(params, deliver(params, tmp_path), "the registry is down", tmp_path)
    assert publish(params, prepare(tmp_path, 2))["version"] == 3
    assert stage(params, prepare(tmp_path, 1))["version"] == 4
    assert deliver(params, tmp_path).moved
    store = ReleaseStore(tmp_path / "releases")
    head = store.head()
    assert head is not None
    assert (head.version, head.fingerprint) == (4, store.get(2).fingerprint)
    assert store.verify() == []


def test_forced_and_dry(tmp_path: Path, params: Params) -> None:
    stage(params, prepare(tmp_path, refuse="accuracy"))
    store = ReleaseStore(tmp_path / "releases")
    assert deliver(params, tmp_path, dry_run=True).release is None
    assert deliver(params, tmp_path).release is None
    assert deliver(params, tmp_path, force="the exam is wrong").moved
    assert deliver(params, tmp_path).release == store.head().id  # type: ignore[union-attr]
    assert [entry["kind"] for entry in store.log()] == ["dry-run", "rejection", "publish"]
    assert "forced: the exam is wrong; refused by accuracy" in store.log()[-1]["why"]


def test_a_lease_that_was_overtaken_moves_nothing(tmp_path: Path, params: Params) -> None:
    stage(params, prepare(tmp_path))
    deliver(params, tmp_path, fence=7)
    stage(params, prepare(tmp_path, 1))
    with pytest.raises(Conflict, match="later training lease"):
        deliver(params, tmp_path, fence=6)
    assert deliver(params, tmp_path, fence=8).moved
    assert ReleaseStore(tmp_path / "releases").fence("stable") == 8


def test_a_catch_up_delta_is_rehearsed_too(tmp_path: Path, params: Params) -> None:
    for step in range(3):
        publish(params, prepare(tmp_path, step))
    head = ReleaseStore(tmp_path / "releases").head()
    assert head is not None
    assert head.weights.catchup
    reason = next(gate["reason"] for gate in head.facts["gates"] if gate["name"] == "materialised")
    assert "by delta and by catch-up" in reason
