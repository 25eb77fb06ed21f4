"""Which mistakes the report shows: the surest ones, not the same confusion over and over, each with its graph."""

from __future__ import annotations

from collections import Counter

import numpy as np

from openautoglm.corpus import Corpus
from openautoglm.evaluate.metrics import Ints, Reals, Row
from openautoglm.graph import GraphBatch

SHOWN = 12
PER_PAIR = 2  # of one (actual, predicted) pair
MAX_CHARS = 400


def shown_errors(
    test: Corpus, graphs: GraphBatch, names: list[str], probabilities: Reals, actual: Ints
) -> list[Row]:
    """Up to ``SHOWN`` rows: doc_id, text, label, predicted, confidence, label_confidence, cut, nodes, edges.

    ``nodes`` [[start, end, type]] and ``edges`` [[src, dst, type, weight]] are a SemanticGraph of the text as shown.
    """
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != actual)
    surest = wrong[np.argsort(-probabilities.max(axis=1)[wrong], kind="stable")]
    seen: Counter[tuple[int, int]] = Counter()
    rows = []
    for row in surest.tolist():
        pair = (int(actual[row]), int(predicted[row]))
        seen[pair] += 1
        if seen[pair] <= PER_PAIR:
            rows.append(row)
        if len(rows) == SHOWN:
            break
    texts, ids = test.column("text"), test.column("doc_id")
    return [
        {
            "doc_id": ids[row],
            "label": names[actual[row]],
            "predicted": names[predicted[row]],
            "confidence": float(probabilities[row, predicted[row]]),
            # a label that only the exam has got no probability at all
            "label_confidence": float(probabilities[row, actual[row]])
            if actual[row] < probabilities.shape[1]
            else 0.0,
            **_shown(texts[row] or "", graphs, row),
        }
        for row in rows
    ]


def _shown(text: str, graphs: GraphBatch, row: int) -> Row:
    """The text's beginning and the part of its graph that lies in it."""
    graph = graphs.graph(row)
    kept = [number for number, node in enumerate(graph.nodes) if node.end <= MAX_CHARS]
    place = {number: new for new, number in enumerate(kept)}
    return {
        "text": text[:MAX_CHARS],
        "cut": len(text) > MAX_CHARS,
        "nodes": [list(graph.nodes[number]) for number in kept],
        "edges": [
            [place[edge.src], place[edge.dst], edge.type, edge.weight]
            for edge in graph.edges
            if edge.src in place and edge.dst in place
        ],
    }
