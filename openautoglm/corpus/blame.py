"""Which rows that were set aside their own batch answers for, and which only show what came or went elsewhere.

A batch that was accepted must not be refused later. How frequent a label is, later batches decide as well, and so do
rows that were forgotten: a label that had five documents may have four now. Every other fault of a row is there when
its batch arrives and stays what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from openautoglm.corpus.expectations import Finding
from openautoglm.corpus.labels import misspelt_labels
from openautoglm.corpus.measures import counts

BY_FREQUENCY = ("label_spelling", "label_support")  # rules that a row breaks by how many others there are


def blamed_rows(
    findings: Sequence[Finding], frame: pd.DataFrame, newest: int, min_per_class: int, forgotten: int
) -> set[int]:
    """Rows of ``frame`` whose faults count for their batch's share.

    For its labels' frequency only the batch with the number ``newest`` answers, and only where a label would be in doubt with all
    ``forgotten`` rows as well.
    """
    own = {row for found in findings if _is_own(found) for row in found.rows}
    doubted = {row for found in findings if found.rule.reason and not _is_own(found) for row in found.rows}
    answering = frame[(frame["batch_number"] == newest) & frame["row"].isin(doubted)]
    if forgotten:
        labels = sorted(set(answering["label"]))
        excused = _excused(labels, frame[~frame["row"].isin(own)], min_per_class, forgotten)
        answering = answering[~answering["label"].isin(excused)]
    return own | set(answering["row"])


def _is_own(finding: Finding) -> bool:
    return bool(finding.rule.reason) and finding.rule.name not in BY_FREQUENCY


def _excused(labels: Sequence[str], frame: pd.DataFrame, min_per_class: int, forgotten: int) -> list[str]:
    """Those of ``labels`` that nobody would doubt if all ``forgotten`` rows had been theirs, in the train split."""
    train, everywhere = counts(frame.loc[frame["split"] == "train", "label"]), counts(frame["label"])
    excused = []
    for label in labels:
        before = {label: train.get(label, 0) + forgotten}
        more = {label: everywhere.get(label, 0) + forgotten}
        misspelt = misspelt_labels(train | before, everywhere | more, min_per_class)
        if label not in misspelt and before[label] >= min_per_class:
            excused.append(label)
    return excused
