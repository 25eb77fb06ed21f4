"""`predict` and `explain` ask what is in service, whatever candidate lies in models/onnx."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from openautoglm.commands import demo, explain, predict
from openautoglm.errors import UserError
from openautoglm.release import Release, ReleaseStore
from tests.unit.serve.toys import ROOT, TEXT, make_export, nudged, publish


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Release]]:
    """A checkout with two releases, the first of which was rolled back to, and a refused candidate."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, root / name)
    for name in ("flows", "tasks", "docs"):
        (root / name).mkdir()
    store, export = ReleaseStore(root / "releases"), make_export(root / "made")
    releases = [publish(store, root / "made", nudged(export, root / f"made/{n}", n)) for n in (1, 2)]
    store.rollback(1, "stable", "wrong answers")
    (root / "models/onnx").mkdir(parents=True)
    (root / "models/onnx/model.onnx").write_text("a candidate that was refused")
    return root, releases


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(predict.command, [TEXT, *arguments], catch_exceptions=False)


def test_the_release_in_service_answers(
    published: tuple[Path, list[Release]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, releases = published
    monkeypatch.chdir(root / "docs")
    assert json.loads(ask("--json").stdout)["release"] == releases[0].id
    assert ask().stderr == f"{releases[0].id}\n"
    assert (root / ".autoglm/parents" / releases[0].id / "model.onnx").is_file()
    assert json.loads(ask("--json", "--model", "2").stdout)["release"] == releases[1].id
    folder = json.loads(ask("--json", "--model", str(root / "made/2")).stdout)
    assert (folder["release"], folder["label"]) == (None, folder["top"][0]["label"])
    assert f"{releases[0].id} -> " in "".join(demo._answer(TEXT))


def test_the_page_says_who_answered(
    published: tuple[Path, list[Release]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root, releases = published
    monkeypatch.chdir(root)
    page = tmp_path / "page.html"
    done = CliRunner().invoke(explain.command, [TEXT, "--html", str(page)], catch_exceptions=False)
    assert done.stderr == f"{releases[0].id}\n"
    assert releases[0].id in page.read_text()
    assert "phrases" in done.stdout
    assert "%" in done.stdout
    assert f"{page} shows them drawn" in done.stdout
    assert "SemanticGraph(" not in done.stdout


def test_nothing_to_ask(
    published: tuple[Path, list[Release]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"which model\? .*--model DIR"):
        ask()
    for name in ("params.yaml", "dvc.yaml", "flows", "tasks"):
        (tmp_path / name).symlink_to(published[0] / name)
    with pytest.raises(UserError, match="nothing is in service yet"):
        ask()
    with pytest.raises(UserError, match="nothing there"):
        ask("--model", "nowhere")
