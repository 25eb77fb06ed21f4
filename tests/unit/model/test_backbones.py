"""Encoders of other architectures than BERT, tiny and random, from a folder; and what is no encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import toy_documents, toy_graph
from transformers import AutoModel, DistilBertConfig, ElectraConfig, GPT2Config, PretrainedConfig, T5Config

from openautoglm.errors import BackboneError
from openautoglm.export.onnx import GRAPH, export_onnx
from openautoglm.export.parity import check_parity
from openautoglm.export.session import Session
from openautoglm.graph import GraphBatch
from openautoglm.model.autoglm import build
from openautoglm.model.backbone import describe, load_backbone
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.train.features import Extractor
from tests.unit.export.toys import make_checkpoint, make_folder

WORDS = 30522
CONFIGS: dict[str, PretrainedConfig] = {
    "distilbert": DistilBertConfig(vocab_size=WORDS, dim=32, n_layers=2, n_heads=2, hidden_dim=64),
    "electra": ElectraConfig(vocab_size=WORDS, embedding_size=16, hidden_size=32, num_hidden_layers=2,
                             num_attention_heads=2, intermediate_size=64),
}  # fmt: skip


@pytest.fixture(scope="module", params=list(CONFIGS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp(request.param), CONFIGS[request.param])


def saved(path: Path, config: PretrainedConfig) -> Path:
    """A random encoder of this config with the packaged tokenizer."""
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(path)
    load_backbone("tiny")[1].save_pretrained(path)
    return path


def test_another_architecture_goes_all_the_way(folder: Path, tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "checkpoint", str(folder))
    hidden = ("hidden_size", "num_hidden_layers", "vocab_size")
    assert [checkpoint.config.backbone_config[name] for name in hidden] == [32, 2, WORDS]
    assert {name: describe(str(folder))[name] for name in hidden} == {
        name: checkpoint.config.backbone_config[name] for name in hidden
    }
    session = Session(make_folder(tmp_path / "onnx", checkpoint))
    texts = [d.text or "" for d in toy_documents(train=8, valid=0)]
    parity = check_parity(checkpoint.model(), session, texts, session.builder.build(texts), 1e-3)
    assert all(gate["passed"] for gate in parity.to_json()["gates"]), parity
    graphs = GraphBatch.from_graphs([toy_graph(text) for text in texts])
    features = Extractor.of(checkpoint.model(), checkpoint.tokenizer()).extract(texts, graphs)
    assert features.shape == (8, 2, 32)
    assert np.isfinite(features).all()
    again = Checkpoint.load(checkpoint.path).model()
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), checkpoint.model().state_dict().values(), strict=True))  # fmt: skip
    assert export_onnx(checkpoint, tmp_path / "onnx" / GRAPH, 17).is_file()


@pytest.mark.parametrize(
    "config", [T5Config(vocab_size=99, d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2)]
)
def test_an_encoder_with_a_decoder_is_refused(config: PretrainedConfig, tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"t5.*an encoder with a decoder"):
        build(str(saved(tmp_path, config)), ["a", "b"])


def test_a_folder_that_is_no_backbone_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"without config\.json") as caught:
        load_backbone(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    for name in (str(tmp_path), ""):
        with pytest.raises(BackboneError, match=r"train\.backbone") as caught:
            load_backbone(name)
        assert "\n" not in str(caught.value)
    GPT2Config().save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="cannot be loaded"):
        load_backbone(str(tmp_path))
