"""A data set that arrives in batches of new classes: naive, replay, analytic and joint training in one table.

    python examples/continual_banking77.py banking77/
    python examples/continual_banking77.py FOLDER --batches 10 --methods analytic
    python examples/continual_banking77.py FOLDER --write batches/     # as files, for `autoglm ingest`

FOLDER holds train.jsonl, valid.jsonl and test.jsonl with the fields id, text and label. BANKING77 in 7 batches of 11
classes takes seventeen minutes of two cores, the analytic row alone two. Each method starts from the
pretrained backbone; the table's cost columns are means over the batches after the first.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np

from openautoglm.corpus import Corpus, Document
from openautoglm.errors import SourceError
from openautoglm.evaluate.continual import Chain, group_scores
from openautoglm.evaluate.predict import Reader
from openautoglm.files import fingerprint, sha256_file
from openautoglm.graph import GraphBatch, GraphBuilder
from openautoglm.model.checkpoint import MODEL_FILES, WEIGHTS, Checkpoint
from openautoglm.params import Params
from openautoglm.release.delta import diff
from openautoglm.train import analytic, replay
from openautoglm.train.job import Job
from openautoglm.train.run import train

ROOT = Path(__file__).resolve().parents[1]
SPLITS = ("train", "valid", "test")
SHUFFLED = 3  # random orders of the batches that the analytic head is tried in


@dataclass(frozen=True)
class Stream:
    """The documents with the batch that brought them, and their graphs; ``batches`` in order of arrival."""

    corpus: Corpus
    graphs: GraphBatch
    batches: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path, count: int, params: Params, seed: int = 0) -> Stream:
        rows = [(split, row) for split in SPLITS for row in read_rows(folder / f"{split}.jsonl")]
        labels = sorted({row["label"] for split, row in rows if split == "train"})
        if never := sorted({row["label"] for _, row in rows} - set(labels)):
            raise SourceError(
                f"{folder}: train.jsonl has no document of {', '.join(never[:3])}, other splits do"
            )
        random.Random(seed).shuffle(labels)
        batch_of = {label: f"batch{i * count // len(labels) + 1}" for i, label in enumerate(labels)}
        documents = [
            Document(str(row["id"]), row["text"], row["label"], split, batch_of[row["label"]])
            for split, row in rows
        ]
        corpus, batches = Corpus.from_documents(documents), tuple(dict.fromkeys(batch_of.values()))
        # parsed once, as the first batch would have it: what a release says about texts stays while it lives
        graph = params.graph
        graphs, _ = GraphBuilder.from_params(graph).fit_build(
            corpus.column("text"),
            corpus.column("doc_id"),
            [d.split == "train" and d.batch == batches[0] for d in documents],
            graph.npmi_window,
            graph.npmi_min,
            graph.npmi_min_count,
        )
        return cls(corpus, graphs, batches)

    def upto(self, order: tuple[str, ...]) -> Stream:
        """The documents of the batches in ``order``, in that order."""
        batch = self.corpus.column("batch")
        place = {name: number for number, name in enumerate(order)}
        rows = sorted((i for i, b in enumerate(batch) if b in place), key=lambda i: place[batch[i]])
        return Stream(Corpus(self.corpus.table.take(rows)), self.graphs.select(rows), order)

    def write(self, folder: Path) -> None:
        """One JSONL file a batch, as `autoglm ingest` takes them."""
        folder.mkdir(parents=True, exist_ok=True)
        columns = {name: self.corpus.column(name) for name in ("doc_id", "text", "label", "split", "batch")}
        for batch in self.batches:
            rows = [
                {"id": doc_id, "text": text, "label": label, "split": split}
                for doc_id, text, label, split, its_batch in zip(*columns.values(), strict=True)
                if its_batch == batch
            ]
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"{batch}.jsonl").write_text(lines, encoding="utf-8")
            print(f"{folder / batch}.jsonl: {len(rows)} documents")

    def save(self, folder: Path, params: Params, parent: Path | None) -> Job:
        self.corpus.save(folder / "corpus")
        self.graphs.save(folder / "graphs")
        return Job(params.train, folder / "corpus", folder / "graphs", folder.parent / "train", parent)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Raises SourceError: no such file, or a line of it has no id, text and label."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from None
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not {"id", "text", "label"} <= row.keys():
            raise SourceError(f"{path}: row {number}: expected an object with id, text and label")
    return rows


def named(text: str) -> list[str]:
    """Comma-separated methods."""
    names = text.split(",")
    if unknown := [name for name in names if name not in METHODS]:
        raise argparse.ArgumentTypeError(f"no method {unknown[0]!r}; choose from {', '.join(METHODS)}")
    return names


Learn = Callable[[Job, Params, tuple[str, ...], Path], None]


def fine_tune(job: Job, params: Params, seen: tuple[str, ...], out: Path) -> None:
    train(job, out, out.with_suffix(".jsonl"))


def replaying(**changes: object) -> Learn:
    """Replay with some values of ``continual`` changed."""

    def learn(job: Job, params: Params, seen: tuple[str, ...], out: Path) -> None:
        if job.parent is None:
            return fine_tune(job, params, seen, out)
        continual = params.continual.model_copy(update=changes)
        replay.learn(job, continual, seen, out, out.with_suffix(".jsonl"))

    return learn


def analytically(job: Job, params: Params, seen: tuple[str, ...], out: Path) -> None:
    analytic.learn(job, params.continual, out, out.with_suffix(".jsonl"))


METHODS: dict[str, Learn] = {
    "naive": replaying(replay_per_class=0),
    "replay": replaying(),
    "analytic": analytically,
    "joint": fine_tune,
    "replay-lora": replaying(replay_layers="lora:8"),
    "replay-ewc": replaying(penalty="ewc", penalty_weight=1000.0),
    "replay-lwf": replaying(penalty="lwf"),
}
DEFAULT = "naive,replay,analytic,joint"


@dataclass(frozen=True)
class Row:
    """A line of the table; ``cpu`` seconds and ``delta`` bytes a batch after the first (joint: all at once).

    ``release``: fingerprint of what nodes would get in the end.
    """

    method: str
    chain: Chain
    cpu: float
    delta: float | None
    release: str

    def __str__(self) -> str:
        found, joint = self.chain.summary(), self.delta is None
        cells = [f"{100 * found['average_accuracy']:.1f}"]
        cells += [
            "–" if joint else f"{100 * found[name]:.1f}"
            for name in ("incremental_accuracy", "forgetting", "backward_transfer")
        ]
        cells += [f"{self.cpu:.1f}", "–" if self.delta is None else f"{self.delta / 1e6:.2f} MB"]
        return f"| {self.method} | " + " | ".join(cells) + " |"


HEAD = """| method | final accuracy | mean over batches | forgetting | backward transfer | CPU s a batch | delta a batch |
|---|---|---|---|---|---|---|"""


def run(method: str, stream: Stream, order: tuple[str, ...], params: Params, folder: Path) -> Row:
    """Learn batch after batch (joint: all at once), sit the exam of all classes so far after each."""
    groups = dict(zip(stream.corpus.column("label"), stream.corpus.column("batch"), strict=True))
    steps = [order] if method == "joint" else [order[: i + 1] for i in range(len(order))]
    rows, costs, deltas, last = [], [], [], None
    for number, there in enumerate(steps):
        part = stream.upto(there)
        job = part.save(folder / f"{method}-data", params, last.path if last else None)
        started = time.process_time()
        METHODS[method](job, params, there[:-1], folder / f"{method}-{number}")
        costs.append(time.process_time() - started)
        found = Checkpoint.load(folder / f"{method}-{number}")
        if last:
            delta = folder / "delta"
            diff(last.path / WEIGHTS, found.path / WEIGHTS, delta)
            deltas.append(delta.stat().st_size)
        rows.append(
            examined(Reader.of(found, folder / "features", precision=params.train.precision), part, groups)
        )
        last = found
        scores = " ".join(f"{100 * score:.1f}" for score in rows[-1].values())
        print(f"{method} after {there[-1]}: {scores} ({costs[-1]:.1f} CPU s)", file=sys.stderr, flush=True)
    assert last is not None
    return Row(
        method, Chain.of(rows), mean(costs[1:] or costs), mean(deltas) if deltas else None, released(last)
    )


def examined(reader: Reader, stream: Stream, groups: dict[str, str]) -> dict[str, float]:
    """Accuracy on the test documents of each batch so far, all classes so far to choose from."""
    splits = stream.corpus.column("split")
    rows = [i for i, split in enumerate(splits) if split == "test"]
    test = Corpus(stream.corpus.table.take(rows))
    names = reader.labels
    number = {name: index for index, name in enumerate(names)}
    actual = np.array([number[label] for label in test.column("label")])
    right = reader.read(test, stream.graphs.select(rows)).logits.argmax(axis=1) == actual
    return group_scores(actual, right, names, groups)


def released(checkpoint: Checkpoint) -> str:
    """sha256 of what nodes would get of it."""
    return fingerprint({name: sha256_file(checkpoint.path / name) for name in (WEIGHTS, *MODEL_FILES)})


def other_orders(batches: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Reverse, and ``SHUFFLED`` at random, the same ones each time."""
    random_ones = random.Random(1)
    return [batches[::-1], *(tuple(random_ones.sample(batches, len(batches))) for _ in range(SHUFFLED))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batches", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=3, help="passes over a batch, or over all for joint")
    parser.add_argument("--backbone", help="another than train.backbone")
    parser.add_argument("--methods", type=named, default=DEFAULT, help=f"of {', '.join(METHODS)}")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="only write the batches there, as files")
    chosen = parser.parse_args()
    params = Params.load(ROOT / "params.yaml")
    settings = {"parent": None, **({"backbone": chosen.backbone} if chosen.backbone else {})}
    # a model that learns on from a parent makes half as many passes
    chained, joint = (
        params.model_copy(update={"train": params.train.model_copy(update={**settings, "epochs": epochs})})
        for epochs in (2 * chosen.epochs, chosen.epochs)
    )
    try:
        stream = Stream.read(chosen.folder, chosen.batches, params)
    except SourceError as error:
        parser.error(error.message)
    if chosen.write:
        stream.write(chosen.write)
        return
    with tempfile.TemporaryDirectory() as name:
        rows = []
        for method in chosen.methods:
            rows.append(
                run(method, stream, stream.batches, joint if method == "joint" else chained, Path(name))
            )
        print(HEAD, *rows, sep="\n")
        for row in rows:
            if row.method == "analytic":
                ends = {
                    run("analytic", stream, order, chained, Path(name)).release
                    for order in other_orders(stream.batches)
                }
                same = "the same" if ends == {row.release} else "ANOTHER"
                print(
                    f"\nThe batches in reverse and in {SHUFFLED} random orders: {same} release, {row.release[:12]}."
                )


if __name__ == "__main__":
    main()
