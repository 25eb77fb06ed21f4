"""`autoglm versions` and `autoglm diff` on a chain with everything in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from openautoglm.commands import diff, versions
from openautoglm.loop.comparison import better_and_worse, compare, largest_changes
from openautoglm.release import ReleaseStore
from openautoglm.release.layers import Layer, layer_of
from openautoglm.release.layers import compare as compare_layers
from tests.unit.release.samples import bf16, write
from tests.unit.release.story import tell


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ReleaseStore:
    root = tmp_path_factory.mktemp("telling")
    found = ReleaseStore(root / "store")
    tell(found, root)
    return found


def said(command: object, *arguments: str) -> str:
    done = CliRunner().invoke(command, list(arguments), catch_exceptions=False)  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output
    return done.stdout


def test_versions_for_programs(store: ReleaseStore) -> None:
    rows = json.loads(said(versions.command, "--store", store.url, "--json"))
    assert [row["state"] for row in rows].count("rejected") == 1
    last = rows[-1]
    assert (last["state"], last["batches"], last["how"]) == ("in service", ["0004-b4"], "analytic")
    assert last["backward_transfer"] == pytest.approx(0.02)


def test_versions_for_people(store: ReleaseStore, tmp_path: Path) -> None:
    table = said(versions.command, "--store", store.url)
    for words in ("rolled back", "refused by forgetting", "-18.0", "previous", "BWT"):
        assert words in table
    page = tmp_path / "deep/chain.html"
    said(versions.command, "--store", store.url, "--html", str(page))
    assert "What is kept of each batch" in page.read_text()


def test_diff_says_what_was_lost(store: ReleaseStore, tmp_path: Path) -> None:
    told = json.loads(said(diff.command, "2", "3", "--store", store.url, "--json"))
    assert told["metrics"]["accuracy"] == pytest.approx([0.925, 0.81])
    assert told["batches"]["0002-b2"] == [0.91, 0.70]
    assert told["batches"]["0003-b3"] == [None, 0.93]
    assert told["data"] == {"documents": [200, 300], "batches_added": ["0003-b3"], "batches_removed": []}
    assert told["graph"]["edges"] == [300, 450]
    assert better_and_worse(told["classes"]) == ([], ["a", "b"])
    assert [layer["name"] for layer in told["layers"]] == ["bert", "head", "temperature"]
    text = said(diff.command, "2", "3", "--store", store.url)
    assert "recall fell" in text
    said(diff.command, "1", "2", "--store", store.url, "--html", str(tmp_path / "diff.html"))
    assert "Which weights changed" in (tmp_path / "diff.html").read_text()


def test_diff_shows_the_five_largest_changes_of_the_graphs() -> None:
    counts = {
        "documents": [100, 150],
        "same half": [10, 15],
        "new": [None, 3],
        "gone": [4, None],
        "halved": [8, 4],
    }
    counts |= {"hardly": [10_000, 10_001], "a bit": [100, 110]}
    order = ["new", "gone", "documents", "same half", "halved", "a bit", "hardly"]
    shown = list(diff._graphs(counts))

    assert largest_changes(counts)[:2] == order[:2]
    assert set(largest_changes(counts)[2:5]) == set(order[2:5])
    assert largest_changes(counts)[5:] == order[5:]
    assert len(shown) == 1 + 5 + 1
    assert shown[-1] == "    and 2 more: --json, --html FILE"
    assert "hardly" not in "".join(shown)
    assert list(diff._graphs({})) == []


def test_diff_from_the_manifests_alone(store: ReleaseStore) -> None:
    told = json.loads(said(diff.command, "1", "2", "--store", store.url, "--quick", "--json"))
    assert told["layers"] is None
    assert told["labels_added"] == ["c"]
    assert compare(store.get(1), store.get(1))["classes"] == {}


def test_layers_have_the_names_that_people_know() -> None:
    assert layer_of("backbone.encoder.layer.11.attention.self.key.bias") == "backbone.encoder.layer.11"
    assert layer_of("backbone.embeddings.word_embeddings.weight") == "backbone.embeddings"
    assert layer_of("fusion.query.bias") == "fusion"


def test_changed_numbers_are_counted(tmp_path: Path) -> None:
    import numpy as np

    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    moved = values.copy()
    moved[1] += 1
    grown = np.vstack([values, values[:1]])
    old = {"a.weight": ("BF16", (4, 3), bf16(values)), "b.weight": ("BF16", (4, 3), bf16(values))}
    new = {"a.weight": ("BF16", (4, 3), bf16(moved)), "b.weight": ("BF16", (5, 3), bf16(grown))}
    old["gone.weight"] = ("BF16", (4, 3), bf16(values))
    before, after = write(tmp_path / "old", old), write(tmp_path / "new", new)
    assert compare_layers(before, after) == [
        Layer("a", 12, 3),
        Layer("b", 15, 0, new=3),
        Layer("gone", 0, 0, gone=12),
    ]
    assert compare_layers(before, after)[0].share == 0.25
