"""Findings → the report that programs read, and the one line that a person reads when the run stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from openautoglm.corpus.aside import Aside, Example
from openautoglm.corpus.drift import Drift
from openautoglm.corpus.expectations import Finding, Rule
from openautoglm.params import ValidateParams

EXAMPLES = 3


@dataclass(frozen=True)
class BatchCount:
    """One batch, in order of arrival: its rows, those set aside, those of them that it is to blame for, and how many
    these may be."""

    name: str
    rows: int
    set_aside: int
    blamed: int
    allowed: int

    @property
    def too_many(self) -> bool:
        return self.blamed > self.allowed


def report_of(
    findings: Sequence[Finding], aside: Aside, batches: Sequence[BatchCount], shift: Drift | None
) -> dict[str, Any]:
    """What reports/validation.json says: no times, ids of runs or paths.

    A row rule is ``ok`` while no more rows break it than may be set aside; it does not stop the run by itself.
    """
    entries = [_entry(finding, aside, batches) for finding in findings]
    return {
        "ok": all(entry["ok"] for entry in entries if entry["level"] != "row"),
        "rows": sum(batch.rows for batch in batches),
        "quarantined": len(aside),
        "batches": [{"batch": b.name, "rows": b.rows, "quarantined": b.set_aside} for b in batches],
        "expectations": entries,
        "drift": shift.facts() if shift else {},
        "reference": [b.name for b in batches[:-1]],
    }


def _entry(finding: Finding, aside: Aside, batches: Sequence[BatchCount]) -> dict[str, Any]:
    rule = finding.rule
    found = aside.examples.get(rule.name, [])
    newest = [example for example in found if example.batch == batches[-1].name]
    entry: dict[str, Any] = {
        "name": rule.name,
        "fault": rule.reason,
        "level": "row" if rule.reason else "corpus",
        "ok": finding.ok,
        "observed": len(finding.rows) if rule.reason else finding.observed,
        "bound": rule.bound,
        "count": len(finding.rows),
        "in_newest_batch": len(newest),
        "examples": [asdict(example) for example in (newest or found)[:EXAMPLES]],
    }
    if rule.name == "quarantine_share":
        entry["observed"] = round(max(batch.blamed / batch.rows for batch in batches), 6)
        entry["examples"] = [{"batch": batches[number].name} for number in finding.rows[:EXAMPLES]]
    return entry


def message_of(
    findings: Sequence[Finding], aside: Aside, batches: Sequence[BatchCount], params: ValidateParams
) -> str:
    """Every reason to stop, in one line; empty if there is none. Batches over their share name the faults of their rows."""
    parts = []
    for batch in batches:
        if batch.too_many:
            share = f"{batch.blamed} of {batch.rows} rows set aside ({batch.blamed / batch.rows:.1%})"
            limit = f"validate.max_quarantined allows {params.max_quarantined:.1%}"
            faults = ", ".join(
                f"{len(found)} × {rule.reason}" for rule, found in _faults(findings, aside, batch)
            )
            parts.append(f"{batch.name}: {share}, {limit}: {faults}")
    for finding in findings:
        rule = finding.rule
        if not rule.reason and not finding.ok and rule.name != "quarantine_share":
            parts.append(f"{rule.name}: found {finding.observed}, {rule.limit}")
    return ". ".join(parts)


def details_of(findings: Sequence[Finding], aside: Aside, batches: Sequence[BatchCount]) -> list[str]:
    """A line per fault of the batches that are over their share: the expectation, how many rows, three examples."""
    return [
        f"{batch.name}: {len(found)} × {rule.reason} [{rule.name}] {_listed(found[:EXAMPLES])}"
        for batch in batches
        if batch.too_many
        for rule, found in _faults(findings, aside, batch)
    ]


def _faults(findings: Sequence[Finding], aside: Aside, batch: BatchCount) -> list[tuple[Rule, list[Example]]]:
    faults = []
    for finding in findings:
        rule = finding.rule
        found = [example for example in aside.examples.get(rule.name, []) if example.batch == batch.name]
        if found:
            faults.append((rule, found))
    return faults


def _listed(examples: Sequence[Example]) -> str:
    return ", ".join(f"{e.doc_id} ({e.shown})" if e.shown else e.doc_id for e in examples)
