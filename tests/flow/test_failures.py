"""What goes wrong: transient errors, users' faults, refused candidates, kill -9, two doors at once."""

from __future__ import annotations

import json
import signal
import sys
import urllib.request
from collections.abc import Callable

import psutil
import pytest
from project import FIRST, ToyProject, fates

PIPELINE = (sys.executable, "-m", "flows.pipeline")
Eventually = Callable[[Callable[[], object]], None]


def test_a_transient_error_is_tried_again(toy: ToyProject) -> None:
    (toy.root / "fault").write_text("once")
    said = toy.flow()

    assert "the network went away" in said
    assert fates(said)["ingest"] == "ran"
    assert "up to date" in toy.status()


def test_a_users_fault_is_one_line_exit_code_2_and_never_tried_again(toy: ToyProject) -> None:
    (toy.root / "fault").write_text("always")
    said = toy.flow(code=2)

    assert "error: inbox/a.txt: not a table, found a poem; give JSONL, CSV or Parquet" in said
    assert "Traceback" not in said
    assert "will retry" not in said.lower()
    assert "found a poem" in toy.repro(code=255)


def test_an_empty_inbox_says_what_to_do(toy: ToyProject) -> None:
    (toy.root / FIRST).unlink()

    assert "autoglm run --data" in toy.flow(code=2)


def test_evaluate_and_export_run_side_by_side_and_one_that_fails_costs_the_other_nothing(
    toy: ToyProject,
) -> None:
    (toy.root / "meet").touch()
    (toy.root / "unconvertible").touch()
    assert "error: export: this graph cannot be converted; use another" in toy.flow(code=2)
    (toy.root / "unconvertible").unlink()
    assert fates(toy.flow()) == {"export": "ran", "publish": "ran"}
    assert toy.calls().count("export") == 2


def test_a_refused_candidate_is_exit_code_1_and_leaves_the_release(ran: ToyProject) -> None:
    pointer = (ran.root / "releases/channels/stable.json").read_text()
    ran.edit("params.yaml", "min_accuracy: 0.5 ", "min_accuracy: 0.95 ")
    said = ran.flow(code=1)

    assert "error: not published: accuracy: 0.9" in said
    assert (ran.root / "releases/channels/stable.json").read_text() == pointer
    assert "not published" in ran.flow(code=1), "it stays refused when everything is cached"


def test_kill_9_in_train_resumes_to_the_same_weights(
    toy: ToyProject, ready: ToyProject, eventually: Eventually
) -> None:
    process = toy.start(*PIPELINE, TOY_EPOCH_SECONDS="1.5")
    eventually(lambda: list(toy.root.glob(".autoglm/train/*/state.json")))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    said = toy.flow()

    assert set(fates(said)) == {"train", "evaluate", "export", "publish"}
    assert next(call for call in toy.calls() if call.startswith("train")) == "train from 0"
    assert "train from 0" not in toy.calls()[2:]
    assert (toy.root / "models/checkpoint/model.safetensors").read_bytes() == (
        ready.root / "models/checkpoint/model.safetensors"
    ).read_bytes()
    assert "its process is gone" in said
    assert _count(toy.api_url, "CRASHED") >= 1
    assert _count(toy.api_url, "RUNNING") == 0


def test_two_doors_at_once_train_once(toy: ToyProject, eventually: Eventually) -> None:
    dvc = toy.start("dvc", "repro", TOY_EPOCH_SECONDS="1")
    eventually(lambda: any(call.startswith("train") for call in toy.calls()))
    toy.flow()
    said, _ = dvc.communicate(timeout=60)

    assert dvc.returncode == 0, said
    assert toy.calls().count("train from 0") == 1
    assert "up to date" in toy.status()


def test_asking_why_while_a_run_is_at_work(toy: ToyProject, eventually: Eventually) -> None:
    dvc = toy.start("dvc", "repro", TOY_EPOCH_SECONDS="20")
    eventually(lambda: any(call.startswith("train") for call in toy.calls()))
    said = toy.run(sys.executable, "-m", "tasks", "why", "train", code=1)
    assert said.splitlines()[-1] == "why: a run is at work; try again when it is done"
    assert "Traceback" not in said
    assert "a run is at work on them" in toy.run(sys.executable, "-m", "openautoglm.cli", "status")
    for process in (*psutil.Process(dvc.pid).children(recursive=True), dvc):
        process.kill()
    dvc.communicate()


def test_a_new_batch_trains_on_from_the_release_and_a_removed_one_does_not(ran: ToyProject) -> None:
    first = json.loads((ran.root / "models/release.json").read_text())
    (ran.root / "inbox/0002-b-5ba7a52d.jsonl").write_text("three\n")
    said = ran.flow()

    second = json.loads((ran.root / "models/release.json").read_text())
    assert f"train.parent: null -> {first['id']}" in said
    assert second["parent"] == first["id"]
    assert "up to date" in ran.status()
    assert fates(ran.flow()) == {}, "a published release is no reason to train again"

    (ran.root / FIRST).unlink()
    assert "-> null" in ran.flow()


@pytest.mark.slow
@pytest.mark.parametrize(("by", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_without_a_server_a_signal_ends_the_flow_and_its_temporary_server(
    toy: ToyProject, eventually: Eventually, by: signal.Signals, code: int
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else what a background job starts ignores it
    toy.api_url = ""
    process = toy.start(*PIPELINE, TOY_EPOCH_SECONDS="1.5")
    eventually(lambda: list(toy.root.glob(".autoglm/train/*/state.json")))
    (server,) = _temporary_servers(process.pid)
    process.send_signal(by)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == code, said
    assert "Traceback" not in said
    eventually(lambda: not server.is_running())


def _temporary_servers(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children() if "uvicorn" in child.cmdline()]


def _count(api_url: str, kind: str) -> int:
    body = json.dumps({"flow_runs": {"state": {"type": {"any_": [kind]}}}}).encode()
    request = urllib.request.Request(f"{api_url}/flow_runs/count", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(json.load(answer))
