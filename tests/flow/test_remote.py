"""Anchors and deltas are files that DVC tracks: `dvc push` and `dvc pull` move every release made, with git's history."""

from __future__ import annotations

import subprocess
from pathlib import Path

from project import GIT, ToyProject

from openautoglm.files import load_json
from openautoglm.release import Release, ReleaseStore, pull
from openautoglm.release.candidate import contents

WEIGHTS = 'np.random.default_rng(state["sum"]).normal(size=(8, 16)).astype(np.float32)'
NEAR = "(np.random.default_rng(0).normal(size=(64, 64)) + 1e-4 * np.sin(np.arange(64) + state['sum'])).astype(np.float32)"


def commit(project: ToyProject, message: str) -> str:
    for command in (["git", "add", "-A"], [*GIT, "commit", "-qm", message]):
        subprocess.run(command, cwd=project.root, check=True)
    return project.run("git", "rev-parse", "HEAD").strip()


def test_a_clone_gets_anchor_and_delta_from_the_remote_and_can_fill_a_store(tmp_path: Path) -> None:
    ours = ToyProject.create(tmp_path / "ours")
    ours.edit("tasks/train.py", WEIGHTS, NEAR)  # so that a delta is worth it
    ours.run("dvc", "remote", "add", "-d", "far", str(tmp_path / "remote"))
    commits, releases = [], []
    for number in (1, 2):
        (ours.root / f"inbox/000{number}-a.txt").write_text("one\ntwo\n" * number)
        ours.repro()
        assert load_json(ours.root / "models/release.json")["passed"]
        releases.append(Release.load(ours.root / "models/release/manifest.json"))
        commits.append(commit(ours, f"release {number}"))
    assert [release.weights.kind for release in releases] == ["anchor", "delta"]
    ours.run("dvc", "push", "--all-commits")

    theirs = ToyProject(tmp_path / "theirs", "")
    subprocess.run(["git", "clone", "-q", ours.root, theirs.root], check=True)
    assert not (theirs.root / "models").exists()
    store = ReleaseStore(tmp_path / "filled")
    for old, release in zip(commits, releases, strict=True):
        theirs.run("git", "checkout", "-q", old)
        theirs.run("dvc", "pull", "models/release")
        candidate = theirs.root / "models/release"
        blobs = {path.name for path in (candidate / "blobs").iterdir()}
        assert release.weights.own.blob in blobs
        assert store.publish(candidate, "stable", "from the remote") == release
    assert store.verify() == []
    home = pull(store.url, tmp_path / "node").path
    assert contents(home) == contents(ours.root / "models/onnx")
