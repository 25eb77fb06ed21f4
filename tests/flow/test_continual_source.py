"""`ingest.source`: what others drop there is taken by every door; one that is gone stops an explicit run alone."""

from __future__ import annotations

import sys

import pytest
from chain import continual, is_sound, states
from project import ToyProject

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
