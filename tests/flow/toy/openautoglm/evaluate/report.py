"""Toy: a page."""

from pathlib import Path


def write_report(root: Path) -> None:
    (root / "reports/report.html").write_text("<p>fine</p>")
