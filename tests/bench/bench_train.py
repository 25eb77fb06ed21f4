"""Training on the built-in sample: our loop beside transformers.Trainer, and what the graph costs of a step.

python -m tests.bench.bench_train [BACKBONE]

Same backbone, texts, batch size, precision, gradient clipping, AdamW, and the rounds take turns. What differs, on
purpose: the Trainer is as a user gets it by default (random batches padded to the longest, torch's fused attention,
attention dropout as the backbone ships it, every row of the embedding table in the optimizer, a pooler), and trains
no graph path. Ours reads the graphs as well. Neither evaluates nor saves while it is timed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from openautoglm.corpus import Corpus, Document
from openautoglm.corpus.sample import write_sample
from openautoglm.graph import GraphBatch, parse
from openautoglm.model.backbone import DEFAULT, TINY, find, load_tokenizer
from openautoglm.params import Params
from openautoglm.train import machine
from openautoglm.train.group import Group
from openautoglm.train.job import Job
from openautoglm.train.optimizer import set_rates
from openautoglm.train.prepare import prepare
from openautoglm.train.sampler import BucketSampler
from openautoglm.train.step import Run

ROUNDS, STEPS, WARM = 3, 24, 4


def run(backbone: str = DEFAULT) -> dict[str, float]:
    """Documents a second of both (medians of the rounds), their ratio, and the graph's share (0-1) of our step."""
    assert backbone != TINY, "the Trainer needs a backbone in a folder"
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        documents = _documents(folder)
        ours, theirs = Ours(folder, documents, backbone), Theirs(folder, documents, backbone)
        speeds: dict[str, list[float]] = {"graph": [], "text": [], "trainer": []}
        for _ in range(ROUNDS):
            speeds["graph"].append(ours.steps(graph=True))
            speeds["trainer"].append(theirs.steps())
            speeds["text"].append(ours.steps(graph=False))
    found = {name: median(values) for name, values in speeds.items()}
    return {
        "documents_per_second": round(found["graph"], 1),
        "trainer_documents_per_second": round(found["trainer"], 1),
        "ratio": round(median(a / b for a, b in zip(speeds["graph"], speeds["trainer"], strict=True)), 2),
        "graph_share": round(
            median(1 - a / b for a, b in zip(speeds["graph"], speeds["text"], strict=True)), 3
        ),
    }


class Ours:
    """The stage's own steps on the stage's own batches."""

    def __init__(self, folder: Path, documents: list[Document], backbone: str) -> None:
        Corpus.from_documents(documents).save(folder / "corpus")
        graphs = [parse(document.text or "") for document in documents]
        GraphBatch.from_graphs(graphs, [d.doc_id for d in documents]).save(folder / "graphs")
        params = Params.load().train.model_copy(update={"backbone": backbone, "parent": None})
        job = Job(params, folder / "corpus", folder / "graphs", folder / "runs")
        self.run = Run.begin(prepare(job), params, Group())
        self.run.model.train()
        sampler = BucketSampler(self.run.train.corpus.lengths, params.batch_size, params.seed)
        self.batches = sampler.epoch(0)[: WARM + STEPS]

    @machine.sums_in_order()
    def steps(self, graph: bool) -> float:
        self.run.model.use_graph = graph
        for number, rows in enumerate(self.batches):
            if number == WARM:
                start = time.perf_counter()
            set_rates(self.run.optimizer, number, 1000, 0.1)
            self.run.update(rows, number)
        return sum(map(len, self.batches[WARM:])) / (time.perf_counter() - start)


class Theirs:
    """transformers.Trainer with its defaults."""

    def __init__(self, folder: Path, documents: list[Document], backbone: str) -> None:
        from transformers import AutoModelForSequenceClassification, TrainingArguments

        params = Params.load().train
        home = find(backbone)
        self.tokenizer = load_tokenizer(home)
        labels = sorted({document.label for document in documents})
        self.rows = [
            {
                **self.tokenizer(d.text, truncation=True, max_length=params.max_tokens),
                "label": labels.index(d.label),
            }
            for d in documents
        ]
        self.model = AutoModelForSequenceClassification.from_pretrained(
            home, num_labels=len(labels), dtype=torch.float32
        )
        self.size = params.batch_size
        device = machine.choose_device()
        self.arguments = TrainingArguments(
            output_dir=str(folder / "trainer"),
            per_device_train_batch_size=self.size,
            learning_rate=params.learning_rate,
            max_steps=WARM + STEPS,
            bf16=machine.choose_precision(params.precision, device) == "bf16",
            use_cpu=device.type == "cpu",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
        )

    def steps(self) -> float:
        from transformers import DataCollatorWithPadding, Trainer, TrainerCallback

        class Watch(TrainerCallback):  # type: ignore[misc]
            start = stop = 0.0

            def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if state.global_step == WARM:
                    self.start = time.perf_counter()

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                self.stop = time.perf_counter()

        watch = Watch()
        collator = DataCollatorWithPadding(self.tokenizer)
        Trainer(
            self.model, self.arguments, data_collator=collator, train_dataset=self.rows, callbacks=[watch]
        ).train()
        return STEPS * self.size / (watch.stop - watch.start)


def _documents(folder: Path) -> list[Document]:
    import json

    lines = write_sample(folder)[0].read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [Document(str(i), r["text"], r["label"], "train", "1") for i, r in enumerate(rows)]


if __name__ == "__main__":
    for name, value in run(*sys.argv[1:]).items():
        print(f"{name:<30} {value:9.3f}")
