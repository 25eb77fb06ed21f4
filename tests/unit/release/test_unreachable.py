"""A store that cannot be reached or opened is one line that names it, whatever its file system raises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openautoglm import cli
from openautoglm.errors import ReleaseError
from openautoglm.release import ReleaseStore
from openautoglm.release.places import open_storage

DOWN = "https://127.0.0.1:1/releases"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    said = capsys.readouterr().err
    assert caught.value.code == 2, said
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize("command", [["versions"], ["verify"], ["gc"], ["pull", "--to", "node"]])
def test_a_server_that_is_down(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"error: store {DOWN}: " in refused(capsys, *command, "--store", DOWN)


def test_a_bucket_without_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import s3fs

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        said = refused(capsys, "versions", "--store", "s3://bucket/releases")
        assert "store s3://bucket/releases" in said
        assert "redentials" in said
        storage = open_storage("s3://bucket/releases")
        for write in (lambda: storage.create("a", b""), lambda: list(storage.fetch("a", 0))):
            with pytest.raises(ReleaseError, match="redentials"):
                write()
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    storage = ReleaseStore(tmp_path / "store").storage
    for write in (storage.create, storage.overwrite):
        with pytest.raises(ReleaseError, match=r"store .*store: .*NotADirectoryError|FileExistsError"):
            write("log/000001.json", b"")


@pytest.mark.parametrize("url", ["carrier-pigeon://x", "ftp://127.0.0.1:1/x"])
def test_what_cannot_be_opened(url: str) -> None:
    with pytest.raises(ReleaseError, match=f"store {url}: "):
        open_storage(url)
