"""export: models/checkpoint → models/onnx, models/int8, reports/parity.json.

    python -m tasks export

A model that differs from torch, or an int8 one that lost too much, is written all the same with its verdict; publish
reads it. A new head alone gets an int8 model, and the longer exam that compares the two, where continual.thorough says
so: they take longer than the rest of the stage. The stage runs beside `evaluate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openautoglm.export.session import Session
    from openautoglm.model.checkpoint import Checkpoint
    from openautoglm.params import Params

EXAMPLES = 32  # documents for parity
NO_INT8 = (
    "No int8 model: export.int8 is off, or only the head is new (continual.thorough makes one then too).\n"
)
SCORED = 400  # test documents, evenly spread, on which the float and the int8 model are compared
CANARIES = 32  # of which one becomes the canary, where there is nothing to compare


def export(params: Params, root: Path = Path(".")) -> Mapping[str, object]:
    """Write the ONNX graph beside a copy of the checkpoint's weights, compare it with torch, and quantize it.

    Raises:
        AutoGLMError: a weight is NaN or infinite, or the graph does not fit the weights or ONNX's checker.
    """
    from openautoglm.corpus import Corpus
    from openautoglm.export.canary import choose_canary
    from openautoglm.export.documents import documents_to_try
    from openautoglm.export.int8 import quantize
    from openautoglm.export.onnx import GRAPH, export_onnx
    from openautoglm.export.parity import check_parity, int8_gate
    from openautoglm.export.session import CANARY, Session
    from openautoglm.export.trace import Kept
    from openautoglm.files import fresh_dir, save_json
    from openautoglm.graph import GraphBatch
    from openautoglm.model.checkpoint import WEIGHTS, Checkpoint
    from openautoglm.train.machine import use_one_core

    use_one_core()  # an operation: evaluate runs beside us
    chosen = params.export
    checkpoint = Checkpoint.load(root / "models/checkpoint")
    light = checkpoint.training.get("head_only", False) and not params.continual.thorough
    doc_ids, texts, labels, graphs = documents_to_try(
        Corpus.load(root / "data/validated"),
        GraphBatch.load(root / "data/graphs"),
        params.evaluate.oos_label,
        CANARIES if light else SCORED,
    )
    with fresh_dir(root / "models/onnx") as folder:
        _copy(checkpoint.path / WEIGHTS, folder)
        _copy_companions(checkpoint, root, folder)
        graph = export_onnx(checkpoint, folder / GRAPH, chosen.opset, Kept.of(root))
        graph_bytes = graph.stat().st_size
        session = Session(folder)
        corpus = session.encode(texts, graphs)
        logits = session.logits(corpus)
        save_json(folder / CANARY, choose_canary(session, doc_ids, texts, labels, logits))
    few = range(min(EXAMPLES, len(texts)))
    model = checkpoint.model()
    parity = check_parity(model, session, [texts[row] for row in few], graphs.select(few), chosen.tolerance)
    report: dict[str, Any] = {"opset": chosen.opset, "graph_bytes": graph_bytes, **parity.to_json()}
    facts: dict[str, object] = {
        "graph_bytes": graph_bytes,
        "parity_share": max(case.share for case in parity.cases),
        "parity_cases": len(parity.cases),
    }
    if not light:
        facts["onnx_accuracy"] = _accuracy(session, logits, labels)
    with fresh_dir(root / "models/int8") as folder:  # an output of the stage also where there is no model
        if chosen.int8 and not light:
            _copy_companions(checkpoint, root, folder)
            facts["int8_bytes"] = quantize(root / "models/onnx" / GRAPH, folder / GRAPH).stat().st_size
            small, accuracy = (
                _accuracy(session, found, labels) for found in (Session(folder).logits(corpus), logits)
            )
            facts["int8_accuracy"] = small
            report["int8"] = {
                "accuracy": round(small, 6),
                "float_accuracy": round(accuracy, 6),
                "documents": len(texts),
                "bytes": facts["int8_bytes"],
            }
            report["gates"].append(int8_gate(small, accuracy, len(texts), chosen.int8_max_drop))
        else:
            (folder / "README").write_text(NO_INT8)
    save_json(root / "reports/parity.json", report)
    return facts


def _copy_companions(checkpoint: Checkpoint, root: Path, folder: Path) -> None:
    """What a session needs besides weights and graph; vocabulary.json says how texts were parsed, scope.json from which
    score on one belongs to a class (checkpoints of earlier versions have none).
    """
    from openautoglm.graph.batch import VOCABULARY
    from openautoglm.model.checkpoint import MODEL_FILES
    from openautoglm.model.scope import SCOPE

    for name in MODEL_FILES:
        _copy(checkpoint.path / name, folder)
    if (checkpoint.path / SCOPE).is_file():
        _copy(checkpoint.path / SCOPE, folder)
    _copy(root / "data/graphs" / VOCABULARY, folder)


def _copy(path: Path, folder: Path) -> None:
    """A copy, never a link: DVC would make the outputs of two stages one file."""
    import shutil

    shutil.copyfile(path, folder / path.name)


def _accuracy(session: Session, logits: Any, labels: list[str]) -> float:
    answers = [session.labels[index] for index in logits.argmax(axis=1)]
    return sum(answer == label for answer, label in zip(answers, labels, strict=True)) / max(len(labels), 1)
