"""The command line: help with an example everywhere, one line for a fault, exit codes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from openautoglm import cli
from openautoglm.commands import _checkout
from openautoglm.files import LEDGER
from openautoglm.loop import hold
from openautoglm.release import ReleaseStore
from tests.unit.release.samples import publish_next

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = cli.Commands().list_commands(click.Context(cli.group))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("flows", "tasks"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Programs that a command would have started."""
    calls: list[tuple[str, ...]] = []

    def record(folder: Path, *arguments: str) -> int:
        calls.append(arguments)
        return 0

    monkeypatch.setattr(_checkout, "python", record)
    return calls


def leave(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(name, "--help") == 0
    said = capsys.readouterr().out
    assert f"autoglm {name}" in said.partition("Example")[2]


def test_help_is_quick_and_imports_nothing_slow() -> None:
    check = (
        "import sys; from openautoglm import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'transformers', 'mlflow', 'prefect', 'dvc', 'pandas', 'onnxruntime'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def test_outside_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert leave("run") == 2
    assert "not in an Open-AutoGLM checkout" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["versions"], ["verify"], ["gc"], ["status"]])
def test_the_checkout_is_found_from_below(
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    from openautoglm.commands import status

    monkeypatch.setattr(status, "_stages", lambda folder: {})  # needs the checkout's own tasks
    (checkout / "docs/img").mkdir(parents=True)
    monkeypatch.chdir(checkout / "docs/img")

    assert leave(*arguments) == 0
    told = capsys.readouterr().out
    assert str(checkout / "releases") in told or arguments[0] in ("gc", "status")


def test_without_a_checkout_a_store_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert leave("versions") == 2
    assert "which store?" in capsys.readouterr().err


def test_run_changes_params_fills_the_inbox_and_starts_the_flow(
    checkout: Path, started: list[tuple[str, ...]]
) -> None:
    batch = checkout / "tickets.jsonl"
    batch.write_text('{"id": "1", "text": "hello there", "label": "greeting"}\n')

    assert leave("run", "--data", "tickets.jsonl", "--set", "train.epochs=2") == 0
    assert started == [("-m", "flows.pipeline")]
    assert [path.name[:12] for path in (checkout / "inbox").iterdir()] == ["0001-tickets"]
    assert "epochs: 2 " in (checkout / "params.yaml").read_text()


@pytest.mark.parametrize(
    "fault",
    [
        ("--data", "good.jsonl", "--data", "typo.jsonl"),
        ("--data", "good.jsonl", "--add", "typo.jsonl"),
        ("--data", "good.jsonl", "--stream", "good.jsonl", "typo.jsonl"),
        ("--data", "good.jsonl", "--set", "train.epochs=many"),
        ("--data", "typo.jsonl", "--set", "train.epochs=2"),
    ],
)
def test_a_fault_anywhere_changes_nothing(
    checkout: Path, started: list[tuple[str, ...]], fault: tuple[str, ...]
) -> None:
    row = '{{"id": "{0}", "text": "text {0}", "label": "x"}}\n'
    for name in ("mine", "good"):
        (checkout / f"{name}.jsonl").write_text(row.format(name))
    assert leave("ingest", "mine.jsonl") == 0
    before = ((checkout / "params.yaml").read_bytes(), sorted((checkout / "inbox").iterdir()))

    assert leave("run", *fault) == 2
    assert ((checkout / "params.yaml").read_bytes(), sorted((checkout / "inbox").iterdir())) == before
    assert leave("ingest", "good.jsonl", "typo.jsonl") == 2
    assert sorted((checkout / "inbox").iterdir()) == before[1]
    assert not started


@pytest.mark.parametrize("data", ["", "<html>\n"])
@pytest.mark.parametrize("words", [("ingest",), ("run", "--add"), ("run", "--data")])
def test_a_file_that_is_no_batch_stays_out(
    checkout: Path,
    started: list[tuple[str, ...]],
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    data: str,
) -> None:
    (checkout / "bad.jsonl").write_text(data)
    (checkout / "good.jsonl").write_text('{"text": "hello there", "label": "greeting"}\n')

    assert leave(*words, "good.jsonl", *(() if words == ("ingest",) else words[1:]), "bad.jsonl") == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"error: {checkout}/bad.jsonl: ")
    assert not (checkout / "inbox").exists()
    assert not started


def test_the_inbox_that_is_set_is_the_one_that_is_filled(
    checkout: Path, started: list[tuple[str, ...]]
) -> None:
    (checkout / "a.jsonl").write_text('{"id": "1", "text": "hello there", "label": "greeting"}\n')

    assert leave("run", "--data", "a.jsonl", "--set", "ingest.inbox=other") == 0
    assert [path.name[:6] for path in (checkout / "other").iterdir()] == ["0001-a"]


def test_params_and_inbox_are_not_changed_under_a_run(
    checkout: Path, started: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "a.jsonl").write_text('{"id": "1", "text": "hello there", "label": "greeting"}\n')
    before = (checkout / "params.yaml").read_bytes()
    with hold(checkout / LEDGER, "nightly"):
        for words in (("--set", "train.epochs=2"), ("--data", "a.jsonl")):
            assert leave("run", *words) == 1
            assert "nightly is training; try again later" in capsys.readouterr().err
        assert leave("run", "--add", "a.jsonl") == 0, "a batch may arrive at any time"
    assert (checkout / "params.yaml").read_bytes() == before
    assert started == [("-m", "flows.pipeline")]


def test_a_parent_that_was_given_is_kept(checkout: Path, started: list[tuple[str, ...]]) -> None:
    assert leave("run", "--set", "train.parent=null") == 0
    assert started == [("-m", "flows.pipeline", "--keep-parent")]


def test_stream_runs_after_each_batch(checkout: Path, started: list[tuple[str, ...]]) -> None:
    for name in ("a", "b"):
        (checkout / f"{name}.jsonl").write_text(f'{{"id": "{name}", "text": "text {name}", "label": "x"}}\n')

    assert leave("run", "--stream", "a.jsonl", "b.jsonl") == 0
    assert started == [("-m", "flows.pipeline", "--then", str(checkout / "b.jsonl"))]
    assert leave("run", "a.jsonl") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--set", "train.epochs"), "expected section.key=value"),
        (("run", "--set", "train.epoch=2"), "did you mean train.epochs?"),
        (("run", "--data", "nowhere.jsonl"), "nowhere.jsonl"),
        (("run", "--dat", "x"), "No such option"),
        (("fly",), "No such command"),
    ],
)
def test_a_users_fault_is_exit_code_2(
    checkout: Path,
    started: list[tuple[str, ...]],
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert leave(*arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not started


@pytest.mark.parametrize("words", [("pull", "--to", "params.yaml"), ("serve", "--to", "/dev/null/x")])
def test_a_path_that_is_no_folder_is_one_line(
    checkout: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    publish_next(ReleaseStore(checkout / "releases"), checkout, 0)
    assert leave(*words) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"error: {words[-1]}")
    assert said[0].endswith("Not a directory")


def test_a_damaged_ledger_says_what_to_do(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / LEDGER).parent.mkdir()
    (checkout / LEDGER).write_bytes(b"no database " * 1000)
    assert leave("status") == 1
    said = capsys.readouterr().err
    assert "ledger.db: damaged: file is not a database; while no run is at work, move it away" in said


def test_a_failing_program_hands_its_exit_code_on(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for code, expected in ((1, 1), (2, 2), (-9, 137)):
        monkeypatch.setattr(_checkout, "python", lambda folder, *arguments, code=code: code)
        assert leave("run") == expected


def test_demo_leaves_other_data_alone(
    checkout: Path, started: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "inbox").mkdir()
    (checkout / "inbox/0001-mine-00000000.jsonl").write_text("{}\n")

    assert leave("demo") == 2
    assert "the inbox holds other data than the sample: found 0001-mine" in capsys.readouterr().err
    assert not started


@pytest.mark.parametrize(
    ("words", "program"),
    [
        (("run", "--dry-run"), ("flows.pipeline", "--dry-run")),
        (("run", "--force", "--reason", "why"), ("flows.pipeline", "--force", "why")),
        (("watch", "--once"), ("flows.watch", "--every", "5", "--once")),
        (("retrain", "--why", "autumn"), ("flows.retrain", "--why", "autumn")),
        (("checkout", "v2", "--force"), ("tasks", "checkout", "v2", "--force")),
    ],
)
def test_a_command_starts_its_program(
    checkout: Path, started: list[tuple[str, ...]], words: tuple[str, ...], program: tuple[str, ...]
) -> None:
    assert leave(*words) == 0
    assert started == [("-m", *program)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "--force"), "--force needs a reason"),
        (("run", "--reason", "x"), "--reason is that of --force"),
        (("run", "--force", "--reason", "x", "--dry-run"), "give one of them"),
        (("forget", "--ids", "nowhere", "--reason", "x"), "nowhere: not found"),
        (("forget", "--ids", "params.yaml", "--reason", " "), "needs a reason"),
        (("forget", "--reason", "x"), "which documents?"),
        (("forget", "--finish", "--reason", "x"), "give it alone"),
    ],
)
def test_what_needs_a_reason_or_a_file_says_so(
    checkout: Path,
    started: list[tuple[str, ...]],
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    assert leave(*words) == 2
    assert message in capsys.readouterr().err
    assert not started
