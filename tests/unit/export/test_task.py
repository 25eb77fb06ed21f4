"""The stage as the pipeline calls it: every file it promises, the same bytes twice, and the commands on what it left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from openautoglm.cli import group
from openautoglm.corpus import Corpus, Document
from openautoglm.errors import AutoGLMError
from openautoglm.export.latency import operators
from openautoglm.export.session import Session, check_canary
from openautoglm.files import fingerprint_dir, load_json, sha256_file
from openautoglm.graph import FastParser, GraphBuilder
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.params import Params
from tasks.export import export
from tasks.pages import measure_latencies
from tests.unit.export.toys import LABELS, make_checkpoint, make_folder, texts_of

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def params() -> Params:
    return Params.load(ROOT / "params.yaml")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout after train: 40 documents, half of them the exam."""
    root = tmp_path_factory.mktemp("checkout")
    documents = [
        Document(f"d{i}", text, LABELS[i % 5], "test" if i % 2 else "train", "0001")
        for i, text in enumerate(texts_of(40))
    ]
    Corpus.from_documents(documents).save(root / "data/validated")
    builder = GraphBuilder(FastParser())
    graphs, builder = builder.fit_build(
        [d.text or "" for d in documents], [d.doc_id for d in documents], [True] * 40, 10, 0.1, 2
    )
    graphs.save(root / "data/graphs", vocabulary=builder.vocabulary())
    make_checkpoint(root / "models/checkpoint")
    return root


@pytest.fixture(scope="module")
def facts(root: Path, params: Params) -> dict[str, object]:
    return dict(export(params, root))


def test_the_folder_is_a_release(root: Path, facts: dict[str, object]) -> None:
    found = {path.name for path in (root / "models/onnx").iterdir()}
    assert found == {
        "model.onnx",
        "model.safetensors",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocabulary.json",
        "canary.json",
    }
    weights = root / "models/onnx/model.safetensors"
    assert sha256_file(weights) == sha256_file(root / "models/checkpoint/model.safetensors")
    assert weights.stat().st_nlink == 1
    assert facts["graph_bytes"] == (root / "models/onnx/model.onnx").stat().st_size
    assert check_canary(root / "models/onnx")["passed"]


def test_a_session_parses_as_the_graphs_were_built(root: Path, facts: dict[str, object]) -> None:
    session = Session(root / "models/onnx", 1)
    assert session.builder.cooccurrence is not None
    assert len(session.builder.cooccurrence.pairs)


def test_the_report_has_gates_and_no_times(root: Path, facts: dict[str, object]) -> None:
    report = load_json(root / "reports/parity.json")
    gates = {gate["name"]: gate for gate in report["gates"]}
    assert set(gates) == {"onnx_finite", "onnx_parity", "onnx_answers", "int8_accuracy"}
    assert all(gates[name]["passed"] for name in ("onnx_finite", "onnx_parity", "onnx_answers"))
    assert {gate["kind"] for gate in report["gates"]} == {"gate", "warning"}
    assert not any("ms" in key.split("_") for key in report)


def test_latencies_are_measured_once_for_a_graph(
    root: Path, params: Params, facts: dict[str, object], tmp_path: Path
) -> None:
    (root / "reports/latency.json").unlink(missing_ok=True)
    found = measure_latencies(params, root)
    times = load_json(root / "reports/latency.json")["milliseconds"]
    assert [row["batch"] for row in times] == [1, 8, 32]
    assert found["onnx_ms_b8"] == times[1]["onnx_ms"]
    assert found["int8_ratio_b1"] > 0
    assert measure_latencies(params, root) == {}
    assert measure_latencies(params, tmp_path) == {}, "nothing to measure"


def test_again_gives_the_same_bytes(root: Path, params: Params, facts: dict[str, object]) -> None:
    outs = [root / "models/onnx", root / "models/int8"]
    before = [fingerprint_dir(out) for out in outs], (root / "reports/parity.json").read_bytes()
    export(params, root)
    assert ([fingerprint_dir(out) for out in outs], (root / "reports/parity.json").read_bytes()) == before


def test_without_int8_its_folder_is_empty(
    root: Path, params: Params, facts: dict[str, object], tmp_path: Path
) -> None:
    for name in ("data", "models"):
        (tmp_path / name).mkdir()
    (tmp_path / "data").rmdir()
    (tmp_path / "data").symlink_to(root / "data")
    (tmp_path / "models/checkpoint").symlink_to(root / "models/checkpoint")
    off = params.model_copy(update={"export": params.export.model_copy(update={"int8": False})})
    found = export(off, tmp_path)
    assert "int8_accuracy" not in found
    assert [path.name for path in (tmp_path / "models/int8").iterdir()] == ["README"]
    assert len(load_json(tmp_path / "reports/parity.json")["gates"]) == 3


def test_a_checkpoint_that_is_none_is_named(params: Params, tmp_path: Path) -> None:
    with pytest.raises(AutoGLMError, match="not a checkpoint"):
        export(params, tmp_path)


MODEL = ("--model", "models/onnx")


def test_predict_and_explain(root: Path, facts: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    text = "My <new> card has not arrived & I need it."
    shown = CliRunner().invoke(group, ["predict", text, *MODEL], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "%" in shown.output
    assert "card" in shown.output
    assert "→" in shown.output
    answer = json.loads(CliRunner().invoke(group, ["predict", text, "--json", *MODEL]).output)
    assert answer["label"] in LABELS
    assert answer["relations"]
    made = CliRunner().invoke(
        group, ["explain", text, *MODEL, "--html", "answer.html"], catch_exceptions=False
    )
    assert answer["label"] in made.output
    page = (root / "answer.html").read_text()
    assert "<svg" in page
    assert "<new>" not in page
    assert "&lt;<mark" in page
    assert "<script" not in page


def test_predict_finds_a_nodes_current_release(root: Path, facts: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(root / "models/onnx")
    assert CliRunner().invoke(group, ["predict", "hello", "--model", str(tmp_path)]).exit_code == 0
    nothing = CliRunner().invoke(group, ["predict", "hello", "--model", str(tmp_path / "none")])
    assert isinstance(nothing.exception, AutoGLMError)
    assert nothing.exception.exit_code == 2
    assert "nothing there" in str(nothing.exception)


def test_times_of_another_width_or_of_other_folders_are_not_told(
    root: Path, facts: dict[str, object], params: Params, tmp_path: Path
) -> None:
    graphs = [operators(root / "models/onnx/model.onnx")]
    for name, labels, size in (("labels", [*LABELS, "new"], 64), ("width", LABELS, 32)):
        model, tokenizer = build("tiny", labels, graph_size=size, max_tokens=64)
        checkpoint = Checkpoint.save(tmp_path / name, model, tokenizer, {})
        graphs.append(operators(make_folder(tmp_path / f"{name}-onnx", checkpoint) / "model.onnx"))
    narrow = build("tiny", LABELS, graph_size=64, max_tokens=64)
    folder = make_folder(tmp_path / "onnx", Checkpoint.save(tmp_path / "c", *narrow, {}))
    assert graphs[1] == operators(folder / "model.onnx"), "one label more"
    assert len(set(graphs)) == 3
    measure_latencies(params, root)
    assert load_json(root / "reports/latency.json")["folders"] == ["int8", "onnx"]
    float_only = params.export.model_copy(update={"int8": False})
    export(params.model_copy(update={"export": float_only}), root)
    found = measure_latencies(params, root)
    assert "onnx_ms_b1" in found
    assert "int8_ms_b1" not in found
    export(params, root)
