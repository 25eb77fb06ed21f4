"""The real seven stages through dvc.yaml on a copy of this checkout, then every command on what they left."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openautoglm import cli
from openautoglm.corpus.sample import write_sample
from openautoglm.params_file import set_values
from tasks import QUIET

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "flows",
    "tasks",
    "openautoglm",
    ".dvc/config",
    ".dvcignore",
    "dvc.yaml",
    "params.yaml",
    "constraints.txt",
)
SMALL = {
    "train.backbone": "tiny", "train.epochs": 1, "train.graph_size": 16, "train.max_tokens": 32, "train.parent": None,
    "train.start": "parent", "ingest.through": None, "continual.features": 64, "export.int8": False,
    "validate.max_quarantined": 1.0, "validate.min_per_class": 1, "evaluate.min_accuracy": 0.0, "evaluate.margin": 1.0,
    "evaluate.max_ece": 1.0, "evaluate.bootstrap": 20, "continual.max_forgetting": 1.0,
}  # fmt: skip
TEXTS, LABELS = 200, 5
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases: the first from 200 texts, the second from other weights of its head."""
    root = tmp_path_factory.mktemp("checkout")
    for name in PARTS:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    set_values(root / "params.yaml", SMALL)
    rows = [json.loads(line) for line in write_sample(root / "data/sample")[0].open()]
    few = sorted({row["label"] for row in rows})[:LABELS]
    rows = [row for row in rows if row["label"] in few][:TEXTS]
    (root / "inbox").mkdir()
    (root / "inbox/0001-few-00000000.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    repro(root)
    head = json.loads((root / "models/release.json").read_text())["id"]
    set_values(root / "params.yaml", {"train.parent": head, "train.start": "pretrained", "train.seed": 14})
    repro(root)
    return root


def repro(root: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = (
        os.environ
        | QUIET
        | {"PATH": path, "AUTOGLM_TRACKING": "off", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    )
    dvc = [sys.executable, "-m", "dvc"]
    if not (root / ".dvc/tmp").exists():
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    done = subprocess.run([*dvc, "repro", "-q"], cwd=root, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    said = capsys.readouterr()
    assert caught.value.code == 0, said.err
    return said.out


def test_every_command_works_on_what_the_stages_left(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    first, second = json.loads(call(capsys, "versions", "--json"))
    assert (second["parent"], second["state"]) == (first["id"], "in service")
    told = json.loads(call(capsys, "diff", "1", "2", "--json"))
    assert "model.safetensors" in told["files_changed"]
    assert "would run" not in call(capsys, "status")
    assert "2 releases, all sound" in call(capsys, "verify")
    assert "nothing to remove" in call(capsys, "gc"), "a rollback goes to the first"
    answer = json.loads(call(capsys, "predict", "Where is my parcel?", "--json"))
    assert answer["release"] == second["id"]
    call(capsys, "explain", "Where is my parcel?", "--html", str(tmp_path / "page.html"))
    assert second["id"] in (tmp_path / "page.html").read_text()
    assert "python" in call(capsys, "doctor")
    assert "train is up to date" in call_tasks(checkout, "why", "train")
    call(capsys, "keygen", str(tmp_path / "team.key"))
    assert len(call(capsys, "sample", "--to", str(tmp_path / "sample")).splitlines()) == 3
    pulled = json.loads(call(capsys, "pull", "--to", str(tmp_path / "node"), "--json"))
    assert pulled["release"] == second["id"]
    assert re.search(
        f"{second['id']} -> {first['id']}", call(capsys, "rollback", "--reason", "trying it out")
    )
    assert json.loads(call(capsys, "predict", "Where is my parcel?", "--json"))["release"] == first["id"]
    assert json.loads(call(capsys, "status", "--json"))["release"] == first["id"]
    call(capsys, "nodes")


def call_tasks(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tasks", *arguments],
        cwd=root,
        env=os.environ | QUIET,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
