"""What stays the same from step to step, and one step: forward, backward, the mean over all ranks, the optimizer's move."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openautoglm.errors import TrainingFailed
from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.encode import collate
from openautoglm.params import TrainParams
from openautoglm.train import machine
from openautoglm.train.group import Group
from openautoglm.train.lora import adapt, rank_of
from openautoglm.train.optimizer import build_optimizer, trains
from openautoglm.train.penalty import Lwf, Penalty, ewc
from openautoglm.train.prepare import Prepared, Split
from openautoglm.train.sampler import Ints, in_length_order, shard
from openautoglm.train.vocabulary import Vocabulary, table_name

CLIP = 1.0  # largest gradient norm
EVALUATION_BATCH = 64

Forward = Callable[..., Any]  # the model, or DDP around it


@dataclass
class Run:
    """What stays the same from step to step, on its device; the model holds the word pieces that occur."""

    model: AutoGLMModel
    forward: Forward
    optimizer: torch.optim.Optimizer
    train: Split
    valid: Split
    facts: dict[str, Any]
    group: Group
    device: torch.device
    precision: str
    vocabulary: Vocabulary
    table: str  # the word embeddings' name
    full: Tensor  # [V, H] all of them, before training
    penalty: Penalty | None = None

    @classmethod
    def begin(cls, found: Prepared, params: TrainParams, group: Group) -> Run:
        machine.use_all_cores(params.world_size)
        device = machine.choose_device(group.local_rank)
        model, splits = found.model, [found.train, found.valid]
        vocabulary = Vocabulary.of([s.corpus for s in splits], model.word_embeddings.num_embeddings)
        table = table_name(model)
        full = vocabulary.narrow_model(model)
        train, valid = (Split(vocabulary.narrow_corpus(s.corpus), s.labels, s.doc_ids) for s in splits)
        if rank := rank_of(found.layers):
            adapt(model.backbone, rank, params.seed)
        _place(model, device)
        for name, parameter in model.named_parameters():
            # nothing reads a pooler's output
            parameter.requires_grad_(".pooler." not in name and trains(name, found.layers, model))
        run = cls(
            model=model,
            forward=model,
            optimizer=build_optimizer(model, params),
            train=train,
            valid=valid,
            facts=found.facts,
            group=group,
            device=device,
            precision=machine.choose_precision(params.precision, device),
            vocabulary=vocabulary,
            table=table,
            full=full,
        )
        run.penalty = run._penalty(found)
        torch.manual_seed(params.seed + group.rank)  # dropout differs between ranks
        return run

    def _penalty(self, found: Prepared) -> Penalty | None:
        hold = found.hold
        if hold.penalty == "none":
            return None
        assert found.parent is not None, "a penalty holds what a parent knows"
        parent = found.parent.model().requires_grad_(False)
        self.vocabulary.narrow_model(parent)
        _place(parent, self.device)
        if hold.penalty == "lwf":
            return Lwf(hold.weight, parent, self.precision)
        known = self.train.labels.numpy() < parent.config.num_labels
        old = np.flatnonzero(np.isin(self.train.doc_ids, hold.old) & known)
        return ewc(hold.weight, self.model, parent, old, self._examples, self.group)

    def update(self, rows: Ints, step: int) -> float:
        """One step on the batch ``rows``; its mean loss over all ranks.

        Raises:
            TrainingFailed: loss or gradient is not finite.
        """
        loss, weight = self.loss(rows)
        self.optimizer.zero_grad(set_to_none=True)
        (loss * weight).backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        [mean] = self.group.sum([float(loss.detach()) * weight / self.group.world_size], self.device)
        # a rank's bad loss has spread over the gradients of all, so all of them stop here, at the same step
        if not (math.isfinite(mean) and math.isfinite(float(norm))):
            doc_ids = [self.train.doc_ids[row] for row in rows.tolist()]
            raise TrainingFailed(
                f"the loss is not finite at step {step + 1} ({mean}), batch {', '.join(doc_ids[:5])} …; "
                "lower train.learning_rate or look at these documents",
                step=step + 1,
                doc_ids=doc_ids,
            )
        self.optimizer.step()
        return mean

    def loss(self, rows: Ints) -> tuple[Tensor, float]:
        """This rank's mean loss, and the weight that makes the mean over ranks the mean over the whole batch."""
        mine = shard(rows, self.group.rank, self.group.world_size)
        weight = len(mine) * self.group.world_size / len(rows)
        if not len(mine):
            mine = rows[:1]  # more ranks than documents: take part in the reduction, with weight 0
        inputs, labels = self._examples(mine)
        with machine.autocast(self.precision, self.device):
            out = self.forward(**inputs, labels=labels)
        return out.loss + self.penalty(self.model, inputs, out.logits) if self.penalty else out.loss, weight

    @torch.no_grad()
    def evaluate(self, split: Split) -> tuple[float, float] | None:
        """(mean loss, accuracy) of ``split`` over all ranks; None for an empty one."""
        if not len(split):
            return None
        self.model.eval()
        loss, right = 0.0, 0.0
        batches = in_length_order(split.corpus.lengths, EVALUATION_BATCH)
        for rows in batches[self.group.rank :: self.group.world_size]:
            labels = split.labels[torch.from_numpy(rows)].to(self.device)
            with machine.autocast(self.precision, self.device):
                out = self.model(**self._inputs(split, rows), labels=labels)
            loss += float(out.loss) * len(rows)
            right += int((out.logits.argmax(-1) == labels).sum())
        self.model.train()
        loss, right = self.group.sum([loss, right], self.device)
        return loss / len(split), right / len(split)

    def _examples(self, rows: Ints) -> tuple[dict[str, Tensor], Tensor]:
        """Inputs and labels of ``rows`` of the train split."""
        labels = self.train.labels[torch.from_numpy(rows)].to(self.device)
        return self._inputs(self.train, rows), labels

    def _inputs(self, split: Split, rows: Ints) -> dict[str, Tensor]:
        return {
            n: tensor.to(self.device, non_blocking=True) for n, tensor in collate(split.corpus, rows).items()
        }


def _place(model: AutoGLMModel, device: torch.device) -> None:
    model.to(device)
    model.backbone.set_attn_implementation(machine.attention(device))  # type: ignore[operator]
