"""What re-runs a stage and what does not: code keys of a small project built here."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from openautoglm.files import load_json
from tasks import STAGES, code_key
from tasks.code_key import Project, write_code_keys

ROOT = Path(__file__).resolve().parents[2]

FILES = {
    "openautoglm/__init__.py": '"""All."""\n',
    "openautoglm/errors.py": "class E(Exception): ...\n",
    "openautoglm/params.py": """
from pydantic import BaseModel
class TrainParams(BaseModel):
    epochs: int
""",
    "openautoglm/files.py": """
import json
import openautoglm.slow

SUFFIX = ".json"

def load(path):
    return json.loads(_read(path))

def _read(path):
    return path.with_suffix(SUFFIX).read_text()

def unused():
    return openautoglm.slow.heavy()
""",
    "openautoglm/slow.py": "def heavy():\n    return 1\n",
    "openautoglm/room/__init__.py": "from openautoglm.room.one import one\nfrom openautoglm.room.two import two\n",
    "openautoglm/room/one.py": "from openautoglm.files import load\ndef one():\n    return load\n",
    "openautoglm/room/two.py": "def two():\n    return 2\n",
    "openautoglm/room/words.txt": "of\nin\n",
    "openautoglm/worker.py": "from . import room\n",
    "tasks/__init__.py": "",
    "tasks/train.py": """
from openautoglm.params import TrainParams
def train(params, root):
    from openautoglm.room import one
    return one()
""",
    "tasks/export.py": 'COMMAND = ["python", "-m", "openautoglm.worker"]\ndef export(params, root):\n    return COMMAND\n',
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def key(root: Path, stage: str = "train") -> dict[str, str]:
    return code_key.code_key(Project(root), stage)


def edit(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new))


def test_closure_follows_reexports_to_their_module_and_no_further(project: Path) -> None:
    assert "openautoglm.room.one" in key(project)
    assert "openautoglm.files" in key(project)
    assert "openautoglm.room.two" not in key(project)
    assert "openautoglm.slow" not in key(project), "only an unused function imports it"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("openautoglm/room/one.py", "def one", "# a comment\ndef one"),
        ("openautoglm/room/one.py", "    return load", '    """Say it."""\n    return (load)'),
        ("openautoglm/files.py", "def unused():", "def more():\n    return 3\ndef unused():"),
        ("openautoglm/files.py", "slow.heavy()", "slow.heavy() + 1"),
        ("openautoglm/room/two.py", "return 2", "return 3"),
        ("openautoglm/errors.py", "...", "code = 2"),
        ("openautoglm/params.py", "epochs: int", "epochs: int\n    size: float"),
    ],
)
def test_what_changes_nothing(project: Path, name: str, old: str, new: str) -> None:
    before = key(project)
    edit(project, name, old, new)

    assert key(project) == before


@pytest.mark.parametrize(
    ("name", "old", "new", "module"),
    [
        ("openautoglm/room/one.py", "return load", "return load, 1", "openautoglm.room.one"),
        ("openautoglm/files.py", "read_text()", "read_text().strip()", "openautoglm.files"),
        ("openautoglm/files.py", '".json"', '".jsonl"', "openautoglm.files"),
        ("openautoglm/files.py", "SUFFIX =", "print('hello')\nSUFFIX =", "openautoglm.files"),
        ("openautoglm/room/words.txt", "of", "for", "openautoglm/room/words.txt"),
        (
            "openautoglm/params.py",
            "epochs: int",
            "epochs: int\n    @property\n    def more(self):\n        return 2",
            "openautoglm.params",
        ),
        ("tasks/train.py", "return one()", "return one(), 1", "tasks.train"),
    ],
)
def test_what_changes_one_module(project: Path, name: str, old: str, new: str, module: str) -> None:
    before = key(project)
    edit(project, name, old, new)

    after = key(project)
    assert {found for found in after if after[found] != before.get(found)} == {module}


def test_a_module_named_in_a_string_is_reached(project: Path) -> None:
    assert {"openautoglm.worker", "openautoglm.room.two"} <= set(key(project, "export"))


def test_a_registered_function_counts_though_nobody_names_it(project: Path) -> None:
    edit(project, "openautoglm/room/one.py", "def one", "@register\ndef hidden():\n    return 1\ndef one")
    before = key(project)
    edit(project, "openautoglm/room/one.py", "return 1", "return 2")

    assert key(project) != before


def test_keys_of_this_project_are_quick_and_the_same_twice(tmp_path: Path) -> None:
    for name in ("openautoglm", "tasks"):
        (tmp_path / name).symlink_to(ROOT / name)
    if not all((ROOT / f"tasks/{stage}.py").is_file() for stage in STAGES):
        pytest.skip("not all stages are there")
    start = time.process_time()
    write_code_keys(tmp_path)
    seconds = time.process_time() - start

    first = {stage: load_json(tmp_path / f".autoglm/code/{stage}.json") for stage in STAGES}
    write_code_keys(tmp_path)
    assert first == {stage: load_json(tmp_path / f".autoglm/code/{stage}.json") for stage in STAGES}
    assert seconds < 2.0, "0.1 s measured on an idle core"
    assert "openautoglm.train.loop" in first["train"]
    assert not {name for name in first["ingest"] if name.startswith("openautoglm.model")}
