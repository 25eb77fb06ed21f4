"""Features of documents: the same bits whoever stands beside them, so that they are computed once and kept.

A document's features are what the task adapter reads. Backbone and graph path run on fixed shapes (a few lengths, 256
tokens a batch, one thread an operation), so that a row's arithmetic is always the same. The backbone's
arithmetic is bf16 where that is faster (docs/adr/0008-features-in-bf16.md).

extractor = Extractor.of(checkpoint.model(), checkpoint.tokenizer())
features = extractor.extract(texts, graphs)                # [D, P, H] float32
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from openautoglm.files import fingerprint
from openautoglm.graph import GraphBatch
from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.checkpoint import Checkpoint, canonical
from openautoglm.model.encode import EncodedCorpus, encode
from openautoglm.processors import processors
from openautoglm.train.content import content_keys
from openautoglm.train.graph_path import GraphPath
from openautoglm.train.machine import choose_device, choose_precision, one_thread, use_one_core
from openautoglm.train.progress import counting

Floats = NDArray[np.float32]
TOKENS = 256  # of a fixed shape; measured, twice as fast as one row, and more gain nothing
LENGTHS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512)
FORMAT = 6  # of the features; another number makes all of them anew


@dataclass(frozen=True, eq=False, repr=False)
class Extractor:
    """All of a model but its adapter, and the tokenizer. ``precision`` of the backbone's arithmetic: fp32 or bf16."""

    model: AutoGLMModel
    tokenizer: Any
    precision: str

    @classmethod
    def of(
        cls, model: AutoGLMModel, tokenizer: Any, weights: str = "fp32", precision: str = "auto"
    ) -> Extractor:
        """``model`` itself in evaluation mode, rounded to the ``weights`` that would be published."""
        with torch.no_grad():
            for tensor in model.state_dict().values() if weights != "fp32" else ():
                tensor.copy_(canonical(tensor, weights))
        model.eval()
        return cls(model, tokenizer, choose_precision(precision, choose_device()))

    @classmethod
    def of_checkpoint(
        cls, checkpoint: Checkpoint, weights: str = "fp32", precision: str = "auto"
    ) -> Extractor:
        """That of a checkpoint's body, whose ``model`` may carry another head on it. The last one stays in memory:
        challenger and champion mostly share a body, stage after stage asks for it, and building it takes a second.
        """
        weights = "fp32" if weights == checkpoint.weights else weights  # as they are
        key = f"{checkpoint.body} {weights} {choose_precision(precision, choose_device())}"
        if key not in _LAST:
            _LAST.clear()
            _LAST[key] = cls.of(checkpoint.model(), checkpoint.tokenizer(), weights, precision)
        return _LAST[key]

    def __repr__(self) -> str:
        return f"Extractor({self.fingerprint[:12]}, {'text and graph' if self.reads_graph else 'text'})"

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of what decides a feature's bits: weights, tokenizer, window, and the library that computes."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            if not name.startswith("adapter."):
                digest.update(f"{name} {tuple(tensor.shape)} ".encode())
                digest.update(canonical(tensor, "fp32").view(torch.uint8).numpy().tobytes())
        return fingerprint(
            {
                "format": FORMAT,
                "weights": digest.hexdigest(),
                "tokenizer": self.tokenizer.backend_tokenizer.to_str(),
                "max_tokens": self.model.config.max_tokens,
                "precision": self.precision,
                "torch": [str(torch.__version__), torch.backends.cpu.get_cpu_capability()],
                "device": choose_device().type,
            }
        )

    @property
    def reads_graph(self) -> bool:
        """Behind closed gates the text's features are the document's, bit for bit."""
        return self.model.use_graph and bool(self.model.fusion.gate.any())

    def keys(self, texts: Sequence[str], graphs: GraphBatch) -> list[str]:
        """A name of what each document's features are made of: its text, and its graph where that is read."""
        return content_keys(texts, graphs if self.reads_graph else None)

    def extract(self, texts: Sequence[str], graphs: GraphBatch) -> Floats:
        """[D, P, H]: what the adapter reads, and where the graph has a say (P = 2) what the text alone would give.

        Row d depends on document d alone.
        """
        corpus = encode(texts, graphs, self.tokenizer, self.model.config.max_tokens)
        parts, hidden = 1 + self.reads_graph, self.model.config.backbone_config["hidden_size"]
        features = np.zeros((len(corpus), parts, hidden), np.float32)
        widths = self._widths(corpus.lengths)
        shapes = [(int(width), np.flatnonzero(widths == width)) for width in np.unique(widths)]
        batches = [
            (width, rows[i : i + self.rows(width)])
            for width, rows in shapes
            for i in range(0, len(rows), self.rows(width))
        ]

        def work(batch: tuple[int, NDArray[np.int64]]) -> int:
            width, rows = batch
            features[rows] = self._batch(corpus, rows, width).cpu().numpy()
            return len(rows)

        if self.reads_graph:
            _ = self._graph_path  # before several threads ask for it
        workers = processors() if choose_device().type == "cpu" else 1
        with (
            one_thread(),
            counting("features", len(corpus)) as advance,
            ThreadPoolExecutor(workers, initializer=use_one_core) as pool,
        ):
            for done in pool.map(work, batches):
                advance(done)
        return features

    def rows(self, width: int) -> int:
        """Rows of a batch of documents padded to ``width``."""
        return max(TOKENS // width, 1) if self._rows_are_alike else 1

    @cached_property
    def _rows_are_alike(self) -> bool:
        """Whether a row's bits do not depend on its place and neighbours here."""
        random = torch.Generator().manual_seed(0)
        rows, width, vocabulary = 16, 16, int(self.model.config.backbone_config["vocab_size"])
        ids = torch.randint(vocabulary, (rows, width), generator=random)
        mask = torch.ones_like(ids)
        other = torch.roll(ids, 5, dims=0)
        other[6:] = ids[0]  # the former first row is the sixth now, among others than before
        with one_thread():
            return torch.equal(self._pooled(ids, mask)[1][0], self._pooled(other, mask)[1][5])

    @cached_property
    def _backbone(self) -> Any:
        """A copy to compute with: the model itself keeps the precision that is published."""
        kind = torch.bfloat16 if self.precision == "bf16" else torch.float32
        place, source = choose_device(), self.model.backbone
        converted = {
            id(p): nn.Parameter(p.detach().to(place, kind, copy=True), False) for p in source.parameters()
        }
        backbone = copy.deepcopy(source, converted).to(place, kind)  # type: ignore[arg-type]
        backbone.set_attn_implementation("eager")  # type: ignore[operator]
        return backbone

    @cached_property
    def _graph_path(self) -> GraphPath:
        return GraphPath(self.model, choose_device())

    def _widths(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """The fixed lengths that documents are padded to, [D]."""
        room = self.model.config.max_tokens
        fixed = np.array(sorted({min(length, room) for length in LENGTHS} | {room}))
        widths: NDArray[np.int64] = fixed[np.searchsorted(fixed, lengths)]
        return widths

    @torch.inference_mode()
    def _pooled(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """States [R, T, H] and their mean [R, H] over ``mask``, as in the model's own forward."""
        ids, mask = ids.to(self._backbone.device), mask.to(self._backbone.device)
        states = self._backbone(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weight = mask.unsqueeze(-1).to(states.dtype)
        return states, (states * weight).sum(1) / weight.sum(1)

    @torch.inference_mode()
    def _batch(self, corpus: EncodedCorpus, rows: NDArray[np.int64], width: int) -> Tensor:
        """Features [R, P, H] of a few documents, padded to ``width``."""
        lengths = corpus.lengths[rows]
        shape = (self.rows(width), width)
        ids, mask = torch.full(shape, corpus.pad_id), torch.zeros(shape, dtype=torch.int64)
        mask[:, 0] = 1  # a row without a document
        for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            first = int(corpus.token_ptr[row])
            ids[place, :length] = torch.from_numpy(corpus.token_ids[first : first + length])
            mask[place, :length] = 1
        states, pooled = self._pooled(ids, mask)
        alone = pooled[: len(rows), None]
        if not self.reads_graph:
            return alone
        fused = self._graph_path(corpus, rows, alone[:, 0], states[: len(rows)])
        return torch.stack([fused, alone[:, 0]], dim=1)


_LAST: dict[str, Extractor] = {}
