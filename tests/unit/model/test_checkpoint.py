"""A checkpoint's body: what two heads share. Readers are kept in memory by it, so nothing may be missing from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import HEAD, WEIGHTS, Checkpoint

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    model, tokenizer = build("tiny", ["a", "b"], 0, graph_size=16, max_tokens=24)
    return Checkpoint.save(tmp_path_factory.mktemp("body") / "checkpoint", model, tokenizer, {})


def test_how_the_tokenizer_was_loaded_leaves_no_trace(tmp_path: Path) -> None:
    model, tokenizer = build("tiny", ["a", "b"], 0, graph_size=16, max_tokens=24)
    found = set()
    for offline in (True, False):  # HF_HUB_OFFLINE
        tokenizer.init_kwargs["local_files_only"] = offline
        found.add(Checkpoint.save(tmp_path / str(offline), model, tokenizer, {}).fingerprint)
    assert len(found) == 1


def with_weights(path: Path, change: Callable[[str, torch.Tensor], torch.Tensor]) -> None:
    tensors: Tensors = load_file(path / WEIGHTS)
    save_file({name: change(name, tensor) for name, tensor in tensors.items()}, path / WEIGHTS)


def with_config(path: Path, **changes: object) -> None:
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, **changes}))


def bump(part: str) -> Callable[[Path], None]:
    """The first tensor whose name begins with ``part``, and no other, moved in its first value."""

    def change(path: Path) -> None:
        first = min(name for name in load_file(path / WEIGHTS) if name.startswith(part))

        def moved(name: str, tensor: torch.Tensor) -> torch.Tensor:
            if name == first:
                tensor.view(-1)[0] += 1
            return tensor

        with_weights(path, moved)

    return change


def another_tokenizer(path: Path) -> None:
    raw = json.loads((path / "tokenizer.json").read_text())
    raw["truncation"] = {"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0}
    (path / "tokenizer.json").write_text(json.dumps(raw))


OTHER_BODIES: dict[str, Callable[[Path], None]] = {
    "backbone": bump("backbone."),
    "graph encoder": bump("graph_encoder."),
    "fusion": bump("fusion."),
    "precision": lambda path: with_weights(
        path, lambda name, tensor: tensor if name.startswith(HEAD) else tensor.float()
    ),
    "window": lambda path: with_config(path, max_tokens=16),
    "tokenizer": another_tokenizer,
}
SAME_BODY: dict[str, Callable[[Path], None]] = {
    "head": bump(HEAD),
    "labels": lambda path: with_config(path, id2label={"0": "x", "1": "y"}, label2id={"x": 0, "y": 1}),
    "place": lambda path: None,
}


def body_after(checkpoint: Checkpoint, change: Callable[[Path], None], folder: Path) -> str:
    shutil.copytree(checkpoint.path, folder / "copy")
    change(folder / "copy")
    return Checkpoint.load(folder / "copy").body


@pytest.mark.parametrize("name", OTHER_BODIES)
def test_another_body(checkpoint: Checkpoint, name: str, tmp_path: Path) -> None:
    assert body_after(checkpoint, OTHER_BODIES[name], tmp_path) != checkpoint.body


@pytest.mark.parametrize("name", SAME_BODY)
def test_the_same_body(checkpoint: Checkpoint, name: str, tmp_path: Path) -> None:
    assert body_after(checkpoint, SAME_BODY[name], tmp_path) == checkpoint.body
