"""Out of scope: how well a checkpoint's threshold tells what belongs to no class.

    kept, others = by_scope(corpus, graphs, params.evaluate.oos_label)
    scope_metrics(checkpoint.scope, exam, score(reader.read(*others).logits))

Documents with the out-of-scope label are never a class: validate takes them out of the train split, and the exam is
sat without them.
"""

from __future__ import annotations

import numpy as np

from openautoglm.corpus import Corpus
from openautoglm.evaluate import metrics as m
from openautoglm.evaluate.exam import Exam
from openautoglm.graph import GraphBatch
from openautoglm.model.scope import Scope

Documents = tuple[Corpus, GraphBatch]


def by_scope(corpus: Corpus, graphs: GraphBatch, label: str | None) -> tuple[Documents, Documents]:
    """(all that has a class, the test documents whose label is the out-of-scope one)."""
    if label is None:
        return (corpus, graphs), chosen(corpus, graphs, np.zeros(0, np.int64))
    out = np.array([found == label for found in corpus.column("label")], dtype=bool)
    test = np.array([split == "test" for split in corpus.column("split")], dtype=bool)
    return (
        chosen(corpus, graphs, np.flatnonzero(~out)),
        chosen(corpus, graphs, np.flatnonzero(out & test)),
    )


def scope_metrics(scope: Scope, exam: Exam, out_of_scope: m.Reals) -> dict[str, float]:
    """Flat: threshold, share of the exam's documents that it rejects, and, where the data has out-of-scope documents
    (their scores [D]), how many, AUROC and the share of them that it rejects. What was not measured is not there.
    """
    kept = scope.holds(exam.scores)
    found: dict[str, float] = {}
    if scope.threshold is not None:
        found |= {"in_scope_threshold": scope.threshold, "false_rejections": m.share(~kept)}
    if len(out_of_scope) and len(exam):
        found |= {"oos_documents": len(out_of_scope), "oos_auroc": auroc(exam.scores, out_of_scope)}
        if scope.threshold is not None:
            found["oos_recall"] = m.share(~scope.holds(out_of_scope))
    return found


def auroc(higher: m.Reals, lower: m.Reals) -> float:
    """The chance (0-1) that one of ``higher`` lies above one of ``lower``, a tie being half; neither empty."""
    ordered = np.sort(higher)
    below, upto = (np.searchsorted(ordered, lower, side=side) for side in ("left", "right"))
    return float(1.0 - (below + upto).mean() / (2.0 * len(ordered)))


def chosen(corpus: Corpus, graphs: GraphBatch, rows: m.Ints) -> Documents:
    return Corpus(corpus.table.take(rows)), graphs.select(rows)
