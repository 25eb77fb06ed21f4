from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from openautoglm.errors import ParamsError, UserError
from openautoglm.graph import RELATIONS, FastParser, GraphBatch, GraphBuilder
from openautoglm.graph import builder as module
from openautoglm.graph.npmi import Cooccurrence

TEXTS = [
    "my card has a chip",
    "the chip of a card",
    "cards and chips",
    "a refund",
    "a refund for the shop",
    "",
    "wind",
] * 3
TRAIN = [True] * len(TEXTS)
IDS = [f"d{number}" for number in range(len(TEXTS))]


def fit(
    texts: list[str] = TEXTS, train: list[bool] = TRAIN, workers: int = 1
) -> tuple[GraphBatch, GraphBuilder]:
    return GraphBuilder(FastParser()).fit_build(texts, IDS[: len(texts)], train, 10, 0.1, 2, workers)


def test_npmi_is_the_published_formula() -> None:
    _, builder = fit()
    table = builder.cooccurrence
    assert table is not None
    documents = 18  # those with a phrase
    found = {
        (table.heads[a], table.heads[b]): float(w)
        for (a, b), w in zip(table.pairs, table.weight, strict=True)
    }
    together, refund, shop = 9, 6, 3
    assert found[("card", "chip")] == pytest.approx(
        math.log(together * documents / together**2) / -math.log(together / documents), abs=1e-4
    )
    assert found[("refund", "shop")] == pytest.approx(
        math.log(shop * documents / (refund * shop)) / -math.log(shop / documents), abs=1e-4
    )


def test_near_edges_carry_it_as_weight() -> None:
    batch, _ = fit()
    near = [edge for edge in batch.graph(0).edges if RELATIONS[edge.type] == "near"]
    assert [(edge.src, edge.dst) for edge in near] == [(0, 1)]
    assert near[0].weight == pytest.approx(1.0)
    assert batch.edge_type_counts()["near"] == 12


def test_only_the_train_split_is_counted() -> None:
    train = [text != "a refund for the shop" for text in TEXTS]
    _, builder = fit(train=train)
    assert builder.cooccurrence is not None
    assert builder.cooccurrence.heads == ("card", "chip")


def test_the_window_counts_words() -> None:
    far = ["card " + "and so the " * 5 + "chip"] * 4
    _, builder = GraphBuilder(FastParser()).fit_build(far, IDS[:4], [True] * 4, 10, -1.0, 1)
    assert builder.cooccurrence is not None
    assert not len(builder.cooccurrence.pairs)


def test_a_loaded_builder_parses_the_same(tmp_path: Path) -> None:
    batch, builder = fit()
    batch.save(tmp_path / "graphs", vocabulary=builder.vocabulary())
    again = GraphBuilder.load(tmp_path / "graphs/vocabulary.json")
    assert again.build(TEXTS, IDS).fingerprint == batch.fingerprint
    assert again.build(TEXTS[:1]).graph(0) == batch.graph(0)


def test_order_of_documents_is_the_order_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = fit()
    monkeypatch.setattr(module, "CHUNK", 4)
    chunked, _ = fit()
    assert chunked.fingerprint == whole.fingerprint


def test_two_processes_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 6)
    assert fit(workers=2)[0].fingerprint == fit(workers=1)[0].fingerprint


def test_no_text_at_all() -> None:
    assert len(GraphBuilder(FastParser()).build([])) == 0
    batch, _ = fit([], [])
    assert len(batch) == 0


def test_no_pair_at_all() -> None:
    batch, builder = fit(["a card", ""], [True, True])
    assert builder.cooccurrence is not None
    assert repr(builder.cooccurrence) == "Cooccurrence(heads=0, pairs=0, window=10)"
    assert Cooccurrence.from_json(builder.cooccurrence.to_json()).heads == ()
    assert np.diff(batch.node_ptr).tolist() == [1, 0]


def test_vocabulary_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run the graph stage again"):
        GraphBuilder.load(tmp_path / "vocabulary.json")


def test_unknown_parser(tmp_path: Path) -> None:
    GraphBatch.from_graphs([]).save(tmp_path / "graphs", vocabulary={"recipe": {"parser": "slow"}})
    with pytest.raises(ParamsError, match="fast or spacy, found 'slow'"):
        GraphBuilder.load(tmp_path / "graphs/vocabulary.json")
