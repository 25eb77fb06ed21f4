"""The live model: a request keeps its version, a replaced version goes with its last request, a bad one never comes."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from openautoglm.errors import Corrupt, Unfit
from openautoglm.serve.live import LiveModel, NotReady
from tests.unit.serve.toys import TEXT


def test_nothing_in_service_says_so() -> None:
    with pytest.raises(NotReady, match="no release is in service yet"):
        LiveModel().predict([TEXT])


def test_a_request_keeps_the_version_it_began_with(versions: list[Path]) -> None:
    live = LiveModel()
    live.switch(live.prepare("one", versions[0]))
    with live.using() as before:
        live.switch(live.prepare("two", versions[1]))
        assert (before.release, live.release, live.leaving, live.in_flight) == ("one", "two", ["one"], 1)
        with live.using() as after:
            assert (after.release, live.in_flight) == ("two", 2)
        assert before.session.predict([TEXT])
    assert (live.leaving, live.in_flight) == ([], 0)
    assert live.predict([TEXT]).release == "two"


def test_the_tokenizer_is_taken_over_where_it_is_the_same(versions: list[Path], tmp_path: Path) -> None:
    live = LiveModel()
    live.switch(live.prepare("one", versions[0]))
    with live.using() as opened:
        assert live.prepare("two", versions[1]).session.tokenizer is opened.session.tokenizer
        other = shutil.copytree(versions[1], tmp_path / "other")
        (other / "tokenizer.json").write_text((other / "tokenizer.json").read_text() + "\n")
        assert live.prepare("three", other).session.tokenizer is not opened.session.tokenizer


def test_a_wrong_canary_is_refused(versions: list[Path], tmp_path: Path) -> None:
    wrong = shutil.copytree(versions[0], tmp_path / "wrong")
    canary = json.loads((wrong / "canary.json").read_text())
    (wrong / "canary.json").write_text(json.dumps({**canary, "probability": canary["probability"] - 0.1}))
    live = LiveModel()
    live.switch(live.prepare("one", versions[0]))
    with pytest.raises(Corrupt, match=r"two: answers its canary wrong.*is expected"):
        live.prepare("two", wrong)
    assert live.predict([TEXT]).release == "one"


@pytest.mark.parametrize("how", ["input", "config", "operator", "labels"])
def test_an_architecture_of_later_days_is_refused(how: str, versions: list[Path], tmp_path: Path) -> None:
    live = LiveModel()
    with pytest.raises(Unfit, match="two: does not fit this node"):
        live.prepare("two", unfit(versions[0], tmp_path / "unfit", how))


def unfit(folder: Path, out: Path, how: str = "input") -> Path:
    """A release whose graph or config this software does not know."""
    shutil.copytree(folder, out)
    graph = onnx.load(str(out / "model.onnx"), load_external_data=False)
    config = json.loads((out / "config.json").read_text())
    if how == "input":
        graph.graph.input.append(
            onnx.helper.make_tensor_value_info("pixel_values", onnx.TensorProto.FLOAT, [1])
        )
        name = graph.graph.input[-1].name
        graph.graph.node.append(onnx.helper.make_node("Identity", [name], ["seen"]))
        graph.graph.output.append(onnx.helper.make_tensor_value_info("seen", onnx.TensorProto.FLOAT, [1]))
    elif how == "operator":
        graph.graph.node[0].op_type = "HyperAttention"
    elif how == "config":
        del config["max_tokens"]
    else:
        config["id2label"]["99"] = "more"
    onnx.save(graph, str(out / "model.onnx"))
    (out / "config.json").write_text(json.dumps(config))
    return out


def test_a_node_that_cannot_answer_fetches_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [
            sys.executable,
            "-m",
            "openautoglm.cli",
            *f"serve --store store --to node --port {port}".split(),
        ]
        said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert said.returncode == 2
    assert f"127.0.0.1:{port}: Address already in use; choose another" in said.stderr
    assert not (tmp_path / "node/versions").exists()
