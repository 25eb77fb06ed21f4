"""How far the newest batch is from the documents that came before it: label mix, text lengths, words.

The population stability index of two distributions p (reference) and q is Σ (q − p)·ln(q / p); by the usual rule of
thumb 0.1 is a shift and 0.25 a large one. On small samples it is large by chance alone: two samples of n and m from
one distribution over k bins have an expected index of about (k − 1)(1/n + 1/m), which is taken off here, so that a
batch of thirty texts is not told off for being small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from openautoglm.corpus.document import Corpus
from openautoglm.corpus.measures import word_counts

SMOOTHING = 0.5  # added to each bin's count, as an empty bin has no logarithm
BINS = 10
MOST_NEW_WORDS = 10  # examples


@dataclass(frozen=True)
class Drift:
    """The newest batch against all earlier ones."""

    batch: str
    documents: int
    reference_documents: int
    label_psi: float
    length_psi: float
    oov: float  # share of the batch's words that the reference does not have
    new_labels: tuple[str, ...]
    new_words: tuple[str, ...]  # the most frequent ones

    def facts(self) -> dict[str, object]:
        return asdict(self) | {"new_labels": list(self.new_labels), "new_words": list(self.new_words)}


def drift(reference: Corpus, newest: Corpus, batch: str) -> Drift:
    """Both without quarantined rows and neither empty."""
    known = sorted(set(reference.column("label")))
    new_labels = sorted(set(newest.column("label")) - set(known))
    oov, new_words = _new_words(reference, newest)
    return Drift(
        batch=batch,
        documents=len(newest),
        reference_documents=len(reference),
        label_psi=round(psi(_label_counts(reference, known), _label_counts(newest, known)), 6),
        length_psi=round(psi_of_values(_lengths(reference), _lengths(newest)), 6),
        oov=round(oov, 6),
        new_labels=tuple(new_labels),
        new_words=new_words,
    )


def psi(reference: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Population stability index of two histograms over the same k bins, less what chance alone gives; 0 or more."""
    p, q = np.asarray(reference, float), np.asarray(observed, float)
    n, m, k = p.sum(), q.sum(), len(p)
    if n == 0 or m == 0 or k < 2:
        return 0.0
    p, q = (p + SMOOTHING) / (n + SMOOTHING * k), (q + SMOOTHING) / (m + SMOOTHING * k)
    by_chance = (k - 1) * (1 / n + 1 / m)
    return float(max(0.0, np.sum((q - p) * np.log(q / p)) - by_chance))


def _label_counts(corpus: Corpus, known: Sequence[str]) -> list[int]:
    counts = {c["values"]: c["counts"] for c in corpus.table["label"].value_counts().to_pylist()}
    return [int(counts.get(label, 0)) for label in known]


def _lengths(corpus: Corpus) -> npt.NDArray[np.float64]:
    return np.asarray(word_counts(corpus.table["text"]).to_numpy(), float)


def psi_of_values(reference: npt.NDArray[np.float64], observed: npt.NDArray[np.float64]) -> float:
    """Index of two sets of numbers [n] and [m], over the reference's tenths: bins that hold about as many of it each."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = len(edges) + 1
    p = np.bincount(np.searchsorted(edges, reference, side="left"), minlength=bins)
    q = np.bincount(np.searchsorted(edges, observed, side="left"), minlength=bins)
    return psi(p, q)


def _new_words(reference: Corpus, newest: Corpus) -> tuple[float, tuple[str, ...]]:
    words = _words(newest)
    if not len(words):
        return 0.0, ()
    new = words.filter(pc.invert(pc.is_in(words, value_set=pc.unique(_words(reference)))))
    counts = sorted(new.value_counts().to_pylist(), key=lambda c: (-c["counts"], c["values"]))
    return len(new) / len(words), tuple(c["values"] for c in counts[:MOST_NEW_WORDS])


def _words(corpus: Corpus) -> pa.Array:
    text = pc.utf8_lower(corpus.table["text"])
    # scripts without spaces: each character stands for a word
    text = pc.replace_substring_regex(text, r"([\p{Han}\p{Hiragana}\p{Katakana}])", r" \1 ")
    words = pc.list_flatten(pc.split_pattern_regex(text, r"[^\p{L}\p{N}]+")).combine_chunks()
    return words.filter(pc.greater(pc.utf8_length(words), 0))
