"""Two expectations that Great Expectations does not bring: texts in one split, and values that are not repeated."""

from __future__ import annotations

from typing import Any

import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation, MulticolumnMapExpectation
from great_expectations.expectations.metrics import ColumnMapMetricProvider, column_condition_partial
from great_expectations.expectations.metrics.map_metric_provider import MulticolumnMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_condition_partial import (
    multicolumn_condition_partial,
)

from openautoglm.corpus.measures import kept_in_one_split


class TextInOneSplit(MulticolumnMapMetricProvider):
    condition_metric_name = "multicolumn_values.text_in_one_split"
    condition_domain_keys = (
        "batch_id",
        "table",
        "column_list",
        "row_condition",
        "condition_parser",
        "ignore_row_if",
    )

    @multicolumn_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column_list: pd.DataFrame, **_: Any) -> pd.Series:
        text_key, split, batch_number = (column_list.iloc[:, n] for n in range(3))
        return kept_in_one_split(text_key, split, batch_number)


class ExpectTextsToStayInOneSplit(MulticolumnMapExpectation):
    """Expect no text to be learnt from in one split and examined in another (leakage).

    ``column_list`` holds the text's key, its split and the number of its batch. Of a text in several splits, the rows
    reported are those to take away: see :func:`openautoglm.corpus.measures.kept_in_one_split`.
    """

    map_metric = "multicolumn_values.text_in_one_split"


class NotSeenAbove(ColumnMapMetricProvider):
    condition_metric_name = "column_values.not_seen_above"

    @column_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column: pd.Series, **_: Any) -> pd.Series:
        return ~column.duplicated(keep="first")


class ExpectColumnValuesNotToRepeat(ColumnMapExpectation):
    """Expect no value to come a second time.

    Unlike ``ExpectColumnValuesToBeUnique`` it lets the first row of a value stand: what arrived first stays.
    """

    map_metric = "column_values.not_seen_above"
