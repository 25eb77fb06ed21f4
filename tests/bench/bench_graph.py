"""Short texts a second: our parser to a whole graph, beside spaCy's blank tokenizer to mere tokens. One process each.

python tests/bench/bench_graph.py [texts.jsonl | texts.txt]
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

from openautoglm.graph import FastParser, FlatGraphs, GraphBuilder

ROUNDS = 5
TEXTS = 6_000

_OPENINGS = [
    "Hello, ",
    "I am worried because ",
    "Please tell me why ",
    "It is late and ",
    "Please help, ",
    "",
]
_SUBJECTS = [
    "my new card",
    "the transfer to Germany",
    "a payment of $25.50",
    "my Apple Pay top-up",
    "the refund for order 4711",
]
_VERBS = [
    "still hasn't arrived",
    "was declined twice",
    "is not showing in the app",
    "has been pending since Monday",
]
_ENDINGS = [
    ".",
    " and I need it",
    ", is it lost?",
    " since 12/05/2024!",
]


def sample() -> list[str]:
    """About 12 words a text, no two alike."""
    grid = product(_OPENINGS, _SUBJECTS, _VERBS, _ENDINGS, range(13))
    return ["".join(parts) + (f" No {number}." if number else "") for *parts, number in grid][:TEXTS]


def read(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines] if path.suffix == ".jsonl" else lines


def run(path: Path | None = None) -> dict[str, float]:
    """Documents a second of each (median of the rounds) and the ratio parser / tokenizer."""
    import spacy

    texts = read(path) if path else sample()
    tokenizer, parser = spacy.blank("en").tokenizer, FastParser()
    _, builder = GraphBuilder(parser).fit_build(
        texts, [""] * len(texts), [True] * len(texts), 10, 0.3, 5, workers=1
    )

    def ours() -> None:
        parser.parse_into(texts, FlatGraphs())

    def theirs() -> None:
        for text in texts:
            tokenizer(text)

    def whole() -> None:
        builder.build(texts, workers=1)

    contestants: list[Callable[[], None]] = [ours, theirs, whole]
    seconds = [_round(contestants) for _ in range(ROUNDS)]  # in turns: a busy minute hits all of them
    fast, blank, stored = (len(texts) / statistics.median(column) for column in zip(*seconds, strict=True))
    return {
        "texts": len(texts),
        "words_per_text": round(sum(len(text.split()) for text in texts) / len(texts), 1),
        "parser_per_second": round(fast),
        "parser_with_npmi_and_store_per_second": round(stored),
        "spacy_tokenizer_per_second": round(blank),
        "ratio": round(statistics.median(row[1] / row[0] for row in seconds), 2),
    }


def _round(contestants: list[Callable[[], None]]) -> list[float]:
    """Processor seconds of each, so that a neighbour on the machine does not count."""
    seconds = []
    for contestant in contestants:
        gc.collect()
        start = time.process_time()
        contestant()
        seconds.append(time.process_time() - start)
    return seconds


def row(found: dict[str, float]) -> str:
    return (
        f"graph parsing | {found['parser_per_second']:,} texts/s ({found['words_per_text']} words each; with NPMI edges "
        f"and flat arrays {found['parser_with_npmi_and_store_per_second']:,}) | spaCy blank tokenizer "
        f"{found['spacy_tokenizer_per_second']:,} | ×{found['ratio']}"
    )


if __name__ == "__main__":
    print(row(run(Path(sys.argv[1]) if len(sys.argv) > 1 else None)))
