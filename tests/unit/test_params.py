"""params.yaml: every fault is one clear line, every knob is known, and changing one keeps the comments."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from openautoglm.errors import ParamsError
from openautoglm.params import Params
from openautoglm.params_file import set_values
from tasks import STAGES

SOURCE = Path(__file__).resolve().parents[2] / "params.yaml"
KNOBS = 72  # adding one is a decision: it has to earn its place here, in params.yaml and in a reader's head


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The real file, with values that do not move when somebody tunes the defaults."""
    copy = tmp_path / "params.yaml"
    text = re.sub(r"^  epochs: \d+ ", "  epochs: 4 ", SOURCE.read_text(), flags=re.M)
    text = re.sub(r"^  parent: \S+ ", "  parent: null ", text, flags=re.M)  # a run pins it
    copy.write_text(re.sub(r"^  source: null ", "  source: far ", text, flags=re.M))
    return copy


def test_the_file_holds_a_section_per_stage_and_few_knobs() -> None:
    raw = YAML(typ="safe").load(SOURCE.read_text())

    assert tuple(section for section in raw if section != "continual") == STAGES
    assert sum(len(section) for section in raw.values()) == KNOBS
    assert Params.load(SOURCE).train.epochs == raw["train"]["epochs"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  epochs: 4", "  epoch: 4", "unknown key train.epoch; did you mean train.epochs?"),
        ("  epochs: 4", "  epochs: four", "train.epochs: input should be a valid integer"),
        ("  epochs: 4", "  epochs: 0", "greater than or equal to 1, found 0"),
        ("  epochs: 4", "", "missing key train.epochs"),
        ("  world_size: 1", "  world_size: 3", "batch_size must be a multiple of world_size, found 32 and 3"),
        ("  valid_share: 0.10", "  valid_share: 0.90", "must stay below 1"),
        ("  grid: null", "  grid: 1.0", "grid needs weights: fp32, found bf16"),
        ("  parser: fast", "  parser: spacy", "needs spacy_model"),
        ("  confidence: 0.95", "  confidence: 1.0", "evaluate.confidence: input should be less than 1"),
        ("  confidence: 0.95", "  confidence: 0", "evaluate.confidence: input should be greater than 0"),
        ("  inbox: inbox", "  inbox: s3://b/in", "give it as remote"),
        ("  remote: null", "  remote: far", "remote is a URL"),
        ("ingest:", "ingest: [", "not valid YAML"),
        ("  epochs: 4", "  epochs: 4\n  epochs: 5", 'line {line}: found duplicate key "epochs"'),
        ("  epochs: 4", "  epochs: *four", "line {line}: found undefined alias 'four'"),
        ("  epochs: 4", "  epochs: \x07", "not valid YAML"),
    ],
)
def test_each_fault_is_one_line(path: Path, old: str, new: str, message: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ParamsError) as caught:
        Params.load(path)

    line = path.read_text()[: path.read_text().index(new)].count("\n") + new.count("\n") + 1
    assert message.format(line=line) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf_8(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"# passes over", b"# \xfcber"))
    with pytest.raises(
        ParamsError, match=r"params\.yaml: not UTF-8: byte 0xfc in line \d+; save it as UTF-8"
    ):
        Params.load(path)
    with pytest.raises(ParamsError, match="cannot be read"):
        Params.load(path.parent)


def test_a_missing_file_says_where_to_run() -> None:
    with pytest.raises(ParamsError, match="run from the root"):
        Params.load(Path("nowhere.yaml"))


def test_set_values_keeps_everything_else_as_it_was(path: Path) -> None:
    before = path.read_text()
    assert set_values(path, {"train.epochs": "2", "train.parent": "v000001-3fa9c1d2e4b5"})
    changed = [line for line in path.read_text().splitlines() if line not in before.splitlines()]

    assert [line.split("#")[0].strip() for line in changed] == ["parent: v000001-3fa9c1d2e4b5", "epochs: 2"]
    assert set_values(path, {"train.epochs": 4, "train.parent": None})
    assert path.read_text().split() == before.split(), "but for the column of a comment"
    assert not set_values(path, {"train.epochs": 4})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("train.epoch", "2", "did you mean train.epochs?"),
        ("epochs", "2", "did you mean train.epochs?"),
        ("train", "2", "no such key"),
        ("train.epochs", "many", "valid integer"),
        ("train.backbone", "[a", "--set train.backbone=[a: not valid YAML"),
        ("train.backbone", "a: b: c", "--set train.backbone=a: b: c: not valid YAML"),
        ("train.backbone", "{a: 1, a: 2}", "duplicate key"),
    ],
)
def test_a_bad_assignment_leaves_the_file_alone(path: Path, name: str, value: str, message: str) -> None:
    before = path.read_text()
    with pytest.raises(ParamsError, match=re.escape(message)):
        set_values(path, {name: value})

    assert path.read_text() == before


def test_it_does_not_change_how_others_in_this_process_write_yaml(path: Path) -> None:
    set_values(path, {"train.epochs": 2})
    target = path.with_name("other.yaml")
    YAML().dump({"a": None}, target)

    assert target.read_text() == "a:\n", "DVC writes dvc.lock with the same library"
