"""Everything that `autoglm doctor` can say of a checkout, each said once; tests/flow has what it says of a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import click
import pytest

from openautoglm import cli
from openautoglm.commands import doctor
from openautoglm.corpus.forgotten import Forgotten, hashed, write
from openautoglm.files import LEDGER
from openautoglm.loop import Ledger, hold, servers
from openautoglm.loop.servers import FOLDER
from openautoglm.processes import started

ROOT = Path(__file__).resolve().parents[2]
GONE = 2**22 + 1  # no Linux process has this number
Patch = pytest.MonkeyPatch
Ask = Callable[[], dict[str, tuple[bool, str]]]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: Patch) -> Path:
    """A checkout without servers, where nothing is wrong."""
    folder = tmp_path / "checkout"
    for name in ("flows", "tasks", "inbox", FOLDER):
        (folder / name).mkdir(parents=True)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "constraints.txt").write_text("# none\n")
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setattr(doctor, "ROOM", 1e6)  # the machine that runs this may be fuller than a user's
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def asked(checkout: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """{check: (well, what was found)}; the exit code is 1 exactly where something is not well."""

    def ask() -> dict[str, tuple[bool, str]]:
        with pytest.raises(SystemExit) as left:
            cli.main(["doctor", "--json"])
        rows = json.loads(capsys.readouterr().out)
        assert left.value.code == (0 if all(row["ok"] for row in rows) else 1)
        found = {row["check"]: (row["ok"], row["found"]) for row in rows}
        assert list(found) == list(doctor.CHECKS), "one that cannot look does not end the others"
        for _, said in found.values():
            exists(said)
        return found

    return ask


def exists(said: str) -> None:
    """Whatever `autoglm ...` is advised is a command, with these options."""
    group, context = cli.Commands(), click.Context(cli.group)
    for name, rest in re.findall(r"autoglm ([a-z]+)([^`;,]*)", said):
        command = group.get_command(context, name)
        assert command, f"there is no autoglm {name}: {said}"
        known = {option for param in command.params for option in param.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, said


def only(found: dict[str, tuple[bool, str]], check: str) -> str:
    """What was found wrong by ``check``, and by it alone."""
    assert [name for name, (well, _) in found.items() if not well] == [check], found
    return found[check][1]


def test_where_nothing_is_wrong(checkout: Path, asked: Ask) -> None:
    found = asked()
    assert {well for well, _ in found.values()} == {True}
    said = {check: text for check, (_, text) in found.items()}
    assert said["python"] == str(Path(sys.executable).parent / "python")
    assert said["packages"] == "as in constraints.txt"
    assert said["server"].startswith("none: a run starts a temporary one")
    assert said["loop"] == "off: no server"
    assert said["mlflow"] == "records in mlflow.db, no pages: `autoglm up`"
    assert said["batches"] == "training: nobody"
    assert said["forget"] == "nothing is left to be forgotten"


def test_for_a_person_what_is_wrong_stands_out(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "constraints.txt").unlink()
    with pytest.raises(SystemExit):
        cli.main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(doctor.CHECKS)
    assert [line for line in lines if not line.startswith("ok   ")] == [
        "FAIL packages  constraints.txt is gone; git checkout constraints.txt"
    ]


def test_another_python_on_the_path_is_told(checkout: Path, asked: Ask, monkeypatch: Patch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "`dvc repro` from this shell would use None: activate the environment" in asked()["python"][1]


def test_packages_that_differ_are_told_and_those_that_break_something_are_wrong(
    checkout: Path, asked: Ask, monkeypatch: Patch
) -> None:
    (checkout / "constraints.txt").write_text("click==0.1  # old\nnot-installed-here==1\n")
    well, said = asked()["packages"]
    assert well
    assert re.fullmatch(r"differ from constraints.txt: click \d[\d.]* \(tested: 0.1\)", said)
    monkeypatch.setattr(doctor, "TRAPS", (("click", (0, 1), "nothing works with it"),))
    assert "nothing works with it; pip install -c constraints.txt" in only(asked(), "packages")


def test_params_that_are_wrong(checkout: Path, asked: Ask) -> None:
    path = checkout / "params.yaml"
    path.write_text(path.read_text().replace("  epochs: ", "  epoch: "))
    well, said = asked()["params"]
    assert not well
    assert "did you mean epochs?" in said or "did you mean train.epochs?" in said


def test_a_disk_that_is_full(checkout: Path, asked: Ask, monkeypatch: Patch) -> None:
    monkeypatch.setattr(doctor, "ROOM", 1e18)
    assert re.match(r"[\d.]+ GB free, 1000000000 GB are needed; dvc gc -w ", only(asked(), "space"))


def test_folders_that_cannot_be_written(checkout: Path, asked: Ask, monkeypatch: Patch) -> None:
    (checkout / "models").mkdir()
    real = os.access  # root may write anywhere, whatever the modes say
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "models" and real(path, mode))
    assert only(asked(), "writable") == "not writable: models"
    (checkout / "models").rmdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != checkout and real(path, mode))
    assert only(asked(), "writable") == f"not writable: {checkout}"


def test_a_server_that_was_started_here_and_is_gone(checkout: Path, asked: Ask) -> None:
    (checkout / FOLDER / "prefect.json").write_text(json.dumps({"pid": GONE, "started": 1.0, "url": "u"}))
    (checkout / FOLDER / "watch.json").write_text("half")  # a killed `autoglm watch` is no server
    found = asked()
    assert only(found, "server").startswith("prefect: started here and gone, see .autoglm/logs; `autoglm up`")
    assert found["loop"] == (True, "off: no server")


def test_a_server_that_was_named_and_does_not_answer(checkout: Path, asked: Ask, monkeypatch: Patch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    said = only(asked(), "server")
    assert said.startswith("http://127.0.0.1:9/api does not answer; start it, unset PREFECT_API_URL")


class Page(BaseHTTPRequestHandler):
    """Somebody's page, at every address."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello")

    def log_message(self, *_: object) -> None: ...


class Form(Page):
    do_POST = Page.do_GET


@pytest.mark.parametrize("kind", [Page, Form])
def test_a_server_that_is_not_prefects(
    checkout: Path, asked: Ask, monkeypatch: Patch, kind: type[Page]
) -> None:
    server = HTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_port}/api")
    try:
        assert "does not answer as Prefect's API does" in only(asked(), "loop")
    finally:
        server.shutdown()
        server.server_close()


def test_watch_counts_as_a_loop(checkout: Path, asked: Ask) -> None:
    with servers.signed_on(checkout / FOLDER, "watch"):
        assert asked()["loop"] == (True, "autoglm watch takes what arrives")


def test_what_can_be_wrong_with_mlflow(checkout: Path, asked: Ask, monkeypatch: Patch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "mlruns")
    assert only(asked(), "mlflow") == "MLFLOW_TRACKING_URI is mlruns; give a URL such as sqlite:///mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert only(asked(), "mlflow").startswith("http://127.0.0.1:9 does not answer, so nothing can be publ")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    page = checkout / "health"
    page.write_text("ok")
    noted = {
        "pid": os.getpid(),
        "started": started(os.getpid()),
        "url": "http://here",
        "health": page.as_uri(),
    }
    (checkout / FOLDER / "mlflow.json").write_text(json.dumps(noted))
    assert asked()["mlflow"] == (True, "records in sqlite:///other.db, pages at http://here")


def test_batches_that_need_somebody(checkout: Path, asked: Ask) -> None:
    ledger = Ledger(checkout / LEDGER)
    ledger.arrive(["0001-a", "0002-b", "0003-c", "0004-d"])
    for entry, state in (("0001-a", "refused"), ("0002-b", "aside")):
        ledger.take(1)
        ledger.finish(entry, 1, state)  # type: ignore[arg-type]
    ledger.take(1)
    said = asked()["batches"][1]
    assert said.startswith(
        "1 pending, 1 running, 1 refused, 1 aside, left running by a run that died; the ne"
    )
    assert "see inbox/_aside/*.why.txt, put it right and `autoglm ingest` it again" in said
    with hold(checkout / LEDGER, "nightly"):
        said = asked()["batches"][1]
    assert "died" not in said
    assert said.endswith("training: nightly")


def test_a_ledger_that_is_damaged(checkout: Path, asked: Ask) -> None:
    (checkout / LEDGER).write_bytes(b"no database " * 1000)
    found = asked()
    assert not found["batches"][0]
    assert "damaged: file is not a database; while no run is at work, move it away" in found["batches"][1]


def test_a_forget_that_did_not_end(checkout: Path, asked: Ask) -> None:
    record = Forgotten("2025-06-01T09:00:00+00:00", "asked for", {"0001-a": None}, 2, hashed(["x", "y"]))
    write(checkout / "inbox", [record])
    said = only(asked(), "forget")
    assert said.startswith(
        "2 documents, asked for at 2025-06-01T09:00:00+00:00, are not out of everything yet;"
    )
    assert said.endswith("; `autoglm forget --finish` ends it")
    with hold(checkout / LEDGER, "nightly"):
        well, said = asked()["forget"]
    assert well, "it may be at work on it"
    assert said.endswith("; wait for nightly, then `autoglm forget --finish` ends it")


def test_a_remote_that_can_and_cannot_be_reached(checkout: Path, asked: Ask, tmp_path: Path) -> None:
    assert asked()["remote"] == (True, "none: inbox/ is given to here alone")
    there, params = tmp_path / "there", checkout / "params.yaml"
    params.write_text(params.read_text().replace("remote: null ", f"remote: file://{there} "))
    assert "there: not found, or no folder; check the address in params.yaml" in only(asked(), "remote")
    there.mkdir()
    (there / "a.jsonl").write_text("{}\n")
    assert asked()["remote"][1].startswith(f"file://{there}: 1 batches; ")


def test_up_starts_nothing_with_a_fault_in_params(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Patch
) -> None:
    monkeypatch.setattr("openautoglm.commands.up.program", lambda words: pytest.fail(f"started {words}"))
    params = checkout / "params.yaml"
    params.write_text(params.read_text().replace("  inbox: inbox ", "  inbox: s3://b/in "))
    with pytest.raises(SystemExit) as left:
        cli.main(["up"])
    assert left.value.code == 2
    assert "inbox is a folder here, found s3://b/in" in capsys.readouterr().err
