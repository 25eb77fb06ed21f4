"""A corpus as it was ingested → the clean documents, the rows set aside with their reasons, and the verdict.

    verdict = examine(table, params.validate_)
    verdict.ok, verdict.clean, verdict.quarantine, verdict.report

Later looks see only what earlier ones let through: a text that is missing is not also "too short", and a label is
counted on rows that may stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from openautoglm.corpus.aside import Aside
from openautoglm.corpus.blame import blamed_rows
from openautoglm.corpus.document import SCHEMA, Corpus
from openautoglm.corpus.drift import Drift, drift
from openautoglm.corpus.expectations import (
    Examination,
    Finding,
    allowed_rows,
    batch_rules,
    corpus_rules,
    relation_rules,
    row_rules,
)
from openautoglm.corpus.labels import misspelt_labels, rare_labels
from openautoglm.corpus.measures import counts, kept_in_one_split, measured, without_repeats
from openautoglm.corpus.verdict import BatchCount, details_of, message_of, report_of
from openautoglm.params import ValidateParams


@dataclass(frozen=True)
class Verdict:
    """What the examination came to. ``message`` is one line, and empty when the corpus may go on;
    ``details`` are the faults behind it, a line each."""

    clean: Corpus
    quarantine: pa.Table  # documents and `reason`
    report: dict[str, Any]
    message: str
    details: list[str]
    examination: Examination

    @property
    def ok(self) -> bool:
        return not self.message


def examine(
    rows: pa.Table,
    params: ValidateParams,
    out_of_scope: str | None = None,
    forgotten: Mapping[str, int] | None = None,
) -> Verdict:
    """``rows``: at least one, with the schema that ingest writes (:data:`openautoglm.corpus.read.RAW_SCHEMA`).

    ``out_of_scope``: label of documents that belong to no class. It may be rare in the train split, and is left out of it.
    ``forgotten``: {batch: rows that it had and was asked to forget}. No batch is refused for what these leave behind.
    """
    looking, aside = Examination(), Aside()
    whole = measured(rows)
    frame = without_repeats(whole)
    findings, clean = _rows(looking, frame, aside, params, out_of_scope)
    documents = Corpus(rows.select(SCHEMA.names).take(pa.array(clean["row"].to_list(), pa.int64())))
    forgotten = forgotten or {}
    newest, taken = int(whole["batch_number"].max()), sum(forgotten.values())
    blamed = blamed_rows(findings, frame, newest, params.min_per_class, taken)
    batches = _batches(whole, aside, blamed, forgotten, params)
    documents, left_out = _without_training_of(documents, out_of_scope)
    shift = _drift(documents, batches)
    findings += _whole(looking, clean[clean["label"] != out_of_scope], batches, shift, params)
    report = report_of(findings, aside, batches, shift) | {"repeated": len(whole) - len(frame)}
    if out_of_scope is not None:
        report["out_of_scope"] = {"label": out_of_scope, "left_out_of_training": left_out}
    message = message_of(findings, aside, batches, params)
    assert report["ok"] == (not message), "the verdict and its reasons must agree"
    details = details_of(findings, aside, batches)
    return Verdict(documents, aside.table(rows), report, message, details, looking)


def _rows(
    looking: Examination,
    frame: pd.DataFrame,
    aside: Aside,
    params: ValidateParams,
    out_of_scope: str | None,
) -> tuple[list[Finding], pd.DataFrame]:
    """Set single rows aside; (findings, the rows that stay)."""
    findings = looking.look("rows", frame, row_rules(frame, params))
    aside.take(frame, findings)
    frame = frame[~frame["row"].isin(list(aside.reasons))]
    if frame.empty:
        return findings, frame
    misspelt, rare = _doubtful_labels(frame[frame["label"] != out_of_scope], params)
    related = looking.look("relations", frame, relation_rules(frame, misspelt, rare, params))
    aside.take(frame, related, misspelt)
    return findings + related, frame[~frame["row"].isin(list(aside.reasons))]


def _whole(
    looking: Examination,
    clean: pd.DataFrame,
    batches: Sequence[BatchCount],
    shift: Drift | None,
    params: ValidateParams,
) -> list[Finding]:
    """The clean rows of some class together, and the batches."""
    share = clean["label"].map(clean["label"].value_counts(normalize=True)).astype(float)
    findings = (
        [] if clean.empty else looking.look("corpus", clean.assign(label_share=share), corpus_rules(params))
    )
    return findings + looking.look(
        "batches", _batch_frame(batches, shift), batch_rules(params, shift is not None)
    )


def _doubtful_labels(frame: pd.DataFrame, params: ValidateParams) -> tuple[dict[str, str], dict[str, int]]:
    """(misspelt label → the right one, rare label → its training documents) among rows that leakage lets stay."""
    staying = frame[kept_in_one_split(frame["text_key"], frame["split"], frame["batch_number"])]
    train = counts(staying.loc[staying["split"] == "train", "label"])
    everywhere = counts(frame["label"])
    return (
        misspelt_labels(train, everywhere, params.min_per_class),
        rare_labels(train, everywhere, params.min_per_class),
    )


def _without_training_of(documents: Corpus, label: str | None) -> tuple[Corpus, int]:
    """Without the train documents of ``label``, and how many those were: what is not there cannot be learnt."""
    if label is None:
        return documents, 0
    table = documents.table
    gone = pc.and_(pc.equal(table["label"], label), pc.equal(table["split"], "train"))
    kept = Corpus(table.filter(pc.invert(gone)))
    return kept, len(documents) - len(kept)


def _batches(
    frame: pd.DataFrame, aside: Aside, blamed: set[int], forgotten: Mapping[str, int], params: ValidateParams
) -> list[BatchCount]:
    """In order of arrival. Each batch is judged alone: damage must not hide behind a large corpus."""
    bad = counts(frame.loc[frame["row"].isin(list(aside.reasons)), "batch"])
    its_own = counts(frame.loc[frame["row"].isin(blamed), "batch"])
    batches = []
    for name, rows in counts(frame["batch"]).items():
        allowed = allowed_rows(rows + forgotten.get(name, 0), params)
        batches.append(BatchCount(name, rows, bad.get(name, 0), its_own.get(name, 0), allowed))
    return batches


def _drift(clean: Corpus, batches: Sequence[BatchCount]) -> Drift | None:
    """The newest batch against all others; None if there is nothing to compare."""
    is_new = pc.equal(clean.table["batch"], batches[-1].name)
    new, reference = Corpus(clean.table.filter(is_new)), Corpus(clean.table.filter(pc.invert(is_new)))
    return drift(reference, new, batches[-1].name) if len(new) and len(reference) else None


def _batch_frame(batches: Sequence[BatchCount], shift: Drift | None) -> pd.DataFrame:
    """One row a batch; the newest one's drift stands in the last row."""
    frame = pd.DataFrame(
        {
            "row": range(len(batches)),
            "doc_id": [batch.name for batch in batches],  # what GX shows of an offending row
            "rows": [batch.rows for batch in batches],
            "set_aside": [batch.blamed for batch in batches],
            "may_be_set_aside": [batch.allowed for batch in batches],
        }
    )
    for name in ("label_psi", "length_psi", "oov") if shift else ():
        frame[name] = [*[float("nan")] * (len(batches) - 1), getattr(shift, name)]
    return frame
