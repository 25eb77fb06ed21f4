"""`autoglm forget` on a toy checkout: what goes where, what is told, and what a kill leaves to do."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from project import FIRST, ToyProject, fates

CLI = (sys.executable, "-m", "openautoglm.cli")
ASKED = ("--ids", "ids", "--reason", "asked for")


def rows(*ids: str) -> str:
    return "".join(json.dumps({"id": i, "text": f"text of {i}", "label": "x"}) + "\n" for i in ids)


def log_of(toy: ToyProject) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((toy.root / "releases/log").glob("*.json"))]


def holding(toy: ToyProject, text: str) -> list[Path]:
    """Files of the checkout that hold ``text``, but for the list of ids that we gave and git's."""
    files = [path for path in toy.root.rglob("*") if path.is_file() and ".git/" not in f"{path}"]
    return [path for path in files if path.name != "ids" and text.encode() in path.read_bytes()]


@pytest.fixture(scope="module")
def learnt(api_url: str, tmp_path_factory: pytest.TempPathFactory) -> ToyProject:
    """A checkout that learnt two batches one after the other; ``ids`` names two documents of the second."""
    toy = ToyProject.create(tmp_path_factory.mktemp("two") / "toy", api_url)
    (toy.root / FIRST).unlink()
    for number, ids in enumerate((("a1", "a2"), ("b1", "b2", "b3"))):
        (toy.root / f"new{number}.jsonl").write_text(rows(*ids))
        toy.run(*CLI, "run", "--add", f"new{number}.jsonl")
        (toy.root / f"new{number}.jsonl").unlink()
    (toy.root / "ids").write_text("b1\nb3\n")
    return toy


@pytest.fixture
def two(learnt: ToyProject, tmp_path: Path) -> ToyProject:
    """A copy of it, to do with as one likes."""
    return learnt.copied(tmp_path / "toy")


def test_they_are_out_of_everything_and_a_release_without_them_is_in_service(two: ToyProject) -> None:
    (two.root / "reports/report.html").write_text("text of b1")
    said = json.loads(two.run(*CLI, "forget", *ASKED, "--json").partition("\n{")[2].join(["{", ""]))

    assert said["documents"] == 2
    assert said["release"].startswith("v000003")
    assert said["objects"] > 0
    assert said["fine_tuned_on_them"] == said["before"], "a toy release is a fine-tuned one"
    assert holding(two, "text of b1") == []
    assert holding(two, "text of b2") != []
    assert not list(two.root.glob(".autoglm/train/*"))
    entry = log_of(two)[-1]
    assert (entry["kind"], entry["documents"], entry["why"]) == ("forget", 2, "asked for")
    assert "b1" not in map(str, entry.values())
    status = two.run(sys.executable, "-c", "from openautoglm.loop import *; from pathlib import Path; "
                     "l = Ledger(Path('.autoglm/ledger.db')); print([b.state for b in l.batches()], *l.wanted())")  # fmt: skip
    assert status.split() == ["['published',", "'published']", "retrain"]
    assert "up to date" in two.status()

    again = two.run(*CLI, "forget", *ASKED)
    assert fates(again) == {}
    assert len(log_of(two)) == entry["number"]
    unknown = two.run(*CLI, "forget", "--ids", "params.yaml", "--reason", "oops", code=2)
    assert "are in no batch of the inbox" in unknown
    assert "nothing has changed" in unknown


def test_killed_before_the_caches_are_cleared_the_same_command_ends_it(two: ToyProject) -> None:
    two.run(*CLI, "forget", *ASKED, code=137, TOY_KILL="purge")
    assert list(two.root.glob(".autoglm/train/*"))
    two.run(*CLI, "forget", *ASKED)

    assert not list(two.root.glob(".autoglm/train/*"))
    assert holding(two, "text of b1") == []
    assert [entry["kind"] for entry in log_of(two)] == ["publish"] * 3 + ["forget"]
    assert log_of(two)[-1]["documents"] == 2


# flows.forget in a process that kills itself as it enters the function named by its first argument
MORTAL = """
import importlib, os, signal, sys
where, _, name = sys.argv[1].partition(":")
setattr(importlib.import_module(where), name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
from flows import forget
from flows.begin import shell
sys.exit(shell(lambda: forget.forget(os.path.abspath("ids"), "asked for")))
"""


@pytest.mark.parametrize(
    "point",
    [
        "openautoglm.corpus.inbox:exchange",
        "flows.forget:stages",
        pytest.param("flows.forget:note", marks=pytest.mark.slow),
    ],
)
def test_killed_on_the_way_it_is_told_and_finished_without_the_ids(two: ToyProject, point: str) -> None:
    two.run(sys.executable, "-c", MORTAL, point, code=-signal.SIGKILL)
    (two.root / "ids").unlink()
    (two.root / "constraints.txt").touch()  # which doctor reads
    told = json.loads(two.run(*CLI, "status", "--json"))["forget"]
    assert (told["documents"], told["why"], told["finish"]) == (2, "asked for", "autoglm forget --finish")
    rows = {row["check"]: row for row in json.loads(two.run(*CLI, "doctor", "--json", code=1))}
    assert not rows["forget"]["ok"]
    assert "2 documents, asked for at" in rows["forget"]["found"]
    assert "`autoglm forget --finish` ends it" in rows["forget"]["found"]

    two.run(*CLI, "forget", "--finish")
    assert "\nforget " not in two.run(*CLI, "status")
    assert holding(two, "text of b1") == []
    assert holding(two, "text of b2") != []
    assert not list(two.root.glob("inbox/.incoming.*"))
    assert [entry["kind"] for entry in log_of(two)] == ["publish"] * 3 + ["forget"]
    assert (log_of(two)[-1]["documents"], log_of(two)[-1]["release"][:7]) == (2, "v000003")


def test_a_refused_release_is_told_and_the_rest_is_done(two: ToyProject) -> None:
    two.edit("params.yaml", "min_accuracy: 0.5 ", "min_accuracy: 0.95 ")
    said = two.run(*CLI, "forget", *ASKED, code=1)

    assert "stays in service, and it knows the documents" in said
    assert holding(two, "text of b1") == []
    assert log_of(two)[-1]["release"] is None
