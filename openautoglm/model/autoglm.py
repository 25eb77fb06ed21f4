"""AutoGLMModel: backbone + graph encoder + gated fusion + task adapter.

model = AutoGLMModel.from_pretrained("models/checkpoint")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.modeling_outputs import ModelOutput

from openautoglm.graph import EDGE_TYPES, NODE_TYPES
from openautoglm.model.adapters import build_adapter
from openautoglm.model.alone import TORCH, seeded
from openautoglm.model.backbone import build_empty, load_backbone, values_of
from openautoglm.model.config import AutoGLMConfig, with_labels
from openautoglm.model.fusion import GatedCrossAttention
from openautoglm.model.graph_encoder import GraphEncoder


@dataclass
class AutoGLMOutput(ModelOutput):
    """logits [B, C]; features [B, H] are what the adapter read; loss is a scalar where labels were given."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    features: Tensor | None = None


class AutoGLMModel(PreTrainedModel):
    """The graph-augmented language model. Inputs are those of :func:`openautoglm.model.encode.collate`."""

    config_class = AutoGLMConfig
    base_model_prefix = "autoglm"
    main_input_name = "input_ids"

    def __init__(self, config: AutoGLMConfig, backbone: nn.Module | None = None) -> None:
        with (
            TORCH
        ):  # transformers puts its own in the place of torch's initialisers meanwhile, for the whole process
            super().__init__(config)
            self.backbone = backbone if backbone is not None else build_empty(config.backbone_config)
            hidden = config.backbone_config["hidden_size"]
            if not config.text_only:
                self.graph_encoder = GraphEncoder(
                    self.word_embeddings.embedding_dim,
                    hidden,
                    config.graph_size,
                    config.graph_layers,
                    config.graph_heads,
                    config.node_types,
                    config.edge_types,
                )
                self.fusion = GatedCrossAttention(hidden, config.graph_size, config.graph_heads)
            self.adapter = build_adapter(hidden, config)
            self.use_graph = not config.text_only  # the ablation switch at evaluation time
            self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Each layer keeps its own initialisation; the backbone brings its weights along."""

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        piece_ids: Tensor,
        piece_node: Tensor,
        piece_pos: Tensor,
        node_type: Tensor,
        batch: Tensor,
        edge_index: Tensor,
        edge_type: Tensor,
        edge_weight: Tensor,
        labels: Tensor | None = None,
    ) -> AutoGLMOutput:
        states = self.backbone(
            input_ids=input_ids, attention_mask=attention_mask
        ).last_hidden_state  # [B, T, H]
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        features = (states * mask).sum(1) / mask.sum(1).clamp(min=1.0)  # [B, H]
        if self.use_graph:
            # detached: the graph reads the backbone's states and does not pull at them; that keeps its share of
            # a training step small and the text path exactly as good as alone while the gate is closed
            nodes = self.graph_encoder(
                self.word_embeddings.weight.detach(),
                states.detach(),
                piece_ids,
                piece_node,
                piece_pos,
                node_type,
                edge_index,
                edge_type,
                edge_weight,
            )
            features = self.fusion(features, nodes, batch)
        logits = self.adapter(features)
        loss = self.adapter.loss(logits, labels) if labels is not None else None
        return AutoGLMOutput(loss=loss, logits=logits, features=features)

    @property
    def word_embeddings(self) -> nn.Embedding:
        embeddings: nn.Embedding = self.backbone.get_input_embeddings()  # type: ignore[operator]
        return embeddings

    @torch.no_grad()
    def grow_from(self, parent: AutoGLMModel) -> None:
        """Take over all of ``parent``'s weights; the adapter row by row, by label name (new labels keep fresh rows)."""
        state = {k: v for k, v in parent.state_dict().items() if not k.startswith("adapter.")}
        self.load_state_dict(state, strict=False)
        rows = [parent.config.label2id.get(label) for label in self.config.labels]
        self.adapter.take_over(parent.adapter, rows)


def build(backbone: str, labels: list[str], seed: int = 0, **settings: Any) -> tuple[AutoGLMModel, Any]:
    """A fresh model on a pretrained backbone, and its tokenizer. The same seed gives the same weights.

    ``settings`` are the keyword arguments of :class:`AutoGLMConfig` (graph_layers, graph_size, max_tokens, text_only …).
    """
    encoder, tokenizer = load_backbone(backbone, seed)
    config = configure(values_of(encoder.config), labels, **settings)
    with seeded(seed):
        return AutoGLMModel(config, encoder), tokenizer


def configure(backbone_config: dict[str, Any], labels: list[str], **settings: Any) -> AutoGLMConfig:
    """The config of :func:`build`'s model."""
    return AutoGLMConfig(
        backbone_config=backbone_config,
        node_types=len(NODE_TYPES),
        edge_types=len(EDGE_TYPES),
        **with_labels(labels),
        **settings,
    )


AutoConfig.register("autoglm", AutoGLMConfig)
AutoModel.register(AutoGLMConfig, AutoGLMModel)
