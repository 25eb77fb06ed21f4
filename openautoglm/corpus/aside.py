"""The rows that validation sets aside: why each, and examples of each fault."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from openautoglm.corpus.document import SCHEMA
from openautoglm.corpus.expectations import Finding, Rule
from openautoglm.corpus.measures import BROKEN

SHOWN = 48  # characters of an example
QUARANTINE_SCHEMA = SCHEMA.append(pa.field("reason", pa.string()))
# Arrow's regular expressions write a character as \x{FFFD}, Python's as itself
_BROKEN = re.compile(re.sub(r"\\x\{(\w+)\}", lambda m: re.escape(chr(int(m[1], 16))), BROKEN))


@dataclass(frozen=True)
class Example:
    doc_id: str
    batch: str
    shown: str


class Aside:
    """Row numbers set aside with their reasons, and an example for every row by the name of its rule."""

    def __init__(self) -> None:
        self.reasons: dict[int, list[str]] = {}
        self.examples: dict[str, list[Example]] = {}

    def __len__(self) -> int:
        return len(self.reasons)

    def take(
        self, frame: pd.DataFrame, findings: Sequence[Finding], meant: Mapping[str, str] | None = None
    ) -> None:
        """``meant``: misspelt label → the right one."""
        for finding in findings:
            rule = finding.rule
            if not rule.reason:
                continue
            offenders: Any = frame[frame["row"].isin(finding.rows)].to_dict("records")
            self.examples[rule.name] = []
            for row in offenders:
                shown = _shown(row, rule, meant or {})
                reason = f"{rule.reason}: {shown}" if rule.detail in _IN_REASON else rule.reason
                self.reasons.setdefault(int(row["row"]), []).append(reason)
                self.examples[rule.name].append(Example(row["doc_id"], row["batch"], _cut(shown)))

    def table(self, rows: pa.Table) -> pa.Table:
        """The rows set aside in their order, with :data:`QUARANTINE_SCHEMA`."""
        numbers = sorted(self.reasons)
        taken = rows.select(SCHEMA.names).take(pa.array(numbers, pa.int64()))
        reasons = pa.array(["; ".join(dict.fromkeys(self.reasons[n])) for n in numbers], pa.string())
        return taken.append_column(QUARANTINE_SCHEMA.field("reason"), reasons)


_IN_REASON = (
    "fault",
    "label",
    "words",
    "conflict",
)  # details that are short enough to stand in a row's reason


def _shown(row: Mapping[Hashable, Any], rule: Rule, meant: Mapping[str, str]) -> str:
    value = row[rule.detail] if rule.detail else ""
    if rule.detail == "fault":
        return next(f for f in str(value).split("; ") if f.startswith(rule.reason)).partition(": ")[2]
    if rule.detail == "words":
        return f"{int(value)} words"
    if rule.detail == "label" and value in meant:
        return f"{value}, meant is {meant[value]}"
    if rule.name == "encoding" and (at := _BROKEN.search(str(value))):
        return str(value)[max(0, at.start() - SHOWN // 2) :]
    return str(value)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
