"""The text that a release must answer right wherever it is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from openautoglm.export.session import Floats, Session
from openautoglm.model.scope import softmax

CONFIDENCE = 0.9  # sure of its answer, and not so sure that a damaged weight would leave 1.0000 as it is
LONGEST = 300  # characters, so that it fits a line of a report


def choose_canary(
    session: Session,
    doc_ids: Sequence[str],
    texts: Sequence[str],
    labels: Sequence[str | None],
    logits: Floats,
) -> dict[str, Any]:
    """{doc_id, text, label, probability}: of the documents that ``logits`` [D, C] answers right, the one nearest to 0.9.

    Where none is right, any one: the canary holds the bytes to their answer, the exam holds the answers.
    """
    probability = softmax(logits).max(axis=1)
    answers = [session.labels[index] for index in logits.argmax(axis=1)]
    right = np.array([answer == label for answer, label in zip(answers, labels, strict=True)])
    short = np.array([len(text) <= LONGEST for text in texts])
    # right before short before near to 0.9; the first of equals
    row = int(np.lexsort((np.abs(probability - CONFIDENCE), ~short, ~right))[0])
    answer = session.predict([texts[row]], top=1)[0]
    return {
        "doc_id": doc_ids[row],
        "text": answer.text,
        "label": answer.label,
        "probability": round(answer.probability, 6),
    }
