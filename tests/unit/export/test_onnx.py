"""The graph file: no weights in it, the same bytes every time, and a clear error where it cannot be made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file

from openautoglm.errors import AutoGLMError
from openautoglm.export import trace
from openautoglm.export.onnx import GRAPH, export_onnx
from openautoglm.export.session import Session
from openautoglm.export.trace import Kept
from openautoglm.export.weights import locate, read_float32
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import WEIGHTS, Checkpoint
from tests.unit.export.toys import make_checkpoint, make_folder, texts_of


def test_every_weight_is_a_reference_by_its_own_name(folder: Path) -> None:
    model = onnx.load(folder / GRAPH, load_external_data=False)
    places = locate(folder / WEIGHTS)
    assert {tensor.name for tensor in model.graph.initializer} == set(places)
    for tensor in model.graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        place = places[tensor.name]
        assert entries == {"location": WEIGHTS, "offset": str(place.offset), "length": str(place.length)}
        assert not tensor.raw_data
        assert tensor.data_type == onnx.TensorProto.BFLOAT16


def test_places_are_those_of_safetensors(folder: Path) -> None:
    state = load_file(folder / WEIGHTS)
    for name, place in locate(folder / WEIGHTS).items():
        assert np.array_equal(read_float32(folder / WEIGHTS, place), state[name].float().numpy())


def test_inputs_and_outputs_are_dynamic(folder: Path) -> None:
    graph = onnx.load(folder / GRAPH, load_external_data=False).graph
    shapes = {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in [*graph.input, *graph.output]
    }
    assert shapes["input_ids"] == ["documents", "tokens"]
    assert shapes["edge_index"] == [2, "edges"]
    assert shapes["piece_pos"] == ["pieces"]
    assert shapes["batch"] == ["nodes"]
    assert shapes["logits"] == ["documents", 5]


def test_the_same_checkpoint_gives_the_same_bytes_in_any_process(
    folder: Path, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    shutil.copy(folder / WEIGHTS, tmp_path)
    script = (
        "import sys; from pathlib import Path\n"
        "from openautoglm.export.onnx import export_onnx\n"
        "from openautoglm.model.checkpoint import Checkpoint\n"
        "export_onnx(Checkpoint.load(Path(sys.argv[1])), Path(sys.argv[2]), 17)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(checkpoint.path), str(tmp_path / GRAPH)], check=True)
    assert (tmp_path / GRAPH).read_bytes() == (folder / GRAPH).read_bytes()


def test_other_weights_of_the_same_shapes_have_the_same_graph(folder: Path, tmp_path: Path) -> None:
    other = make_folder(tmp_path / "onnx", make_checkpoint(tmp_path / "checkpoint", seed=5))
    assert (other / WEIGHTS).read_bytes() != (folder / WEIGHTS).read_bytes()
    assert (other / GRAPH).read_bytes() == (folder / GRAPH).read_bytes()


def test_a_kept_trace_serves_other_numbers_of_labels(
    folder: Path, checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(tmp_path / "traces", "code")
    shutil.copy(folder / WEIGHTS, tmp_path)
    assert export_onnx(checkpoint, tmp_path / GRAPH, 17, kept).read_bytes() == (folder / GRAPH).read_bytes()
    wider, tokenizer = build("tiny", ["a", "b", "c", "d", "e", "f", "g"], 1, max_tokens=64)
    other = Checkpoint.save(tmp_path / "wider", wider, tokenizer, {})
    fresh = make_folder(tmp_path / "fresh", other)
    shutil.copy(other.path / WEIGHTS, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(trace, "_traced", None)
        assert export_onnx(other, tmp_path / GRAPH, 17, kept).read_bytes() == (fresh / GRAPH).read_bytes()
    (path,) = kept.folder.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(trace, "TRACES", 2)
        for number in range(3):  # what is used stays, what is not goes
            for there in kept.folder.iterdir():
                os.utime(there, (1.0, 1.0))
            export_onnx(other, tmp_path / GRAPH, 17, kept)
            export_onnx(other, tmp_path / GRAPH, 17, Kept(kept.folder, f"other code {number}"))
    assert len(list(kept.folder.iterdir())) == 2
    path.write_bytes(path.read_bytes()[:-100])
    assert export_onnx(other, tmp_path / GRAPH, 17, kept).read_bytes() == (fresh / GRAPH).read_bytes()
    assert Kept(kept.folder, "other code").path(other.config, 17) != path


def test_nothing_of_this_machine_is_in_the_file(folder: Path) -> None:
    data = (folder / GRAPH).read_bytes()
    for path in (b"/site-packages/", b".py", str(Path.cwd()).encode(), b"pytorch"):
        assert path not in data


@pytest.mark.parametrize(
    "name", ["adapter.linear.bias", "fusion.gate", "backbone.embeddings.word_embeddings.weight"]
)
def test_the_weights_are_read_from_the_safetensors_file(folder: Path, tmp_path: Path, name: str) -> None:
    texts = texts_of(5)
    before = Session(folder, 1)
    expected = before.logits(before.encode(texts))
    changed = Path(shutil.copytree(folder, tmp_path / "changed"))
    place = locate(changed / WEIGHTS)[name]
    data = bytearray((changed / WEIGHTS).read_bytes())
    for byte in range(place.offset + 1, place.offset + place.length, 2):
        data[byte] ^= 0x80  # the sign of a bf16
    (changed / WEIGHTS).write_bytes(data)
    after = Session(changed, 1)
    assert np.abs(after.logits(after.encode(texts)) - expected).max() > 1e-3


def test_nan_in_a_weight_is_named(checkpoint: Checkpoint, tmp_path: Path) -> None:
    state = load_file(checkpoint.path / WEIGHTS)
    state["adapter.linear.bias"][2] = float("nan")
    save_file(state, tmp_path / WEIGHTS)
    with pytest.raises(AutoGLMError, match=r"1 of 5 values of adapter\.linear\.bias are NaN"):
        export_onnx(checkpoint, tmp_path / GRAPH, 17)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("fusion.gate"), "needs the tensor fusion.gate"),
        (lambda state: state.update({"fusion.gate": torch.zeros(3, dtype=torch.bfloat16)}), "shape"),
        (lambda state: state.update({"fusion.gate": torch.zeros(4, dtype=torch.int64)}), "I64"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    checkpoint: Checkpoint, tmp_path: Path, change, said: str
) -> None:
    state = load_file(checkpoint.path / WEIGHTS)
    change(state)
    save_file(state, tmp_path / WEIGHTS)
    with pytest.raises(AutoGLMError, match=said):
        export_onnx(checkpoint, tmp_path / GRAPH, 17)


def test_a_file_cut_short_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    data = (checkpoint.path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(data[: len(data) // 2])
    with pytest.raises(AutoGLMError, match="ends at byte"):
        export_onnx(checkpoint, tmp_path / GRAPH, 17)


def test_float32_weights_need_no_cast(checkpoint: Checkpoint, folder: Path, tmp_path: Path) -> None:
    wide = Path(shutil.copytree(folder, tmp_path / "wide"))
    save_file({name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}, wide / WEIGHTS)
    export_onnx(checkpoint, wide / GRAPH, 17)
    narrow, session = Session(folder, 1), Session(wide, 1)
    corpus = narrow.encode(texts_of(4))
    assert np.allclose(session.logits(corpus), narrow.logits(corpus), atol=1e-5)
