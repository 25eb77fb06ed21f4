"""What the stages import that takes seconds, loaded by one thread: of two that import it first, at once, one may meet a
module that the other has half made.
"""

from __future__ import annotations

import importlib
import threading
from contextlib import suppress

MODULES = (
    "pandas", "pyarrow.parquet", "pyarrow.compute", "sklearn.linear_model", "scipy.stats", "torch", "torch_geometric",
    "transformers", "transformers.models.bert.modeling_bert", "great_expectations", "onnx", "onnxruntime",
    "safetensors.torch", "mlflow", "mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store", "matplotlib.figure",
    "jinja2",
)  # fmt: skip
ROOMS = ("corpus", "graph", "model", "train", "evaluate", "export", "release")

_ONE = threading.Lock()


def load() -> None:
    """Import all of it; nothing where that was done before."""
    with _ONE:
        for name in (*MODULES, *(f"openautoglm.{room}" for room in ROOMS)):
            with suppress(ImportError):  # what is missing is said by the stage that needs it
                importlib.import_module(name)
