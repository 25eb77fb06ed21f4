"""Chains of versions for the delta bench: real fine-tuning of the real backbone, kept under .benchmarks/.

A model on the packaged MiniLM (mean pool and a linear head: the text path alone, as the numbers of the literature are)
learns 60 % of the training documents. From there each version is some steps further on; half of each batch comes from a
slice of 20 % that the version before had not seen, this one or that by turns. AdamW starts fresh for each version, and
its rate falls to zero.

    full   all weights        masters in fp32, and bf16 of them
    top-2  the last 2 layers  bf16, from version 1 of full
    lora   rank 8 on queries and values, merged into the weights: bf16, from version 1 of full
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrize

from openautoglm.corpus import Corpus, Document
from openautoglm.corpus.sample import write_sample
from openautoglm.files import fingerprint, fresh_dir, load_json, save_json
from openautoglm.graph import GraphBatch, SemanticGraph
from openautoglm.model.checkpoint import canonical
from openautoglm.model.encode import collate
from openautoglm.params import Params
from openautoglm.train.group import Group
from openautoglm.train.job import Job
from openautoglm.train.optimizer import build_optimizer, set_rates
from openautoglm.train.prepare import prepare
from openautoglm.train.sampler import in_length_order
from openautoglm.train.step import Run

HOME = Path(".benchmarks/delta")
OLD, SLICE, RANK, BATCH = 0.60, 0.20, 8, 16
RATES = {"full": 2e-5, "top-2": 2e-5, "lora": 2e-4}
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Recipe:
    """``data``: a folder with train.jsonl and test.jsonl (id, text, label), or None for the built-in sample."""

    data: str | None = None
    backbone: str = "all-MiniLM-L6-v2"
    first_steps: int = 1500
    steps: int = 100
    updates: int = 8

    def rows(self) -> tuple[Rows, Rows]:
        """(train, test)"""
        if self.data:
            return _read(Path(self.data) / "train.jsonl"), _read(Path(self.data) / "test.jsonl")
        with TemporaryDirectory() as folder:
            rows = _read(write_sample(Path(folder))[0])
        test = {row["id"] for row in rows if int(fingerprint(row["id"].encode())[:8], 16) % 4 == 0}
        return [row for row in rows if row["id"] not in test], [row for row in rows if row["id"] in test]


@dataclass(frozen=True)
class Chains:
    """``folder`` holds <kind>-<number>.<precision>; ``exams``: of each version of full, on the test documents.

    ``updates`` of each kind: full from its version 0, the others from version 1 of full, so that the second update of
    one and the first of the others have the same base.
    """

    folder: Path
    updates: int
    exams: list[dict[str, float]]
    documents: dict[str, int]

    def files(self, kind: str, precision: str) -> list[Path]:
        """Base first, then each version that follows from it."""
        first = 0 if kind == "full" else 1
        numbers = range(first, first + self.updates + 1)
        return [self.folder / f"{kind}-{number}.{precision}" for number in numbers]


def chains(recipe: Recipe, home: Path = HOME) -> Chains:
    """Those of an earlier run of the same recipe, or new ones: minutes on a CPU."""
    train, test = recipe.rows()
    folder = home / fingerprint({**asdict(recipe), "data": [train, test], "form": 2})[:12]
    if not folder.is_dir():
        with fresh_dir(folder) as fresh:
            save_json(fresh / "facts.json", _make(recipe, train, test, fresh))
    facts: dict[str, Any] = load_json(folder / "facts.json")
    return Chains(folder, recipe.updates, facts["exams"], facts["documents"])


def _make(recipe: Recipe, train: Rows, test: Rows, folder: Path) -> dict[str, Any]:
    train = sorted(train, key=lambda row: fingerprint(row["id"].encode()))
    exams: list[dict[str, float]] = []
    base: dict[str, Tensor] = {}
    with TemporaryDirectory() as scratch:
        job = _job(Path(scratch), recipe, train, test)
        for kind in RATES:
            run = Run.begin(
                replace(prepare(job), layers="top:2" if kind == "top-2" else "all"), job.params, Group()
            )
            if kind == "full":
                _train(
                    run, job, {"backbone": 1e-4, "head": 2e-3}, _batches(recipe.first_steps, len(train), 0)
                )
            else:
                run.model.load_state_dict(base)
            if kind == "lora":
                _adapt(run.model)
            start = 0 if kind == "full" else 1
            for number in range(start, start + recipe.updates + 1):
                if number > start:
                    rates = dict.fromkeys(("backbone", "head"), RATES[kind])
                    _train(run, job, rates, _batches(recipe.steps, len(train), number))
                _save(run, folder, kind, number)
                if kind == "full":
                    exams.append(_exam(run))
                if kind == "full" and number == 1:
                    base = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
                print(f"  {kind} {number}", exams[-1] if kind == "full" else "", flush=True)
    return {"exams": exams, "documents": {"train": len(train), "test": len(test)}}


def _job(folder: Path, recipe: Recipe, train: Rows, test: Rows) -> Job:
    """The project's own params and preparation; the test documents take the place of the valid split."""
    documents = [
        Document(row["id"], row["text"], row["label"], split, "bench")
        for split, rows in (("train", train), ("valid", test))
        for row in rows
    ]
    Corpus.from_documents(documents).save(folder / "corpus")
    nothing = [SemanticGraph((), ())] * len(documents)
    GraphBatch.from_graphs(nothing, [d.doc_id for d in documents]).save(folder / "graphs")
    params = Params.load().train.model_copy(
        update={
            "backbone": recipe.backbone,
            "parent": None,
            "text_only": True,
            "max_tokens": 32,
            "batch_size": BATCH,
            "precision": "auto",
        }
    )
    return Job(params, folder / "corpus", folder / "graphs", folder / "runs")


def _batches(steps: int, documents: int, number: int) -> Iterator[np.ndarray[Any, Any]]:
    """Rows of the training documents: the first 60 %, and from version 1 on half of each batch from its own slice."""
    random = np.random.default_rng([13, number])
    old, size = int(OLD * documents), max(int(SLICE * documents), 1)
    for _ in range(steps):
        if number == 0:
            yield random.integers(0, old, BATCH)
            continue
        start = old + (number - 1) % 2 * size
        fresh = random.integers(start, start + size, BATCH // 2) % documents
        yield np.concatenate([random.integers(0, old, BATCH // 2), fresh])


def _train(run: Run, job: Job, rates: Mapping[str, float], batches: Iterator[np.ndarray[Any, Any]]) -> None:
    peaks = {"learning_rate": rates["backbone"], "head_learning_rate": rates["head"]}
    run.optimizer = build_optimizer(run.model, job.params.model_copy(update=peaks))
    run.model.train()
    todo = list(batches)
    for step, rows in enumerate(todo):
        set_rates(run.optimizer, step, len(todo), warmup=0.0)
        run.update(rows, step)


class LowRank(nn.Module):
    """weight → weight + B A (arXiv 2106.09685); B starts at zero."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(RANK, weight.shape[1]) / weight.shape[1] ** 0.5)
        self.up = nn.Parameter(torch.zeros(weight.shape[0], RANK))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


def _adapt(model: nn.Module) -> None:
    """Train low-rank additions to queries and values, and the head."""
    torch.manual_seed(13)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith("backbone."))
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and name.rsplit(".", 1)[-1] in ("query", "value", "q_lin", "v_lin"):
            parametrize.register_parametrization(module, "weight", LowRank(module.weight))


def _merged(model: nn.Module) -> dict[str, Tensor]:
    state = {k: v.detach() for k, v in model.state_dict().items() if ".parametrizations." not in k}
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            state[f"{name}.weight"] = module.weight.detach()
    return dict(sorted(state.items()))


def _save(run: Run, folder: Path, kind: str, number: int) -> None:
    state = run.vocabulary.widen(_merged(run.model), run.table, run.full)
    rounded = {name: canonical(tensor) for name, tensor in state.items()}
    save_file(rounded, folder / f"{kind}-{number}.bf16", metadata={"format": "pt"})
    if kind == "full":
        masters = {name: tensor.contiguous() for name, tensor in state.items()}
        save_file(masters, folder / f"{kind}-{number}.fp32", metadata={"format": "pt"})


def _exam(run: Run) -> dict[str, float]:
    """Accuracy (0-1) of the master and of what is published of it, and the share of equal answers."""
    master = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    ours = _answers(run)
    run.model.load_state_dict({name: canonical(tensor).to(tensor.dtype) for name, tensor in master.items()})
    published = _answers(run)
    run.model.load_state_dict(master)
    right = run.valid.labels
    return {
        "fp32": round(float((ours == right).float().mean()), 6),
        "bf16": round(float((published == right).float().mean()), 6),
        "agreement": round(float((ours == published).float().mean()), 6),
    }


@torch.inference_mode()
def _answers(run: Run) -> Tensor:
    run.model.eval()
    answers = torch.zeros(len(run.valid), dtype=torch.int64)
    for rows in in_length_order(run.valid.corpus.lengths, 64):
        inputs = collate(run.valid.corpus, rows)
        answers[torch.from_numpy(rows)] = run.model(**inputs).logits.argmax(-1)
    return answers


def _read(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
