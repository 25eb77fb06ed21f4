"""AutoGLMConfig: everything that is needed to build the model again, and nothing about how it was trained."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class AutoGLMConfig(PretrainedConfig):
    """Configuration of :class:`~openautoglm.model.autoglm.AutoGLMModel`.

    Args:
        backbone_config: ``to_dict()`` of the Hugging Face encoder's own config.
        node_types, edge_types: sizes of the graph vocabularies (:data:`openautoglm.graph.NODE_TYPES`, ``EDGE_TYPES``).
        graph_layers, graph_size, graph_heads: the graph encoder's depth, width and attention heads.
        max_tokens: word pieces (special ones included) of a text that the backbone reads.
        text_only: build no graph path at all (the trained ablation).
        adapter: name of the task head, see :mod:`openautoglm.model.adapters`.
        dropout: before the task head (0-1).
        projection, projection_seed: width and seed of the random features of the analytic head; 0 without one.
    """

    model_type = "autoglm"

    def __init__(
        self,
        backbone_config: dict[str, Any] | None = None,
        node_types: int = 0,
        edge_types: int = 0,
        graph_layers: int = 2,
        graph_size: int = 128,
        graph_heads: int = 4,
        max_tokens: int = 128,
        text_only: bool = False,
        adapter: str = "classify",
        dropout: float = 0.1,
        projection: int = 0,
        projection_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.backbone_config = backbone_config or {}
        self.node_types = node_types
        self.edge_types = edge_types
        self.graph_layers = graph_layers
        self.graph_size = graph_size
        self.graph_heads = graph_heads
        self.max_tokens = max_tokens
        self.text_only = text_only
        self.adapter = adapter
        self.dropout = dropout
        self.projection = projection
        self.projection_seed = projection_seed
        super().__init__(**kwargs)

    @property
    def labels(self) -> list[str]:
        """Label names in the order of the logits."""
        return [self.id2label[index] for index in range(len(self.id2label))]


def with_labels(labels: list[str]) -> dict[str, Any]:
    """The two config entries that Hugging Face tools read label names from."""
    return {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
