"""Which release the next model goes on from."""

from __future__ import annotations

import pytest

from tasks.lineage import _choose

MADE = {"batches": ["1", "2"], "parent": "v1"}


@pytest.mark.parametrize(
    ("learnt", "batches", "parent"),
    [
        (MADE, {"1", "2", "3"}, "v2"),  # one more batch: on from the release in service
        (MADE, {"1", "2"}, "v1"),  # a batch came and was taken away again: as it was
        (MADE, {"1", "3"}, None),  # something it learnt is gone: from the backbone
        (None, {"1"}, None),  # nothing is in service, or nobody knows what it learnt
    ],
)
def test_the_parent(learnt: dict[str, object] | None, batches: set[str], parent: str | None) -> None:
    assert _choose("v2", learnt, batches)[0] == parent
