"""The delta bench on a toy: its chains are real versions, its baseline is exact, and it says what it left out."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.bench.bench_delta import Link, _row
from tests.bench.delta_chains import Chains, Recipe, chains
from tests.bench.delta_codecs import CODECS, OURS, Codec


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    recipe = Recipe(backbone="tiny", first_steps=2, steps=2, updates=2)
    home = tmp_path_factory.mktemp("chains")
    first = chains(recipe, home)
    before = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    assert chains(recipe, home) == first
    assert before == {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}, "made twice"
    return first


def test_versions_differ_where_they_should(made: Chains) -> None:
    from safetensors.torch import load_file

    for kind, part in (("top-2", "backbone.embeddings"), ("lora", "backbone.embeddings"), ("lora", ".key.")):
        old, new = (load_file(path) for path in made.files(kind, "bf16")[:2])
        assert old.keys() == load_file(made.files("full", "bf16")[1]).keys()
        assert old.keys() == new.keys()
        assert any(not old[name].equal(new[name]) for name in old), kind
        assert all(old[name].equal(new[name]) for name in old if part in name), (kind, part)
    masters = load_file(made.files("full", "fp32")[2])
    rounded = load_file(made.files("full", "bf16")[2])
    assert all(tensor.bfloat16().equal(rounded[name]) for name, tensor in masters.items())
    assert len(made.exams) == 3


@pytest.mark.parametrize("name", [OURS, "xor + zstd-1"])
def test_a_row_is_exact_and_complete(made: Chains, name: str) -> None:
    (codec,) = (codec for codec in CODECS if codec.name == name)
    row = _row(codec, [Link(*pair) for pair in pairwise(made.files("full", "bf16"))], 1)
    assert row["exact"] is True
    assert row["ratio"] > 1
    assert min(row[key] for key in ("encode", "decode", "encode_peak", "decode_peak", "bytes")) > 0


def test_a_missing_peer_is_named_with_the_way_to_get_it() -> None:
    peer = Codec("peer", lambda *_: 0, lambda *_: None, "no_such_peer_anywhere")
    assert peer.missing == "no_such_peer_anywhere is not installed: pip install 'openautoglm[bench]'"
