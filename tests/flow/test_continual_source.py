"""`ingest.source` and `ingest.remote`: what others give there is taken by every door; one that is gone stops an explicit run alone."""

from __future__ import annotations

import json
import sys

import pytest
from chain import continual, is_sound, states
from project import FIRST, ToyProject

from openautoglm.corpus import inbox

CLI = (sys.executable, "-m", "openautoglm.cli")


@pytest.fixture
def sourced(toy: ToyProject) -> ToyProject:
    """A checkout with a source beside it, where one batch lies."""
    toy.edit("params.yaml", "source: null ", f"source: file://{toy.root.parent}/there ")
    drop(toy, "two")
    return toy


def drop(toy: ToyProject, name: str) -> None:
    there = toy.root.parent / "there"
    there.mkdir(exist_ok=True)
    (there / f"{name}.jsonl").write_text(f'{{"text": "{name}", "label": "x"}}\n')


def test_every_door_takes_what_lies_there(sourced: ToyProject) -> None:
    said = continual(sourced)
    assert "0002-two-" in said
    assert "came from file://" in said
    drop(sourced, "three")
    assert "watching inbox/ and file://" in sourced.run(sys.executable, "-m", "flows.watch", "--once")
    is_sound(sourced)
    drop(sourced, "four")
    sourced.run(*CLI, "run")
    assert [name[:8] for name in inbox.names(sourced.root / "inbox")[1:]] == [
        "0002-two",
        "0003-thr",
        "0004-fou",
    ]
    assert "up to date" in sourced.status(), "what is remembered of the source is no input"


def test_a_source_that_is_gone(sourced: ToyProject) -> None:
    sourced.edit("params.yaml", "/there ", "/gone ")
    refused = sourced.run(*CLI, "run", code=2)
    assert refused.splitlines()[-1].startswith("error: file://")
    assert "/gone: not found" in refused

    assert "warning: ingest.source: file://" in continual(sourced), "the loop goes on"
    assert states(sourced) == ["published"]


@pytest.fixture
def shared(toy: ToyProject) -> tuple[ToyProject, ToyProject]:
    """Two empty checkouts with one remote; the second is the laptop of somebody who only gives."""
    (toy.root / FIRST).unlink()
    (toy.root.parent / "remote").mkdir()
    toy.edit("params.yaml", "remote: null ", f"remote: file://{toy.root.parent}/remote ")
    return toy, toy.copied(toy.root.parent / "laptop")


def test_what_a_laptop_gives_is_learnt_where_the_pipeline_runs(shared: tuple[ToyProject, ToyProject]) -> None:
    pipeline, laptop = shared
    remote = pipeline.root.parent / "remote"
    (laptop.root / "given.jsonl").write_text(rows("a", "b"))
    said = laptop.run(*CLI, "ingest", "given.jsonl")
    assert f"went to file://{remote}" in said
    (sent,) = [path.name for path in remote.glob("given-*")]

    assert f"came from file://{remote}" in continual(pipeline)
    is_sound(pipeline)
    assert inbox.names(pipeline.root / "inbox")[-1].endswith(sent)

    (pipeline.root / "ids").write_text("a\n")
    said = pipeline.run(*CLI, "forget", "--ids", "ids", "--reason", "asked for", code=None)
    assert f"file://{remote} has them no more" in said
    (left,) = remote.glob("given-*")
    assert left.name != sent
    assert left.read_text() == rows("b")


def rows(*ids: str) -> str:
    return "".join(json.dumps({"id": one, "text": f"text of {one}", "label": "x"}) + "\n" for one in ids)


def test_a_batch_that_is_set_aside_lies_aside_at_the_remote(shared: tuple[ToyProject, ToyProject]) -> None:
    pipeline, _ = shared
    remote, poison = pipeline.root.parent / "remote", '{"text": "damaged", "label": "x"}\n'
    (remote / "bad.jsonl").write_text(poison)
    (remote / "good.jsonl").write_text(rows("good"))
    continual(pipeline)
    assert sorted(path.name for path in remote.iterdir()) == ["_aside", "good.jsonl"]
    assert (remote / "_aside/bad.jsonl").read_text() == poison
    assert "1 row is damaged" in (remote / "_aside/bad.jsonl.why.txt").read_text()


def test_a_remote_that_is_gone(shared: tuple[ToyProject, ToyProject]) -> None:
    pipeline, _ = shared
    (pipeline.root / "given.jsonl").write_text(rows("a"))
    (pipeline.root.parent / "remote").rmdir()
    refused = pipeline.run(*CLI, "ingest", "given.jsonl", code=2)
    assert refused.startswith("error: file://")
    assert "remote: not found, or no folder; check the address in params.yaml" in refused
    assert not inbox.names(pipeline.root / "inbox"), "nothing was written"
    assert pipeline.run(*CLI, "run", code=2).splitlines()[-1].startswith("error: file://")
    assert "warning: ingest.remote: file://" in continual(pipeline), "the loop goes on"

    entry = inbox.put(pipeline.root / "inbox", str(pipeline.root / "given.jsonl"))
    (pipeline.root / "ids").write_text("a\n")
    refused = pipeline.run(*CLI, "forget", "--ids", "ids", "--reason", "asked for", code=2)
    assert "remote: not found" in refused.splitlines()[-1]
    assert entry.read_text() == rows("a"), "nothing has changed"
