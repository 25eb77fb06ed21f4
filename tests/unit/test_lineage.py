"""Which release the next model goes on from, and what it reads."""

from __future__ import annotations

from typing import Any

import pytest

from openautoglm.release import Release
from tasks.lineage import choose


def made_of(*entries: str, parent: str | None = "v1") -> Release:
    facts: dict[str, Any] = {"data": {"entries": list(entries)}, "params": {"train": {"parent": parent}}}
    return Release(2, "v1", {}, None, facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("batches", "parent"),
    [
        ({"1", "2", "3"}, "head"),  # one more batch: on from the release in service
        ({"1", "2"}, "v1"),  # a batch came and was taken away again: as it was
        ({"1", "3"}, None),  # something it learnt is gone: from the backbone
    ],
)
def test_the_parent(batches: set[str], parent: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Release, "id", "head")
    assert choose(made_of("1", "2"), batches)[0] == parent


def test_without_a_head_or_its_entries_from_the_backbone() -> None:
    assert choose(None, {"1"})[0] is None
    unknown = Release(2, "v1", {}, None, {"data": {}, "params": {"train": {}}})  # type: ignore[arg-type]
    assert choose(unknown, {"1"})[0] is None
