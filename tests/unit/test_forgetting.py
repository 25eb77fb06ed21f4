"""What is forgotten was never there: weights bit for bit, caches to the last key, and who is asked to train again."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from test_learning_on import of, run, toy_params

from openautoglm.corpus import Document
from openautoglm.corpus.forgotten import Forgotten
from openautoglm.files import sha256_file
from openautoglm.release import Release
from openautoglm.train.content import content_keys
from openautoglm.train.feature_store import FeatureStore
from openautoglm.train.forget import keep_only
from openautoglm.train.job import Job
from openautoglm.train.memory import Memory
from tasks.forget import read_ids
from tasks.lineage import choose, fine_tuned, has_seen

FILES = ("model.safetensors", "config.json", "canary.json", "vocabulary.json")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    return run(folder, of("b1"), "finetune", None, folder / "v1")


def without(documents: Sequence[Document], gone: Sequence[Document]) -> list[Document]:
    ids = {document.doc_id for document in gone}
    return [document for document in documents if document.doc_id not in ids]


def job_of(root: Path) -> Job:
    places = {
        "corpus": root / "data/validated",
        "graphs": root / "data/graphs",
        "runs": root / ".autoglm/train",
    }
    return Job(params=toy_params("analytic", None).train, **places)


def learnt_and_forgot(root: Path, first: Path, batches: Sequence[str], gone: list[Document]) -> Path:
    """The release after ``batches`` arrived one by one and ``gone`` was taken out again."""
    here, release = ["b1"], first
    for number, batch in enumerate(batches, 2):
        here.append(batch)
        release = run(root, of(*here), "analytic", release, root / f"v{number}")
    return run(root, without(of(*here), gone), "analytic", release, root / "forgot")


@pytest.mark.parametrize("seed", range(3))
def test_the_weights_are_those_of_a_pipeline_that_never_had_them(
    seed: int, first: Path, tmp_path: Path
) -> None:
    luck = random.Random(seed)
    batches = luck.sample(["b2", "b3"], 2)
    arrived = of(*batches)
    whole_class = [document for document in arrived if document.label == "apple"]
    gone = whole_class if seed == 0 else luck.sample(arrived, luck.randint(1, len(arrived) // 2))
    forgot = learnt_and_forgot(tmp_path / "forgot", first, batches, gone)
    never = tmp_path / "never"
    at_once = run(never, without(of("b1", *batches), gone), "analytic", first, never / "v2")

    assert [sha256_file(forgot / name) for name in FILES] == [sha256_file(at_once / name) for name in FILES]
    had = sha256_file(tmp_path / "forgot/v3/model.safetensors")
    learnt_some = any(document.split != "test" for document in gone)
    assert (had != sha256_file(forgot / "model.safetensors")) == learnt_some
    if seed == 0:
        assert "apple" not in json.loads((forgot / "config.json").read_text())["label2id"]


def test_no_cache_holds_them_and_what_stays_is_not_computed_again(first: Path, tmp_path: Path) -> None:
    gone = of("b2")[:7]
    forgot = learnt_and_forgot(tmp_path, first, ["b2", "b3"], gone)
    (tmp_path / ".autoglm/train/x").mkdir(parents=True)
    other = tmp_path / ".autoglm/features/another"
    shutil.copytree(next(path for path in (tmp_path / ".autoglm/features").iterdir() if path.is_dir()), other)
    removed = keep_only(job_of(tmp_path))

    texts = {document.text or "" for document in without(of("b1", "b2", "b3"), gone)}
    keys = set(content_keys(sorted({document.text or "" for document in gone} - texts), None))
    assert keys
    assert removed > 0
    assert not (tmp_path / ".autoglm/train").exists()
    for folder in (tmp_path / ".autoglm/features").iterdir():
        assert not any(key in FeatureStore(folder) for key in keys)
        for memory in folder.glob("memory-*.safetensors"):
            found = Memory.read(memory)
            assert found is not None
            assert not keys & {key for key, _ in found.documents}
    assert keep_only(job_of(tmp_path)) == 0
    damaged = other / "memory-1-1.safetensors"
    damaged.write_bytes(b"nobody can say what this counts")
    keep_only(job_of(tmp_path))
    assert not damaged.exists()
    again = run(tmp_path, without(of("b1", "b2", "b3"), gone), "analytic", first, tmp_path / "again")
    assert sha256_file(again / "model.safetensors") == sha256_file(forgot / "model.safetensors")


def release(
    version: int, entries: list[str] | None, mode: str | None, parent: Any, start: str = "parent"
) -> Release:
    facts: dict[str, Any] = {
        "data": {"entries": entries, "mode": mode},
        "params": {"train": {"parent": parent, "start": start}},
    }
    return Release(version, None, {}, None, facts)  # type: ignore[arg-type]


class Shelf(dict[str, Release]):
    def get(self, name: str) -> Release:  # type: ignore[override]
        return self[name]


TAKEN_OUT = [Forgotten("t", "r", {"2-a": "2-b"}, 1, ()), Forgotten("t", "r", {"3-a": None}, 1, ())]


def test_whose_fine_tune_has_seen_them() -> None:
    shelf: Any = Shelf(
        v1=release(1, ["1-a", "2-a"], None, None), v2=release(2, ["1-a", "2-a", "3-a"], "analytic", "v1")
    )
    head = release(3, ["1-a", "2-b", "3-a"], "analytic", "v2")

    assert fine_tuned(head, shelf) is shelf["v1"]
    assert has_seen(shelf["v1"], {"2-a"}, TAKEN_OUT)
    assert not has_seen(shelf["v1"], {"3-a"}, TAKEN_OUT), "it came after the fine-tune"
    retrained = release(4, ["1-a", "2-b"], "analytic", "v2", start="pretrained")
    assert fine_tuned(retrained, shelf) is retrained
    assert not has_seen(retrained, {"2-a"}, TAKEN_OUT), "its batches had none of them by then"
    assert has_seen(release(5, None, None, None), {"3-a"}, TAKEN_OUT), "in doubt, yes"


def test_the_parent_after_documents_were_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Release, "id", "head")
    head = release(3, ["1-a", "2-a", "3-a"], "analytic", "v2")

    assert choose(head, {"1-a", "2-b"}, TAKEN_OUT) == ("head", "documents were taken out")
    assert choose(head, {"1-a", "2-b", "4-a"}, TAKEN_OUT)[0] == "head"
    assert choose(head, {"1-a", "4-a"}, TAKEN_OUT)[0] is None, "2 was taken away by hand"
    assert choose(head, {"1-a", "2-b"})[0] is None, "without the record nobody knows"


def test_ids_are_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "ids"
    path.write_text('﻿a\n\n  b c \n{"id": 7, "text": "x"}\n', encoding="utf-8")
    assert read_ids(path) == {"a", "b c", "7"}
    path.write_text("\n")
    with pytest.raises(ValueError, match="no ids in it"):
        read_ids(path)
