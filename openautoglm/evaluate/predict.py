"""What a checkpoint's canonical weights make of texts.

    reader = Reader.of(Checkpoint.load(path), cache=root / ".autoglm/features")
    reading = reader.read(test, graphs.select(rows))
    reading.logits, reading.text_logits, reading.features

Most of the cost is the backbone's, and a document's features depend on the document and the body alone
(:mod:`openautoglm.train.features`): they are kept by content, so a new head on a known body costs its new documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from openautoglm.corpus import Corpus
from openautoglm.errors import UserError
from openautoglm.graph import GraphBatch, GraphBuilder
from openautoglm.graph.batch import VOCABULARY
from openautoglm.model.adapters import Adapter
from openautoglm.model.checkpoint import Checkpoint
from openautoglm.train.feature_store import FeatureStore
from openautoglm.train.features import Extractor

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Reading:
    """D texts: logits [D, C], columns in the order of ``config.labels``, and the features [D, H] that they come from.

    text_logits [D, C] are the ablation: the same weights, the graph path switched off. Where the graph has no say they
    are the logits.
    """

    logits: Floats
    text_logits: Floats
    features: Floats

    def __len__(self) -> int:
        return len(self.logits)

    def __repr__(self) -> str:
        return f"Reading({len(self)} texts, {self.logits.shape[1]} labels)"

    def take(self, rows: Sequence[int]) -> Reading:
        return Reading(*(array[list(rows)] for array in self._arrays()))

    def plus(self, other: Reading) -> Reading:
        return Reading(*(np.concatenate(pair) for pair in zip(self._arrays(), other._arrays(), strict=True)))

    def finite(self) -> tuple[Reading, int]:
        """Rows with a NaN or an infinity become zeros (all classes alike), and how many logits' rows there were."""
        bad = [np.logical_not(np.isfinite(array).all(axis=1)) for array in self._arrays()]
        clean = (
            np.where(rows[:, None], np.float32(0), array)
            for rows, array in zip(bad, self._arrays(), strict=True)
        )
        return Reading(*clean), int(bad[0].sum())

    def _arrays(self) -> tuple[Floats, Floats, Floats]:
        return self.logits, self.text_logits, self.features


@dataclass(frozen=True, eq=False, repr=False)
class Reader:
    """A checkpoint with its weights in memory, and the features it has already made; ``head`` answers on those.

    ``builder`` makes the graphs that it reads in place of those that it is given, None where these are its own.
    """

    checkpoint: Checkpoint
    head: Adapter
    extractor: Extractor
    store: FeatureStore
    builder: GraphBuilder | None = None

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, cache: Path, given: Path | None = None, precision: str = "auto"
    ) -> Reader:
        """``given``: vocabulary.json of the graphs that it will be given. A release that parses texts in another way
        is examined on graphs of its own, which are those that it serves with. ``precision``: see ``train.precision``.

        Raises:
            UserError: its vocabulary is of another version's types.
            ParamsError: its parser needs something that is not installed.
        """
        extractor = Extractor.of_checkpoint(checkpoint, precision=precision)
        store = FeatureStore.of(cache, extractor)
        own = checkpoint.path / VOCABULARY
        differs = given is not None and own.is_file() and own.read_bytes() != given.read_bytes()
        builder = GraphBuilder.load(own) if differs and extractor.reads_graph else None
        return cls(checkpoint, checkpoint.head(), extractor, store, builder)

    def __repr__(self) -> str:
        return f"Reader({self.checkpoint.path}, {len(self.store)} documents)"

    @property
    def labels(self) -> list[str]:
        return self.checkpoint.config.labels

    @torch.inference_mode()
    def read(self, corpus: Corpus, graphs: GraphBatch) -> Reading:
        """Row d for document d.

        Raises:
            UserError: ``graphs`` are not those of ``corpus``, document by document.
        """
        if corpus.column("doc_id") != graphs.doc_ids:
            raise UserError(
                f"graphs and corpus differ: {len(graphs)} graphs for {len(corpus)} documents, or another order; "
                "run the graph stage again"
            )
        if not len(corpus):
            nothing = np.zeros((0, len(self.labels)), np.float32)
            width = self.checkpoint.config.backbone_config["hidden_size"]
            return Reading(nothing, nothing, np.zeros((0, width), np.float32))
        texts = [text or "" for text in corpus.column("text")]
        if self.builder:
            graphs = self.builder.build(texts, graphs.doc_ids)
        features = self.store.recall(self.extractor, texts, graphs)
        logits = [self.head(torch.from_numpy(part)).numpy() for part in features.transpose(1, 0, 2)]
        return Reading(logits[0], logits[-1], features[:, 0])
