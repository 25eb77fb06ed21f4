from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openautoglm.corpus import SPLITS, Corpus, Document
from openautoglm.corpus.document import PartWriter, TableHash
from openautoglm.errors import SourceError

texts = st.none() | st.text(st.characters(codec="utf-8"), max_size=12)
documents = st.lists(
    st.builds(
        Document,
        doc_id=st.text(st.characters(codec="utf-8"), max_size=6),
        text=texts,
        label=texts,
        split=st.sampled_from(SPLITS),
        batch=st.sampled_from(["0001-a", "0002-b"]),
    ),
    max_size=30,
)


def some(rows: int) -> Corpus:
    return Corpus.from_documents(
        [Document(f"d{n}", f"text {n}", f"label{n % 3}", SPLITS[n % 2], "0001-a") for n in range(rows)]
    )


def test_saved_and_loaded_in_parts_is_the_same(tmp_path: Path) -> None:
    corpus = some(25)
    corpus.save(tmp_path / "out", rows_per_part=10)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"part-{n:05d}.parquet" for n in range(3)]
    loaded = Corpus.load(tmp_path / "out")
    assert list(loaded.documents()) == list(corpus.documents())
    assert loaded.fingerprint == corpus.fingerprint


def test_saving_again_leaves_no_old_part(tmp_path: Path) -> None:
    some(25).save(tmp_path / "out", rows_per_part=5)
    some(3).save(tmp_path / "out", rows_per_part=5)
    assert len(Corpus.load(tmp_path / "out")) == 3


def test_labels_are_those_of_the_train_split() -> None:
    corpus = Corpus.from_documents(
        [Document("1", "a", "seen", "train", "b"), Document("2", "b", "unseen", "test", "b")]
    )
    assert corpus.labels == ("seen",)
    assert corpus.split("test").column("label") == ["unseen"]
    assert "2 documents, train/valid/test 1/0/1, 1 labels" in repr(corpus)


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="dvc repro"):
        Corpus.load(tmp_path)


@given(documents, st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_fingerprint_does_not_see_where_the_rows_are_cut(rows: list[Document], size: int) -> None:
    corpus = Corpus.from_documents(rows)
    cut = TableHash()
    for batch in corpus.table.to_batches(max_chunksize=size):
        cut.update(batch)
    assert cut.hexdigest() == corpus.fingerprint


@given(documents.filter(lambda rows: len(set(rows)) > 1))
@settings(max_examples=40, deadline=None)
def test_fingerprint_sees_order_and_nulls(rows: list[Document]) -> None:
    corpus = Corpus.from_documents(rows)
    if rows != rows[::-1]:
        assert Corpus.from_documents(rows[::-1]).fingerprint != corpus.fingerprint
    if any(row.text is None for row in rows):
        filled = [Document(r.doc_id, r.text or "", r.label, r.split, r.batch) for r in rows]
        assert Corpus.from_documents(filled).fingerprint != corpus.fingerprint


def test_parts_do_not_depend_on_the_portions_written(tmp_path: Path) -> None:
    table = some(50).table
    contents = []
    for size in (1, 7, 50):
        folder = tmp_path / str(size)
        folder.mkdir()
        with PartWriter(folder, table.schema, rows_per_part=20) as writer:
            for batch in table.to_batches(max_chunksize=size):
                writer.write(batch)
        contents.append([p.read_bytes() for p in sorted(folder.iterdir())])
    assert contents[0] == contents[1] == contents[2]
    assert len(contents[0]) == 3
