"""The training loop, in time order: batches, rates, steps, checkpoints, a look at valid after each epoch, the best weights.

`fit` runs in every process of the group with the same job; what differs between them is their rank alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from openautoglm.errors import TrainingFailed
from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.encode import collate
from openautoglm.params import TrainParams
from openautoglm.train import machine, state
from openautoglm.train.group import Group
from openautoglm.train.job import Job
from openautoglm.train.optimizer import build_optimizer, rate, set_rates, trains
from openautoglm.train.prepare import Prepared, Split, prepare
from openautoglm.train.progress import Reporter
from openautoglm.train.sampler import BucketSampler, Ints, in_length_order, shard
from openautoglm.train.state import Position
from openautoglm.train.vocabulary import Vocabulary, table_name

CLIP = 1.0  # largest gradient norm
EVALUATION_BATCH = 64

Forward = Callable[..., Any]  # the model, or DDP around it


def fit(job: Job, group: Group | None = None, wrap: Callable[[AutoGLMModel], Forward] | None = None) -> None:
    """Train from the last checkpoint in ``job.state``, or from the start; leaves ``job.state/final``.

    Raises:
        TrainingFailed: the loss is not finite; facts: step, doc_ids.
    """
    params = job.params
    run = Run.begin(prepare(job), params, group or Group())
    run.model.train()
    position = state.load_step(job.state, run.model, run.optimizer, run.group)
    run.forward = wrap(run.model) if wrap else run.model
    sampler = BucketSampler(run.train.corpus.lengths, params.batch_size, params.seed)
    total = job.epochs * len(sampler)
    with Reporter(job.state / "metrics.jsonl", total, position.step, run.group.leads) as reporter:
        while position.epoch < job.epochs and not _stale(position, params.patience):
            for rows in sampler.epoch(position.epoch)[position.batch :]:
                set_rates(run.optimizer, position.step, total, params.warmup)
                loss = run.update(rows, position.step)
                position.count(loss, len(rows))
                reporter.step(position.step, loss, len(rows), rate(position.step, total, params.warmup))
                if position.step % params.checkpoint_every == 0:
                    state.save_step(job.state, position, run.model, run.optimizer, run.group)
            best = _close_epoch(position, run.evaluate(run.valid))
            if best and run.group.leads:
                state.save_best(job.state, position.step, run.model)
            reporter.epoch(position.history[-1])
        speed = reporter.speed if reporter.documents else None
    if run.group.leads:
        best_weights = load_file(state.best_file(job.state, position.best_step))
        facts = {**run.facts, **_facts(position, params, run.precision), "samples_per_second": speed}
        state.finish(job.state, run.vocabulary.widen(best_weights, run.table, run.full), facts)
    run.group.wait()


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

    @classmethod
    def begin(cls, found: Prepared, params: TrainParams, group: Group) -> Run:
        machine.use_all_cores(params.world_size)
        device = machine.choose_device(group.local_rank)
        model, splits = found.model, [found.train, found.valid]
        vocabulary = Vocabulary.of([s.corpus for s in splits], model.word_embeddings.num_embeddings)
        table = table_name(model)
        full = vocabulary.narrow_model(model)
        train, valid = (Split(vocabulary.narrow_corpus(s.corpus), s.labels, s.doc_ids) for s in splits)
        torch.manual_seed(params.seed + group.rank)  # dropout differs between ranks
        model.to(device)
        model.backbone.set_attn_implementation(machine.attention(device))  # type: ignore[operator]
        for name, parameter in model.named_parameters():
            # nothing reads a pooler's output
            parameter.requires_grad_(".pooler." not in name and trains(name, found.layers, model))
        return cls(
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
        labels = self.train.labels[torch.from_numpy(mine)].to(self.device)
        inputs = self._inputs(self.train, mine)
        with machine.autocast(self.precision, self.device):
            return self.forward(**inputs, labels=labels).loss, weight

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

    def _inputs(self, split: Split, rows: Ints) -> dict[str, Tensor]:
        return {
            n: tensor.to(self.device, non_blocking=True) for n, tensor in collate(split.corpus, rows).items()
        }


def _close_epoch(position: Position, exam: tuple[float, float] | None) -> bool:
    """Add the epoch to the history; True where it is the best so far. Without valid documents the last one is."""
    train_loss = position.loss_sum / position.seen
    loss, accuracy = exam or (None, None)
    best = loss is None or position.best_loss is None or loss < position.best_loss
    position.epoch += 1
    position.batch, position.loss_sum, position.seen = 0, 0.0, 0
    if best:
        position.best_epoch, position.best_step, position.best_loss = position.epoch, position.step, loss
    position.history.append(
        {
            "epoch": position.epoch,
            "step": position.step,
            "train_loss": round(train_loss, 6),
            "valid_loss": None if loss is None else round(loss, 6),
            "valid_accuracy": None if accuracy is None else round(accuracy, 6),
        }
    )
    return best


def _stale(position: Position, patience: int) -> bool:
    return position.epoch - position.best_epoch >= patience


def _facts(position: Position, params: TrainParams, precision: str) -> dict[str, Any]:
    best = position.history[position.best_epoch - 1]
    return {
        "history": position.history,
        "steps": position.step,
        "best_epoch": position.best_epoch,
        "valid_loss": best["valid_loss"],
        "valid_accuracy": best["valid_accuracy"],
        "precision": precision,
        "text_only": params.text_only,
        "backbone": params.backbone,
    }
