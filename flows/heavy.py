"""What the stages import that takes seconds: by one thread where two run side by side, as one of two that import a module
first, at once, may meet it half made; and before any run in the process that runs are forked from.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable
from contextlib import suppress

SIDE_BY_SIDE = (  # of evaluate and export
    "pandas", "pyarrow.parquet", "pyarrow.compute", "sklearn.linear_model", "scipy.stats", "torch", "torch_geometric",
    "transformers", "transformers.models.bert.modeling_bert", "onnx", "onnxruntime", "safetensors.torch", "mlflow",
    "mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store", "openautoglm.evaluate", "openautoglm.export",
)  # fmt: skip
ALL = (
    *SIDE_BY_SIDE, "great_expectations", "matplotlib.figure", "jinja2", "openautoglm.corpus", "openautoglm.graph",
    "openautoglm.model", "openautoglm.train", "openautoglm.release",
)  # fmt: skip

_ONE = threading.Lock()


def load(modules: Iterable[str]) -> None:
    """Import them; nothing where that was done before."""
    with _ONE:
        for name in modules:
            with suppress(ImportError):  # what is missing is said by the stage that needs it
                importlib.import_module(name)
