"""The training loop, in time order: batches, rates, steps, checkpoints, a look at valid after each epoch, the best weights.

`fit` runs in every process of the group with the same job; what differs between them is their rank alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
from openautoglm.train.optimizer import build_optimizer, rate, set_rates
from openautoglm.train.prepare import Split, prepare
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
    group, params = group or Group(), job.params
    machine.use_all_cores(params.world_size)
    device = machine.choose_device(group.local_rank)
    precision = machine.choose_precision(params.precision, device)
    found = prepare(job)
    model = found.model
    vocabulary = Vocabulary.of([found.train.corpus, found.valid.corpus], model.word_embeddings.num_embeddings)
    table = table_name(model)
    full = vocabulary.narrow_model(model).cpu()
    train, valid = _narrowed(found.train, vocabulary), _narrowed(found.valid, vocabulary)

    torch.manual_seed(params.seed + group.rank)  # dropout differs between ranks
    model.to(device)
    model.backbone.set_attn_implementation(machine.attention(device))  # type: ignore[operator]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".pooler." not in name)  # nothing reads a pooler's output
    optimizer = build_optimizer(model, params)
    position = state.load_step(job.state, model, optimizer, group)
    forward: Forward = wrap(model) if wrap else model

    sampler = BucketSampler(train.corpus.lengths, params.batch_size, params.seed)
    total = job.epochs * len(sampler)
    with Reporter(job.state / "metrics.jsonl", total, position.step, group.leads) as reporter:
        while position.epoch < job.epochs and not _stale(position, params.patience):
            batches = sampler.epoch(position.epoch)
            while position.batch < len(batches):
                rows = batches[position.batch]
                set_rates(optimizer, position.step, total, params.warmup)
                with machine.autocast(precision, device):
                    loss, weight = _loss(forward, train, rows, group, device)
                mean = _step(model, optimizer, loss, weight, group, rows, train, position)
                position.step += 1
                position.batch += 1
                position.loss_sum += mean * len(rows)
                position.seen += len(rows)
                reporter.step(position.step, mean, len(rows), rate(position.step, total, params.warmup))
                if position.step % params.checkpoint_every == 0:
                    state.save_step(job.state, position, model, optimizer, group)
            with machine.autocast(precision, device):
                exam = evaluate(model, valid, group, device)
            if _close_epoch(position, exam) and group.leads:
                state.save_best(job.state, position.step, model)
            reporter.epoch(position.history[-1])
        speed = reporter.speed if reporter.documents else None
    if group.leads:
        best = load_file(state.best_file(job.state, position.best_step))
        facts = {**found.facts, **_facts(position, params, precision), "samples_per_second": speed}
        state.finish(job.state, vocabulary.widen(best, table, full), facts)
    group.wait()


def evaluate(
    model: AutoGLMModel, split: Split, group: Group, device: torch.device
) -> tuple[float, float] | None:
    """(mean loss, accuracy) of ``split`` over all ranks; None for an empty one."""
    if not len(split):
        return None
    training = model.training
    model.eval()
    loss, right = 0.0, 0.0
    batches = in_length_order(split.corpus.lengths, EVALUATION_BATCH)
    with torch.no_grad():
        for rows in batches[group.rank :: group.world_size]:
            labels = split.labels[torch.from_numpy(rows)].to(device)
            out = model(**_to(collate(split.corpus, rows), device), labels=labels)
            loss += float(out.loss) * len(rows)
            right += int((out.logits.argmax(-1) == labels).sum())
    model.train(training)
    loss, right = group.sum([loss, right], device)
    return loss / len(split), right / len(split)


def _loss(
    forward: Forward, split: Split, rows: Ints, group: Group, device: torch.device
) -> tuple[Tensor, float]:
    """This rank's mean loss, and the weight that makes the mean over ranks the mean over the whole batch."""
    mine = shard(rows, group.rank, group.world_size)
    weight = len(mine) * group.world_size / len(rows)
    if not len(mine):
        mine = rows[:1]  # more ranks than documents: take part in the reduction, with weight 0
    labels = split.labels[torch.from_numpy(mine)].to(device)
    return forward(**_to(collate(split.corpus, mine), device), labels=labels).loss, weight


def _step(
    model: AutoGLMModel,
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    weight: float,
    group: Group,
    rows: Ints,
    split: Split,
    position: Position,
) -> float:
    """One update; the batch's mean loss over all ranks."""
    optimizer.zero_grad(set_to_none=True)
    (loss * weight).backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    [mean] = group.sum([float(loss.detach()) * weight / group.world_size], loss.device)
    # a rank's bad loss has spread over the gradients of all, so all of them stop here, at the same step
    if not (math.isfinite(mean) and math.isfinite(float(norm))):
        doc_ids = [split.doc_ids[row] for row in rows.tolist()]
        raise TrainingFailed(
            f"the loss is not finite at step {position.step + 1} ({mean}), batch {', '.join(doc_ids[:5])} …; "
            "lower train.learning_rate or look at these documents",
            step=position.step + 1,
            doc_ids=doc_ids,
        )
    optimizer.step()
    return mean


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


def _narrowed(split: Split, vocabulary: Vocabulary) -> Split:
    return Split(vocabulary.narrow_corpus(split.corpus), split.labels, split.doc_ids)


def _to(inputs: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    if device.type == "cpu":
        return inputs
    return {name: tensor.to(device, non_blocking=True) for name, tensor in inputs.items()}
