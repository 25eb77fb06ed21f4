"""Answers from a folder, without torch; a folder that is no model says what is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openautoglm.errors import Corrupt, UserError
from openautoglm.export.canary import choose_canary
from openautoglm.export.int8 import quantize, with_weights
from openautoglm.export.page import page
from openautoglm.export.session import Session, check_canary
from openautoglm.files import repaired, save_json
from openautoglm.model.checkpoint import WEIGHTS, Checkpoint
from openautoglm.model.encode import encode
from openautoglm.model.tokenizer import WordPieces
from tests.unit.export.toys import LABELS, texts_of


def test_a_prediction_says_what_it_saw(session: Session) -> None:
    answer = session.predict(["My card has not arrived."])[0]
    assert answer.label == answer.top[0][0]
    assert answer.probability == answer.top[0][1]
    assert [share for _, share in answer.top] == sorted([share for _, share in answer.top], reverse=True)
    assert len(answer.top) == 3
    assert "card" in " ".join(answer.phrases)
    assert answer.relations
    assert json.loads(json.dumps(answer.to_json()))["label"] in LABELS
    assert repr(answer).startswith("Prediction(")


def test_answers_come_in_order_and_none_to_none(session: Session) -> None:
    texts = ["hello", "", *texts_of(40)]
    answers = session.predict(texts)
    assert [answer.text for answer in answers] == texts
    assert session.predict([]) == []
    assert answers[0].label == session.predict(["hello"])[0].label


def test_half_a_pair_is_answered_as_the_sign_for_it(session: Session) -> None:
    broken = "\udcff my new card \ud800has not arrived"
    answer = session.predict(["hello", broken])[1]
    assert answer.text == repaired(broken)
    assert "new card" in answer.phrases
    assert answer.phrases == session.predict([answer.text])[0].phrases
    assert json.dumps(answer.to_json(), ensure_ascii=False).encode()


def test_the_page_warns_of_what_belongs_to_no_class(session: Session) -> None:
    answer = session.predict(["My card has <not> arrived."])[0]
    assert "<not>" not in page(answer, "v1")
    assert "Out of scope" in page(replace(answer, in_scope=False), "v1")
    assert all("Out of scope" not in page(replace(answer, in_scope=known), "v1") for known in (True, None))


def test_no_torch_on_this_path(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from openautoglm.export.session import Session, check_canary\n"
        "from openautoglm.export.page import page\n"
        "page(Session(Path(sys.argv[1])).predict(['my card'])[0], 'm')\n"
        "print([m for m in ('torch', 'transformers', 'onnx', 'pandas', 'sklearn') if m in sys.modules])\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", script, str(folder)], check=True, capture_output=True, text=True
    )
    assert out.stdout.strip() == "[]"
    assert out.stderr == ""


def test_word_pieces_equal_transformers_tokenizer(checkpoint: Checkpoint, session: Session) -> None:
    theirs, ours = checkpoint.tokenizer(), WordPieces.load(checkpoint.path)
    assert (ours.cls_token_id, ours.sep_token_id, ours.pad_token_id) == (
        theirs.cls_token_id,
        theirs.sep_token_id,
        theirs.pad_token_id,
    )
    graphs = session.builder.build(texts_of(5))
    a, b = encode(texts_of(5), graphs, theirs, 64), encode(texts_of(5), graphs, ours, 64)
    assert np.array_equal(a.token_ids, b.token_ids)
    assert np.array_equal(a.piece_pos, b.piece_pos)


def test_canary(folder: Path, session: Session, tmp_path: Path) -> None:
    home = Path(shutil.copytree(folder, tmp_path / "home"))
    texts = texts_of(6)
    logits = session.logits(session.encode(texts))
    wrong, right = LABELS[logits[0].argmin()], [session.labels[i] for i in logits.argmax(1)]
    labels = [wrong, *right[1:]]
    canary = choose_canary(session, [f"d{i}" for i in range(6)], texts, labels, logits)
    assert canary["doc_id"] != "d0"
    assert canary["label"] == labels[int(canary["doc_id"][1:])]
    save_json(home / "canary.json", canary)
    assert check_canary(home)["passed"]
    save_json(home / "canary.json", {**canary, "probability": canary["probability"] + 0.01})
    assert not check_canary(home)["passed"]
    save_json(home / "canary.json", {**canary, "label": "gone"})
    said = check_canary(home)
    assert not said["passed"]
    assert "gone" in said["reason"]


@pytest.mark.parametrize(
    "name",
    ["model.onnx", WEIGHTS, "config.json", "tokenizer.json", "tokenizer_config.json", "vocabulary.json"],
)
def test_a_missing_file_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    home = Path(shutil.copytree(folder, tmp_path / "home"))
    (home / name).unlink()
    with pytest.raises((Corrupt, UserError)) as caught:
        Session(home)
    assert "\n" not in str(caught.value)
    assert str(home) in str(caught.value)


def test_no_folder_is_the_users_fault(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        Session(tmp_path / "nowhere")


def test_int8_is_smaller_deterministic_and_close(folder: Path, session: Session, tmp_path: Path) -> None:
    home = Path(shutil.copytree(folder, tmp_path / "int8", ignore=shutil.ignore_patterns("model.*")))
    path = quantize(folder / "model.onnx", home / "model.onnx")
    first = path.read_bytes()
    assert len(first) < 0.75 * (folder / WEIGHTS).stat().st_size  # bf16 is 2 bytes a weight
    assert quantize(folder / "model.onnx", path).read_bytes() == first
    corpus = session.encode(texts_of(12))
    small, full = Session(home, 1).logits(corpus), session.logits(corpus)
    assert np.isfinite(small).all()
    assert np.abs(small - full).max() < 0.1 * np.ptp(full)
    assert not list(tmp_path.glob("int8/tmp*"))


def test_the_graph_with_weights_inside_says_the_same(folder: Path, session: Session, tmp_path: Path) -> None:
    home = Path(shutil.copytree(folder, tmp_path / "home", ignore=shutil.ignore_patterns("model.*")))
    (home / "model.onnx").write_bytes(with_weights(folder / "model.onnx").SerializeToString())
    corpus = session.encode(texts_of(6))
    assert np.allclose(Session(home, 1).logits(corpus), session.logits(corpus), atol=1e-5)
