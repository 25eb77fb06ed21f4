"""Features: the same bits alone and in company, and kept by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import toy_documents, toy_graph

from openautoglm.graph import GraphBatch, Node, SemanticGraph
from openautoglm.model.autoglm import build
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.model.encode import INPUT_NAMES, collate, encode
from openautoglm.train.analytic import Lifter, with_head
from openautoglm.train.feature_store import PARTS, STORES, FeatureStore
from openautoglm.train.features import Extractor
from openautoglm.train.graph_path import NODES, GraphPath
from openautoglm.train.graph_path import TEXTS as TEXTS_A_GROUP
from openautoglm.train.lift import UNIT, quantise

TEXTS = [d.text or "" for d in toy_documents(train=50, valid=0)] + [
    "empty",
    "word " * 30,
    "a longer text " * 28,
    "ünï 漢字 🙂",
]
GRAPHS = GraphBatch.from_graphs([toy_graph(text) for text in TEXTS])


def extractor(gate: float = 0.0, backbone: str = "tiny", seed: int = 0, precision: str = "auto") -> Extractor:
    model, tokenizer = build(
        backbone, ["a", "b"], seed, graph_size=16, max_tokens=24 if backbone == "tiny" else 128
    )
    with torch.no_grad():
        model.fusion.gate.fill_(gate)
    return Extractor.of(model, tokenizer, precision=precision)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("gate", "backbone"), [(0.0, "tiny"), (1.0, "tiny"), (1.0, "all-MiniLM-L6-v2")])
def test_a_document_alone_has_the_features_it_has_in_company(
    gate: float, backbone: str, precision: str
) -> None:
    found = extractor(gate, backbone, precision=precision)
    whole = found.extract(TEXTS, GRAPHS)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    mixed = found.extract([TEXTS[i] for i in order], GRAPHS.select(order))
    assert (mixed == whole[order]).all()
    for row in (0, 7, len(TEXTS) - 1, len(TEXTS) - 2, len(TEXTS) - 3):
        assert (found.extract([TEXTS[row]], GRAPHS.select([row])) == whole[row]).all()


def test_the_graph_path_is_the_models_own() -> None:
    """Traced once, on a graph of its own: no size of that may be left in it, nor anything that changes with use."""
    found = extractor(gate=1.0, precision="fp32")
    texts = [*TEXTS, "none", "node", *(f"many {n}" for n in range(40))]
    some = [SemanticGraph((), ()), SemanticGraph((Node(0, 4, 0),), ())]
    many = [SemanticGraph(tuple(Node(0, 4, 0) for _ in range(n * n // 4)), ()) for n in range(40)]
    graphs = GraphBatch.concatenate([GRAPHS, GraphBatch.from_graphs([*some, *many])])
    assert np.diff(graphs.node_ptr).max() > 2 * NODES
    corpus = encode(texts, graphs, found.tokenizer, found.model.config.max_tokens)
    hidden, random = found.model.config.backbone_config["hidden_size"], torch.Generator().manual_seed(0)
    text = torch.randn(len(texts), hidden, generator=random)
    states = torch.randn(len(texts), int(corpus.lengths.max()) + 3, hidden, generator=random)
    rows = np.random.default_rng(0).permutation(len(texts))
    for chosen in (rows, rows[::-1].copy(), *(rows[i : i + 1] for i in range(5))):
        together = found._graph_path(corpus, chosen, text[chosen], states[chosen])
        for place, row in enumerate(chosen):
            own = states[row : row + 1, : int(corpus.lengths[row])]
            alone = found._graph_path(corpus, np.array([row]), text[row : row + 1], own)
            assert torch.equal(together[place], alone[0]), row
            parts = collate(corpus, [row])
            batch, graph = parts["batch"], {n: parts[n] for n in INPUT_NAMES[2:] if n != "batch"}
            with torch.inference_mode():
                nodes = found.model.graph_encoder(found.model.word_embeddings.weight, own, **graph)
                expected = found.model.fusion(text[row : row + 1], nodes, batch)
            torch.testing.assert_close(together[place], expected[0], rtol=1e-4, atol=1e-5)


def test_where_neighbours_show_each_document_is_joined_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = extractor(gate=1.0)
    assert usual._graph_path._most in (1, TEXTS_A_GROUP - 1), "as this processor has it"
    monkeypatch.setattr(GraphPath, "_is_alike", lambda self: False)
    careful = extractor(gate=1.0)
    assert careful._graph_path._most == 1
    assert (careful.extract(TEXTS, GRAPHS) == usual.extract(TEXTS, GRAPHS)).all()


def test_two_heads_on_one_body_keep_their_own_settings(tmp_path: Path) -> None:
    """One after the other in one process, as in a flow: what the first was made with is not the second's."""
    model, tokenizer = build("tiny", ["a", "b"], 0, graph_size=16, max_tokens=24)
    first = Checkpoint.save(tmp_path / "first", model, tokenizer, {})
    found = Extractor.of_checkpoint(first)
    store = FeatureStore(tmp_path / "store")
    lifter = Lifter.of(store, first.config, 8, seed=1)
    headed = with_head(found.model, first.config, lifter, ["a", "b"], np.zeros((9, 2)))
    second = Checkpoint.save(tmp_path / "second", headed, tokenizer, {})
    assert first.body == second.body
    assert Extractor.of_checkpoint(second) is found
    assert [Lifter.of(store, c.config, 8, seed=2).seed for c in (first, second)] == [2, 1]


def test_a_store_stays_open_and_sees_what_others_do_to_it(tmp_path: Path) -> None:
    found = extractor()
    keys = found.keys(TEXTS, GRAPHS)
    store = FeatureStore.of(tmp_path, found)
    store.fill(found, keys[:2], TEXTS[:2], GRAPHS.select(range(2)))
    assert FeatureStore.of(tmp_path, found) is store
    FeatureStore(store.folder).fill(found, keys, TEXTS, GRAPHS)
    assert set(keys) <= set(FeatureStore.of(tmp_path, found)._place), "what another one added"
    FeatureStore(store.folder).purge(keys[:1])
    again = FeatureStore.of(tmp_path, found)
    assert again is not store
    assert keys[0] not in again
    assert keys[1] in again


def test_the_model_keeps_the_precision_it_will_be_published_in() -> None:
    found = extractor(precision="bf16")
    before = {name: tensor.clone() for name, tensor in found.model.state_dict().items()}
    found.extract(TEXTS[:3], GRAPHS.select([0, 1, 2]))
    assert all(torch.equal(tensor, before[name]) for name, tensor in found.model.state_dict().items())


def test_they_have_unit_length() -> None:
    whole = quantise(extractor().extract(TEXTS, GRAPHS)[:, 0])
    lengths = np.linalg.norm(whole.astype(float) / UNIT, axis=1)
    assert lengths == pytest.approx(1.0, abs=1e-3)


def test_keys_name_what_is_read() -> None:
    closed, opened = extractor(0.0), extractor(0.5)
    without = GraphBatch.from_graphs([toy_graph("empty")] * len(TEXTS))
    assert closed.keys(TEXTS, GRAPHS) == closed.keys(TEXTS, without)
    assert opened.keys(TEXTS, GRAPHS) != opened.keys(TEXTS, without)
    assert closed.keys(["a", "b"], GRAPHS.select([0, 1])) != closed.keys(["a", "c"], GRAPHS.select([0, 1]))
    assert (repr(closed)[-5:], repr(opened)[-6:]) == ("text)", "graph)")


def test_fingerprint_is_that_of_everything_but_the_adapter() -> None:
    first, second = extractor(), extractor()
    with torch.no_grad():
        second.model.adapter.linear.weight.add_(1.0)
    assert first.fingerprint == second.fingerprint
    assert extractor(seed=1).fingerprint != first.fingerprint
    assert extractor(gate=0.5).fingerprint != first.fingerprint


class TestStore:
    def test_computes_once(self, tmp_path: Path) -> None:
        found = extractor()
        keys = found.keys(TEXTS, GRAPHS)
        assert FeatureStore(tmp_path).fill(found, keys, TEXTS, GRAPHS) == len(set(keys))
        again = FeatureStore(tmp_path)
        assert again.fill(found, keys, TEXTS, GRAPHS) == 0
        assert (again.take(keys) == found.extract(TEXTS, GRAPHS)).all()

    def test_purges_and_joins_its_files(self, tmp_path: Path) -> None:
        store, keys = FeatureStore(tmp_path), [f"{i:032x}" for i in range(40)]
        for number, key in enumerate(keys):
            store.add([key], np.full((1, 1, 3), number, np.float32))
        assert len(list(tmp_path.iterdir())) <= PARTS
        store.purge(keys[::2])
        for there in (store, FeatureStore(tmp_path)):
            assert len(there) == 20
            assert there.take(keys[1::2])[:, 0, 0].tolist() == list(range(1, 40, 2))
            with pytest.raises(KeyError):
                there.take(keys[:1])
        store.purge(keys)
        assert not list(tmp_path.iterdir())

    def test_a_damaged_file_goes_and_is_computed_again(self, tmp_path: Path) -> None:
        found = extractor()
        keys = found.keys(TEXTS, GRAPHS)
        FeatureStore(tmp_path).fill(found, keys, TEXTS, GRAPHS)
        (part,) = tmp_path.iterdir()
        whole = part.read_bytes()
        for damaged in (whole[: len(whole) // 2], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
            part.write_bytes(damaged)
            again = FeatureStore(tmp_path)
            assert len(again) == 0
            assert not list(tmp_path.iterdir())
            assert again.fill(found, keys, TEXTS, GRAPHS) == len(set(keys))
            assert part.read_bytes() == whole

    def test_old_extractors_go(self, tmp_path: Path) -> None:
        for seed in range(STORES + 2):
            FeatureStore.of(tmp_path, extractor(seed=seed))
        assert len(list(tmp_path.iterdir())) == STORES
