"""Answers from a model folder: onnxruntime, tokenizers and the graph parser; no torch, no transformers.

    session = Session(Path("models/onnx"))            # or the folder of a pulled release
    session.predict(["my card has not arrived"])[0].label

A folder holds model.onnx, model.safetensors, config.json, tokenizer.json, tokenizer_config.json, vocabulary.json (how
texts were parsed, with the co-occurrence of the training texts), canary.json and scope.json (from which score on a text
belongs to a class; releases of earlier versions have none).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from openautoglm.errors import Corrupt, UserError
from openautoglm.files import load_json, repaired, sha256_file
from openautoglm.graph import GraphBatch, GraphBuilder, SemanticGraph
from openautoglm.graph.batch import VOCABULARY
from openautoglm.model.encode import EncodedCorpus, collate_arrays, encode
from openautoglm.model.scope import SCOPE, Scope, score, softmax
from openautoglm.model.tokenizer import WordPieces
from openautoglm.processors import processors

if TYPE_CHECKING:
    from openautoglm.evaluate.gate import Gate

Floats = NDArray[np.float32]
GRAPH = "model.onnx"
CANARY = "canary.json"
CANARY_TOLERANCE = 1e-3  # of a probability: processors differ in the last digits of a sum
BATCH_SIZE = 32


@dataclass(frozen=True)
class Prediction:
    """``top``: the likeliest labels with their probabilities (0-1), best first; ``graph``: what the parser saw.

    ``in_scope``: False where the text seems to belong to no class, None where the release does not say from which
    ``score`` (:func:`openautoglm.model.scope.score`) on it does.
    """

    text: str
    label: str
    probability: float
    top: tuple[tuple[str, float], ...]
    graph: SemanticGraph
    score: float
    in_scope: bool | None

    @property
    def phrases(self) -> list[str]:
        return self.graph.phrases(self.text)

    @property
    def relations(self) -> list[tuple[str, str, str]]:
        return self.graph.triples(self.text)

    def to_json(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "label": self.label,
            "probability": self.probability,
            "in_scope": self.in_scope,
            "score": self.score,
            "top": [{"label": label, "probability": probability} for label, probability in self.top],
            "phrases": self.phrases,
            "relations": [list(relation) for relation in self.relations],
        }

    def __repr__(self) -> str:
        return f"Prediction({self.label!r}, {self.probability:.3f}, {self.graph!r})"


class Session:
    """``threads``: of one answer; 0 takes every processor this process may use.

    ``like``: a session whose tokenizer is taken over where the folder's is the same: reading one holds Python's lock
    for 30 ms, which a server that opens the next version beside this one would feel.

    Raises:
        Corrupt: a file is missing, unreadable or does not belong to the others.
    """

    def __init__(self, folder: Path, threads: int = 0, like: Session | None = None) -> None:
        config = _read_config(folder)
        names = config.get("id2label", {})
        self.labels = [names[str(index)] for index in range(len(names))]
        self.max_tokens = int(config["max_tokens"])
        self._cutting = _cutting(folder)
        same = like is not None and like._cutting == self._cutting
        self.tokenizer: WordPieces = like.tokenizer if like and same else WordPieces.load(folder)
        self.builder = GraphBuilder.load(folder / VOCABULARY)
        self.scope = Scope.load(folder / SCOPE) if (folder / SCOPE).is_file() else None
        self._onnx = open_onnx(folder / GRAPH, threads)
        self._inputs = {value.name for value in self._onnx.get_inputs()}

    def __repr__(self) -> str:
        return f"Session({len(self.labels)} labels, {self.max_tokens} tokens)"

    def predict(self, texts: Sequence[str], top: int = 3) -> list[Prediction]:
        """One answer per text, in order. Which texts are asked together moves the last digits of an answer alone.

        Half of a surrogate pair, as the shell makes of bytes that are no UTF-8, is read and answered as U+FFFD.
        """
        if not texts:
            return []
        texts = [repaired(text) for text in texts]
        graphs = self.builder.build(texts)
        logits = self.logits(self.encode(texts, graphs))
        probabilities, scores = softmax(logits), score(logits)
        return [
            self._prediction(text, graphs.graph(row), probabilities[row], float(scores[row]), top)
            for row, text in enumerate(texts)
        ]

    def encode(self, texts: Sequence[str], graphs: GraphBatch | None = None) -> EncodedCorpus:
        return encode(
            texts,
            graphs if graphs is not None else self.builder.build(texts),
            self.tokenizer,
            self.max_tokens,
        )

    def logits(self, corpus: EncodedCorpus, batch_size: int = BATCH_SIZE) -> Floats:
        """[D, C] float32, row d for document d; computed in batches of similar length."""
        logits = np.zeros((len(corpus), len(self.labels)), dtype=np.float32)
        for rows in batches(corpus, batch_size):
            logits[rows] = self.run(collate_arrays(corpus, rows))
        return logits

    def run(self, inputs: dict[str, NDArray[Any]]) -> Floats:
        """One batch of :func:`~openautoglm.model.encode.collate_arrays` → logits [B, C]."""
        found = self._onnx.run(None, {name: array for name, array in inputs.items() if name in self._inputs})
        logits: Floats = found[0]
        return logits

    def _prediction(
        self, text: str, graph: SemanticGraph, probabilities: Floats, score: float, top: int
    ) -> Prediction:
        order = np.argsort(-probabilities, kind="stable")[: max(top, 1)]
        best = tuple((self.labels[index], float(probabilities[index])) for index in order)
        return Prediction(text, best[0][0], best[0][1], best, graph, score, self._in_scope(score))

    def _in_scope(self, score: float) -> bool | None:
        threshold = self.scope.threshold if self.scope else None
        return None if threshold is None else score >= threshold


def open_onnx(path: Path, threads: int = 0) -> Any:
    """An onnxruntime session on the processor alone, that answers the same question the same way every time.

    Raises:
        Corrupt: onnxruntime cannot open the graph or the weights beside it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or processors()
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # errors; below that it speaks of devices that nobody asked for
    # waiting threads sleep: they would burn the processors that the parser and other sessions need
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class of their own
        raise Corrupt(f"{path}: onnxruntime cannot open it: {str(error).splitlines()[0][:200]}") from None


def batches(corpus: EncodedCorpus, size: int) -> Iterator[NDArray[np.int64]]:
    """Rows by length, so that little is padded."""
    order = np.argsort(corpus.lengths, kind="stable")
    yield from (order[start : start + size] for start in range(0, len(order), size))


def check_canary(folder: Path, session: Session | None = None) -> Gate:
    """Ask the text in canary.json: the same label, and its probability within 0.001 of the recorded one.

    Raises:
        Corrupt: the folder cannot be opened or has no canary.
    """
    canary = _read(folder / CANARY)
    session = session or Session(folder)
    answer = session.predict([canary["text"]], top=len(session.labels))[0]
    probability = dict(answer.top).get(canary["label"], 0.0)
    difference = abs(probability - canary["probability"])
    right = answer.label == canary["label"]
    said = f"{answer.label} at {answer.probability:.4f}"
    expected = f"{canary['label']} at {canary['probability']:.4f}"
    return {
        "name": "canary",
        "kind": "gate",
        "passed": bool(right and difference <= CANARY_TOLERANCE),
        "value": float(difference),
        "bound": CANARY_TOLERANCE,
        "reason": f"The canary text is answered with {said}; {expected} is expected.",
    }


def _cutting(folder: Path) -> list[str]:
    """Fingerprints of the files that say how texts are cut."""
    names = ("tokenizer.json", "tokenizer_config.json")
    return [sha256_file(folder / name) if (folder / name).is_file() else "" for name in names]


def _read_config(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; run `autoglm run`, or give --model a pulled release")
    config: dict[str, Any] = _read(folder / "config.json")
    return config


def _read(path: Path) -> Any:
    try:
        return load_json(path)
    except FileNotFoundError:
        raise Corrupt(
            f"{path.parent}: not a model folder: {path.name} is missing; found {_listing(path.parent)}"
        ) from None
    except ValueError as error:
        raise Corrupt(f"{path}: not JSON: {error}") from None


def _listing(folder: Path) -> str:
    return (
        ", ".join(sorted(path.name for path in folder.iterdir())[:8]) if folder.is_dir() else "no such folder"
    )
