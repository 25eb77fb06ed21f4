"""What a corpus must be: the Great Expectations suites, in code, and what they found as plain `Finding`s.

Three suites look at rows, and each at the rows that the ones before let through: what a row is by itself (`rows`), how
rows stand to each other (`relations`), then the corpus as a whole (`corpus`) and each batch (`batches`). A row rule is
broken by single rows, which are set aside; the other rules are broken by the corpus, and stop the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.expectations.row_conditions import Column

from openautoglm.corpus.custom_expectations import ExpectColumnValuesNotToRepeat, ExpectTextsToStayInOneSplit
from openautoglm.corpus.document import SCHEMA, SPLITS
from openautoglm.params import ValidateParams

_RESULT = {"result_format": "COMPLETE", "unexpected_index_column_names": ["row", "doc_id"]}


@dataclass(frozen=True)
class Rule:
    """One expectation under the name that users meet, and what it says of a row that breaks it."""

    name: str
    expectation: Any
    reason: str = ""  # empty: not a rule about single rows
    detail: str | None = None  # the column of the frame that shows what is wrong
    bound: float | str | None = None
    limit: str = ""  # the bound in words, with the param that sets it


@dataclass(frozen=True)
class Finding:
    """How one rule came out. ``rows`` are numbers of rows in the frame that was looked at."""

    rule: Rule
    ok: bool
    observed: object
    rows: tuple[int, ...]


def allowed_rows(rows: int, params: ValidateParams) -> int:
    """Rows of ``rows`` that may be set aside: the share, rounded up to whole rows."""
    return ceil(params.max_quarantined * rows)


def row_rules(frame: pd.DataFrame, params: ValidateParams) -> list[Rule]:
    """What each row must be by itself."""
    allowed = allowed_rows(len(frame), params)
    whole = Column(
        "fault"
    ).is_null()  # a row that could not be read says so, and is not blamed for what it lacks

    def tolerating(column: str) -> float:
        # GX counts shares of the rows with a value; half a row keeps the comparison clear of rounding
        return max(0.0, 1.0 - (allowed + 0.5) / max(1, int(frame[column].notna().sum())))

    def no_fault(kind: str) -> Any:
        pattern = f"(?:^|; ){kind}"
        return gxe.ExpectColumnValuesToNotMatchRegex(
            column="fault", regex=pattern, mostly=tolerating("fault")
        )

    def present(column: str) -> Any:
        share = max(0.0, 1.0 - (allowed + 0.5) / max(1, int(frame["fault"].isna().sum())))
        return gxe.ExpectColumnValuesToNotBeNull(column=column, row_condition=whole, mostly=share)

    def within(column: str, **bounds: float) -> Any:
        return gxe.ExpectColumnValuesToBeBetween(column=column, mostly=tolerating(column), **bounds)

    return [
        Rule("schema", gxe.ExpectTableColumnsToMatchSet(column_set=SCHEMA.names, exact_match=False)),
        Rule("row_count", gxe.ExpectTableRowCountToBeBetween(min_value=1), bound=1),
        Rule("rows_readable", no_fault("unreadable row"), "unreadable row", "fault"),
        Rule("columns_present", no_fault("column missing"), "column missing", "fault"),
        Rule("value_types", no_fault("wrong type"), "wrong type", "fault"),
        Rule("split_names", no_fault("unknown split"), "unknown split", "fault"),
        Rule("text_present", present("text"), "text missing"),
        Rule("label_present", present("label"), "label missing", "text"),
        Rule(
            "text_not_too_short",
            within("characters", min_value=params.min_chars),
            "text too short",
            "text",
            bound=params.min_chars,
        ),
        Rule(
            "text_not_too_long",
            within("words", max_value=params.max_words),
            "text too long",
            "words",
            bound=params.max_words,
        ),
        Rule("encoding", within("broken_characters", max_value=0), "broken encoding", "text", bound=0),
        Rule(
            "unique_ids",
            ExpectColumnValuesNotToRepeat(
                column="given_id",
                mostly=tolerating("given_id"),
                description="No id comes a second time (up to the share that may be set aside).",
            ),
            "duplicate id",
            "text",
        ),
        Rule(
            "one_label",
            gxe.ExpectColumnValuesToBeNull(
                column="conflict",
                mostly=max(0.0, 1.0 - (allowed + 0.5) / max(1, len(frame))),
                description="No text without an id has two labels (up to the share that may be set aside).",
            ),
            "label conflict",
            "conflict",
        ),
    ]


def relation_rules(
    frame: pd.DataFrame, misspelt: Mapping[str, str], rare: Mapping[str, int], params: ValidateParams
) -> list[Rule]:
    """How the rows stand to each other; ``frame`` holds the rows that :func:`row_rules` let through."""
    mostly = max(0.0, 1.0 - (allowed_rows(len(frame), params) + 0.5) / max(1, len(frame)))
    return [
        Rule(
            "leakage",
            ExpectTextsToStayInOneSplit(
                column_list=["text_key", "split", "batch_number"],
                mostly=mostly,
                description="No text is in two splits (up to the share that may be set aside).",
            ),
            "leakage: the same text is in another split",
            "text",
        ),
        Rule(
            "label_spelling",
            gxe.ExpectColumnValuesToNotBeInSet(column="label", value_set=sorted(misspelt), mostly=mostly),
            "label misspelt",
            "label",
        ),
        Rule(
            "label_support",
            gxe.ExpectColumnValuesToNotBeInSet(
                column="label", value_set=sorted(set(rare) - set(misspelt)), mostly=mostly
            ),
            "label too rare to learn",
            "label",
            bound=params.min_per_class,
        ),
    ]


def corpus_rules(params: ValidateParams) -> list[Rule]:
    """What the clean rows must be together; the frame has ``label_share``, each row's label's share of all rows."""
    return [
        Rule(
            "splits_filled",
            gxe.ExpectColumnDistinctValuesToContainSet(column="split", value_set=list(SPLITS)),
            bound=", ".join(SPLITS),
            limit="every split needs documents; raise ingest.valid_share or test_share, or bring the split",
        ),
        Rule(
            "label_count",
            gxe.ExpectColumnUniqueValueCountToBeBetween(column="label", min_value=2),
            bound=2,
            limit="a classifier needs at least 2 labels; see ingest.columns.label",
        ),
        Rule(
            "class_balance",
            gxe.ExpectColumnMaxToBeBetween(column="label_share", max_value=params.max_class_share),
            bound=params.max_class_share,
            limit=f"validate.max_class_share is {params.max_class_share:g}",
        ),
    ]


def batch_rules(params: ValidateParams, drift: bool) -> list[Rule]:
    """What each batch must be: one row a batch, with the rows set aside and allowed, and the newest one's drift."""
    rules = [
        Rule(
            "quarantine_share",
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="may_be_set_aside", column_B="set_aside", or_equal=True
            ),
            bound=params.max_quarantined,
        )
    ]
    bounds = {
        "label_psi": params.max_label_psi,
        "length_psi": params.max_length_psi,
        "oov": params.max_oov,
    }
    return rules + [
        Rule(
            f"drift_{name}",
            gxe.ExpectColumnMaxToBeBetween(column=name, max_value=bound),
            bound=bound,
            limit=f"validate.max_{name} is {bound:g}",
        )
        for name, bound in bounds.items()
        if drift
    ]


class Examination:
    """Runs rules on frames, in one throw-away GX context, and keeps what Data Docs need.

    GX's own results hold ids and times; a `Finding` holds none, so that whatever is written from findings is the same
    for the same data.
    """

    def __init__(self) -> None:
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        self._source = self._context.data_sources.add_pandas("corpus")

    def look(self, name: str, frame: pd.DataFrame, rules: Sequence[Rule]) -> list[Finding]:
        for rule in rules:
            rule.expectation.meta = {"rule": rule.name}
        data = self._source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        suite = self._context.suites.add_or_update(
            gx.ExpectationSuite(name, expectations=[rule.expectation for rule in rules])
        )
        definition = self._context.validation_definitions.add_or_update(
            gx.ValidationDefinition(name=name, data=data, suite=suite)
        )
        result = definition.run(batch_parameters={"dataframe": frame}, result_format=_RESULT)
        by_name = {found.expectation_config.meta["rule"]: found for found in result.results}
        return [_finding(rule, by_name[rule.name]) for rule in rules]

    def write_docs(self, path: Path) -> None:
        """Data Docs as HTML: ``path/index.html`` and a page for every suite."""
        self._context.add_data_docs_site(
            "data_docs",
            {
                "class_name": "SiteBuilder",
                "store_backend": {
                    "class_name": "TupleFilesystemStoreBackend",
                    "base_directory": str(path.absolute()),
                },
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            },
        )
        self._context.build_data_docs(site_names=["data_docs"])


def _finding(rule: Rule, found: Any) -> Finding:
    raised = found.exception_info or {}
    # an expectation that could not be evaluated is a fault of ours and not of the data
    assert not raised.get("raised_exception"), f"{rule.name}: {raised.get('exception_message')}"
    result = found.result
    rows = tuple(sorted(int(index["row"]) for index in result.get("unexpected_index_list") or ()))
    observed = result.get("observed_value", result.get("unexpected_count"))
    if observed is None and result.get("partial_missing_list"):
        observed = f"none in {', '.join(sorted(result['partial_missing_list']))}"
    return Finding(rule, bool(found.success), _plain(observed), rows)


def _plain(value: Any) -> object:
    """numpy's numbers as JSON knows them."""
    if hasattr(value, "item"):
        value = value.item()
    return round(value, 6) if isinstance(value, float) else value
