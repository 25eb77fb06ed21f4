"""The training loop, in time order: batches, rates, steps, checkpoints, a look at valid after each epoch, the best weights.

`fit` runs in every process of the group with the same job; what differs between them is their rank alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from safetensors.torch import load_file

from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.params import TrainParams
from openautoglm.train import state
from openautoglm.train.group import Group
from openautoglm.train.job import Job
from openautoglm.train.lora import merged
from openautoglm.train.machine import sums_in_order
from openautoglm.train.optimizer import rate, set_rates
from openautoglm.train.prepare import prepare
from openautoglm.train.progress import Reporter
from openautoglm.train.sampler import BucketSampler
from openautoglm.train.state import Position
from openautoglm.train.step import Forward, Run


@sums_in_order()
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
                state.save_best(job.state, position.step, merged(run.model))
            reporter.epoch(position.history[-1])
        speed = reporter.speed if reporter.documents else None
    if run.group.leads:
        best_weights = load_file(state.best_file(job.state, position.best_step))
        facts = {**run.facts, **_facts(position, params, run.precision), "samples_per_second": speed}
        state.finish(job.state, run.vocabulary.widen(best_weights, run.table, run.full), facts)
    run.group.wait()


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
