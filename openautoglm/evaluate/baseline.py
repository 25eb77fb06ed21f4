"""Two baselines that take seconds: TF-IDF + linear SVC, and the frozen backbone + logistic regression.

A model that a bag of words or an untouched encoder beats has not earned its cost. Both are fitted on the train split
alone, with fixed settings, and sit the same exam. What they may cost is bounded; :class:`Baseline` notes where it was.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from openautoglm.corpus import Corpus
from openautoglm.graph import GraphBatch, SemanticGraph
from openautoglm.model.autoglm import build
from openautoglm.train.feature_store import FeatureStore
from openautoglm.train.features import Extractor

MAX_ROWS = 20_000  # train documents
MAX_CHARS = 5_000_000  # of the train texts, above which character n-grams are left out
MAX_TOKENS = 64  # word pieces a document, for the frozen encoder


@dataclass(frozen=True)
class Baseline:
    """``predicted`` [D]: label names on the exam. ``note``: one sentence where the cost was bounded, or empty."""

    name: str
    predicted: list[str]
    note: str


def tfidf_svc(train: Corpus, test: Corpus) -> Baseline:
    """Words 1-2 and characters 2-5 in TF-IDF, linear SVC with C = 1."""
    texts, labels, note = _fit_rows(train, "TF-IDF + SVC")
    if labels and not any(re.search(r"\w", text) for text in texts):
        most = min(Counter(labels).items(), key=lambda item: (-item[1], item[0]))[0]
        note += f" TF-IDF + SVC found no word in any train text and answers {most}, the most frequent label."
        return Baseline("tfidf_svc", [most] * len(test), note.strip())
    parts = [TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")]
    if sum(map(len, texts)) <= MAX_CHARS:
        parts.append(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True))
    else:
        note += " It reads words only, no character n-grams: the texts are long."
    model = make_pipeline(make_union(*parts), LinearSVC(C=1.0, random_state=0))
    return Baseline("tfidf_svc", _fit_predict(model, texts, labels, _texts(test)), note.strip())


def frozen_lr(train: Corpus, test: Corpus, backbone: str, cache: Path, seed: int = 0) -> Baseline:
    """Mean-pooled states of the pretrained backbone, L2-normalised; logistic regression with C = 30."""
    texts, labels, note = _fit_rows(train, "Frozen + LR")
    exam = _texts(test)
    features = frozen_features([*texts, *exam], backbone, cache, seed)
    model = LogisticRegression(C=30.0, max_iter=1000, tol=1e-4)
    predicted = _fit_predict(model, features[: len(texts)], labels, features[len(texts) :])
    return Baseline("frozen_lr", predicted, note.strip())


def frozen_features(texts: list[str], backbone: str, cache: Path, seed: int = 0) -> NDArray[np.float32]:
    """[D, H] float32, unit length: mean over the first ``MAX_TOKENS`` word pieces of each text; kept in ``cache``."""
    model, tokenizer = build(backbone, ["none"], seed, text_only=True, max_tokens=MAX_TOKENS)
    # in the fastest arithmetic that there is here: no published weight depends on its last digits
    extractor = Extractor.of(model, tokenizer)
    nothing = GraphBatch.from_graphs([SemanticGraph((), ())] * len(texts))
    features = FeatureStore.of(cache, extractor).recall(extractor, texts, nothing)[:, 0]
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: NDArray[np.float32] = features / np.maximum(lengths, 1e-12)
    return unit


def _fit_rows(train: Corpus, name: str) -> tuple[list[str], list[str], str]:
    """Texts and labels to fit on: all, or evenly spaced ones where there are more than ``MAX_ROWS``."""
    rows = np.arange(len(train))
    note = ""
    if len(rows) > MAX_ROWS:
        rows = np.linspace(0, len(rows) - 1, MAX_ROWS).astype(np.int64)
        note = f"{name} was fitted on {MAX_ROWS:,} of {len(train):,} train documents."
    texts, labels = _texts(train), train.column("label")
    return [texts[row] for row in rows], [labels[row] for row in rows], note


def _fit_predict(model: Any, features: Any, labels: list[str], exam: Any) -> list[str]:
    if len(set(labels)) < 2:  # scikit-learn refuses one class; there is only one answer then
        return labels[:1] * len(exam)
    return [str(label) for label in model.fit(features, labels).predict(exam)]


def _texts(corpus: Corpus) -> list[str]:
    return [text or "" for text in corpus.column("text")]
