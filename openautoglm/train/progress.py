"""What a run shows while it runs: a bar on a terminal, a line now and then elsewhere, and metrics.jsonl."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_PER_LINE = 15.0
STEPS_PER_RECORD = 10


@contextmanager
def counting(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Call what it yields with the number of documents done since the last call."""
    if sys.stderr.isatty():
        columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=total)
            yield lambda count: bar.advance(task, count)
        return
    done, last = 0, time.monotonic()

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        if time.monotonic() - last > SECONDS_PER_LINE:
            last = time.monotonic()
            print(f"{title}: {done:,} of {total:,} documents", flush=True)

    yield advance


class Reporter:
    """Only the leading rank shows anything; the others hold a silent one."""

    def __init__(self, metrics: Path, total: int, done: int, leads: bool) -> None:
        self.total, self.first, self.leads, self.last = total, done, leads, done
        self.file = metrics
        self.started = self.last_line = time.monotonic()
        self.documents = 0
        self.bar: Progress | None = None
        if leads:
            metrics.parent.mkdir(parents=True, exist_ok=True)
            if sys.stderr.isatty():
                columns = (TextColumn("train"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
                self.bar = Progress(*columns, TextColumn("{task.description}"), transient=True)
                self.bar.add_task("", total=total, completed=done)
            if done:
                self.say(f"train: resumed at step {done} of {total}")
            self.record(event="resumed" if done else "begun", step=done, total=total)

    def step(self, step: int, loss: float, documents: int, rate: float) -> None:
        """After each step; ``loss`` is that batch's mean, ``documents`` its size."""
        self.documents, self.last = self.documents + documents, step
        if not self.leads:
            return
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=step, description=f"loss {loss:.3f}")
        if step % STEPS_PER_RECORD == 0:
            self.record(
                event="step",
                step=step,
                total=self.total,
                loss=round(loss, 6),
                rate=round(rate, 6),
                speed=round(self.speed, 1),
            )
        if self.bar is None and time.monotonic() - self.last_line > SECONDS_PER_LINE:
            self.last_line = time.monotonic()
            self.say(
                f"train: step {step}/{self.total}, loss {loss:.3f}, {self.speed:.0f} documents/s, {self._left(step)} left"
            )

    def epoch(self, facts: dict[str, Any]) -> None:
        if self.leads:
            self.record(event="epoch", **facts)
            line = f"train: epoch {facts['epoch']}, loss {facts['train_loss']:.3f}"
            if facts["valid_loss"] is not None:
                line += f", valid loss {facts['valid_loss']:.3f}, accuracy {facts['valid_accuracy']:.4f}"
            self.say(line)

    @property
    def speed(self) -> float:
        """Documents per second since this process began to train."""
        return self.documents / max(time.monotonic() - self.started, 1e-9)

    def record(self, **facts: Any) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 3), **facts}) + "\n")

    def say(self, line: str) -> None:
        if self.bar is not None and self.bar.live.is_started:
            self.bar.console.print(line)
        else:
            print(line, flush=True)

    def _left(self, step: int) -> str:
        per_step = (time.monotonic() - self.started) / max(step - self.first, 1)
        seconds = per_step * (self.total - step)
        return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"

    def __enter__(self) -> Reporter:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.leads and kind is None:
            self.record(event="ended", step=self.last, total=self.total)
        if self.bar is not None:
            self.bar.stop()
