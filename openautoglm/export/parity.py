"""Torch against onnxruntime on the canonical weights, at sizes that the exporter never saw.

    report = check_parity(checkpoint.model(), Session(folder), texts, graphs, tolerance=1e-3)
    report.gates, report.cases

A graph that was traced can bake in a size, a branch or an empty list; each case below is a way to find out. The
difference of a logit counts as a share of the logits' spread: 0.001 on logits between −8 and 8 is nothing, between
0.49 and 0.51 it is an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from openautoglm.export.session import Floats, Session
from openautoglm.graph import GraphBatch, Node, SemanticGraph
from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.encode import EncodedCorpus, collate_arrays
from openautoglm.train.machine import use_one_core

if TYPE_CHECKING:
    from openautoglm.evaluate.gate import Gate

SIZES = (1, 3, 8, 17)  # documents; the exporter saw two
LONG_WORDS = 600  # beyond every window: the tail reaches the graph alone


@dataclass(frozen=True)
class Case:
    """One batch. ``spread``: largest minus smallest logit that torch gives; ``difference``: the largest, absolute."""

    name: str
    documents: int
    tokens: int
    pieces: int
    nodes: int
    edges: int
    spread: float
    difference: float
    other_answers: int  # documents with another first label, near-ties within the tolerance left out
    not_finite: int

    @property
    def share(self) -> float:
        """The difference as a share of the spread; infinite where either side gave no number."""
        return float("inf") if self.not_finite else self.difference / (self.spread or 1.0)


@dataclass(frozen=True)
class Parity:
    cases: tuple[Case, ...]
    tolerance: float

    @property
    def gates(self) -> list[Gate]:
        worst = max(self.cases, key=lambda case: case.share)
        others = sum(case.other_answers for case in self.cases)
        broken = sum(case.not_finite for case in self.cases)
        documents = sum(case.documents for case in self.cases)
        where = f"{len(self.cases)} batches, {documents} documents"
        share = None if worst.not_finite else _rounded(worst.share)
        return [
            _gate("onnx_finite", not broken, broken, 0, f"{broken} logits are NaN or infinite in {where}."),
            _gate(
                "onnx_parity",
                worst.share <= self.tolerance,
                share,
                self.tolerance,
                f"onnxruntime is off by at most {worst.share:.1e} of the logits' spread ({worst.name}, {where}).",
            ),
            _gate("onnx_answers", not others, others, 0, f"{others} answers differ from torch's in {where}."),
        ]

    def to_json(self) -> dict[str, Any]:
        rows = [{key: _rounded(value) for key, value in asdict(case).items()} for case in self.cases]
        return {"tolerance": self.tolerance, "cases": rows, "gates": self.gates}


def check_parity(
    model: AutoGLMModel, session: Session, texts: Sequence[str], graphs: GraphBatch, tolerance: float
) -> Parity:
    """``texts`` with their ``graphs``: some documents of the exam, at least one; ``model`` on the CPU in fp32."""
    tried = batches_to_try(session, list(texts), graphs)
    names, inputs = [name for name, _ in tried], [collate_arrays(c, np.arange(len(c))) for _, c in tried]

    def by_torch(arrays: dict[str, Any]) -> Floats:
        with torch.inference_mode():
            logits: Floats = model(**{key: torch.from_numpy(a) for key, a in arrays.items()}).logits.numpy()
        return logits

    with ThreadPoolExecutor(1, initializer=use_one_core) as pool:  # beside onnxruntime
        expected = pool.map(by_torch, inputs)
        found = [session.run(arrays) for arrays in inputs]
        rows = zip(names, inputs, expected, found, strict=True)
        return Parity(tuple(_compare(*row, tolerance) for row in rows), tolerance)


def int8_gate(accuracy: float, before: float, documents: int, bound: float) -> Gate:
    """A warning: int8 is not released, so it never holds a release back."""
    lost = before - accuracy
    reason = f"int8 answers {accuracy:.1%} of {documents} documents right, fp32 {before:.1%}; {bound:.1%} may be lost."
    gate = _gate("int8_accuracy", lost <= bound + 1e-9, round(lost, 6), bound, reason)
    return {**gate, "kind": "warning"}


def batches_to_try(session: Session, texts: list[str], graphs: GraphBatch) -> list[tuple[str, EncodedCorpus]]:
    """(name, batch): real documents in several numbers, then the shapes on which exported graphs break."""
    found = []
    for size in SIZES:
        rows = np.arange(size) % len(texts)
        found.append((f"{size} documents", session.encode([texts[row] for row in rows], graphs.select(rows))))
    three = [texts[row % len(texts)] for row in range(3)]
    long = " ".join(_cycle(" ".join(texts).split() or ["word"], LONG_WORDS))
    several = [long, "hello"]
    found += [
        ("one node", session.encode(["hello"], _nodes(["hello"], 1))),
        ("no node", session.encode(three, _nodes(three, 0))),
        ("no edge", session.encode(three, _nodes(three, 2))),
        ("a long text", session.encode([long])),
        ("long, short and empty together", session.encode([*several, ""], _mixed(session, several))),
    ]
    return found


def _nodes(texts: Sequence[str], count: int) -> GraphBatch:
    """``count`` nodes over the whole of each text, and no edge."""
    graphs = [SemanticGraph(tuple(Node(0, len(text), 0) for _ in range(count)), ()) for text in texts]
    return GraphBatch.from_graphs(graphs)


def _mixed(session: Session, texts: list[str]) -> GraphBatch:
    return GraphBatch.concatenate([session.builder.build(texts), _nodes([""], 0)])


def _cycle(words: list[str], count: int) -> list[str]:
    return [words[number % len(words)] for number in range(count)]


def _compare(name: str, inputs: dict[str, Any], expected: Floats, found: Floats, tolerance: float) -> Case:
    finite = np.isfinite(expected) & np.isfinite(found)
    case = Case(
        name=name,
        documents=len(expected),
        tokens=inputs["input_ids"].shape[1],
        pieces=len(inputs["piece_ids"]),
        nodes=len(inputs["node_type"]),
        edges=len(inputs["edge_type"]),
        spread=float(np.ptp(expected[finite])) if finite.any() else 0.0,
        difference=float(np.abs(expected - found)[finite].max()) if finite.any() else 0.0,
        other_answers=0,
        not_finite=int((~finite).sum()),
    )
    rows = np.arange(len(expected))
    lead = expected.max(axis=1) - expected[rows, found.argmax(axis=1)]  # 0 where both name the same label
    return replace(case, other_answers=int((lead > tolerance * case.spread).sum()))


def _rounded(value: Any) -> Any:
    """Two significant digits: a report that is compared byte by byte is no place for the rest."""
    return float(f"{value:.1e}") if isinstance(value, float) else value


def _gate(name: str, passed: bool, value: float | None, bound: float, reason: str) -> Gate:
    return {
        "name": name,
        "kind": "gate",
        "passed": bool(passed),
        "value": value,
        "bound": bound,
        "reason": reason,
    }
