"""validate: the corpus → clean documents, rows set aside with their reasons, a verdict.

python -m tasks validate
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from openautoglm.params import Params

if TYPE_CHECKING:
    from openautoglm.corpus.expectations import Examination


def validate(params: Params, root: Path = Path(".")) -> Mapping[str, object]:
    """Examine ``data/corpus`` and write ``data/validated``, ``data/quarantine/rows.parquet``,
    ``reports/validation.json`` and, for people and when the run is over, ``reports/data_docs``.

    Raises:
        ValidationFailed: the verdict is no. All but ``data/validated`` is written first.
    """
    import os
    import shutil

    import pyarrow as pa
    import pyarrow.parquet as pq

    from openautoglm.corpus.document import parts
    from openautoglm.corpus.forgotten import forgotten_rows
    from openautoglm.errors import ValidationFailed
    from openautoglm.files import fresh_dir, save_json

    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    from openautoglm.corpus.examine import examine
    from tasks.pages import draw_waiting, later

    rows = pa.concat_tables(pq.read_table(part) for part in parts(root / "data" / "corpus"))
    verdict = examine(rows, params.validate_, params.evaluate.oos_label, forgotten_rows(rows.schema))
    with fresh_dir(root / "data" / "quarantine") as fresh:
        pq.write_table(verdict.quarantine, fresh / "rows.parquet", compression="zstd")
    save_json(root / "reports" / "validation.json", verdict.report)
    later("data_docs", partial(_write_docs, root / "reports", verdict.examination, verdict.report))
    if not verdict.ok:
        draw_waiting()
        # what an earlier corpus left there must not be taken for this one's
        shutil.rmtree(root / "data" / "validated", ignore_errors=True)
        print("\n".join(verdict.details))
        rows_of = "every row and its reason: data/quarantine/rows.parquet, " if verdict.details else "see "
        where = f"{rows_of}reports/data_docs/index.html"
        raise ValidationFailed(
            f"{verdict.message}; {where}",
            rows=len(rows),
            quarantined=verdict.quarantine.num_rows,
            expectations=verdict.report["expectations"],
            details=verdict.details,
        )
    verdict.clean.save(root / "data" / "validated")
    return _facts(verdict.report) | {
        "documents": len(verdict.clean),
        "labels": len(verdict.clean.labels),
        "fingerprint": verdict.clean.fingerprint,
    }


def _write_docs(reports: Path, examination: Examination, report: Mapping[str, object]) -> None:
    """Data Docs show texts: only of the corpus that is still there, in case somebody forgot some of it meanwhile."""
    from openautoglm.files import fresh_dir, load_json

    path = reports / "validation.json"
    if path.is_file() and load_json(path) == report:
        with fresh_dir(reports / "data_docs") as fresh:
            examination.write_docs(fresh)


def _facts(report: Mapping[str, object]) -> dict[str, object]:
    counts = {f"set_aside_{e['name']}": e["count"] for e in report["expectations"] if e["level"] == "row"}  # type: ignore[attr-defined]
    shift = {name: report["drift"][name] for name in ("label_psi", "length_psi", "oov") if report["drift"]}  # type: ignore[index]
    whole = {name: report[name] for name in ("rows", "repeated", "quarantined")}
    return whole | counts | shift
