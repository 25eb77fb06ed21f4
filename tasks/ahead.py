"""What the next batch would have to do before anything else, done while nothing waits for it."""

from __future__ import annotations

from pathlib import Path

from openautoglm.params import Params


def read_ahead(params: Params, root: Path = Path()) -> int:
    """After a body was trained: the features of all documents, which the next analytic head is solved on, and its ONNX graph.

    Both are kept by content, so this changes no result. Returns how many documents were read.
    """
    from openautoglm.corpus import Corpus
    from openautoglm.export.trace import Kept, trace
    from openautoglm.graph import GraphBatch
    from openautoglm.model.checkpoint import Checkpoint
    from openautoglm.model.config import AutoGLMConfig
    from openautoglm.train.analytic import head_settings
    from openautoglm.train.feature_store import FeatureStore
    from openautoglm.train.features import Extractor

    checkpoint = Checkpoint.load(root / "models/checkpoint")
    if params.continual.mode != "analytic" or checkpoint.config.adapter == "analytic":
        return 0  # it was solved on them
    corpus, graphs = Corpus.load(root / "data/validated"), GraphBatch.load(root / "data/graphs")
    texts = [text or "" for text in corpus.column("text")]
    extractor = Extractor.of_checkpoint(checkpoint, precision=params.train.precision)
    store = FeatureStore.of(root / ".autoglm/features", extractor)
    read = store.fill(extractor, extractor.keys(texts, graphs), texts, graphs)
    head = head_settings(params.continual.features, params.train.seed, checkpoint.config.labels)
    config = AutoGLMConfig.from_dict({**checkpoint.config.to_dict(), **head})
    trace(config, params.export.opset, Kept.of(root))
    return read
