"""The built-in sample: a support desk in three batches, written by a small grammar, the same for the same seed.

    python -m openautoglm.corpus.sample inbox-sample

Batch 1 has 24 intents in 4 domains, batch 2 speaks of the same ones in new words and brings 6 new ones, batch 3 is
batch 2's kind with damage. docs/sample-data-card.md says what it is for and how hard.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from openautoglm.corpus.sample_damage import damage
from openautoglm.corpus.sample_grammar import (
    ASIDES_WITH_SAYS,
    ASIDES_WITH_STORY,
    ASIDES_WITH_TOPIC,
    CLOSERS,
    OPENERS,
    SLOTS,
    Intent,
)
from openautoglm.corpus.sample_texts import INTENTS
from openautoglm.corpus.sample_texts_new import NEW_INTENTS, NEW_SAYS, NEW_SLOTS
from openautoglm.files import write_atomic

Row = dict[str, object]
SEED = 20
ASIDE_SHARE = 0.50  # of texts that bring up something they are not about; what makes words alone a poor guide
ASIDE_KINDS = (0.32, 0.40, 0.28)  # a quotation, a clause, a noun phrase
NEAR_SHARE = 0.70  # of asides that bring up the very intent the text is easily taken for
TYPO_SHARE = 0.35
LOWER_SHARE = 0.20
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")


def write_sample(to: Path, seed: int = SEED) -> tuple[Path, ...]:
    """Write batch1.jsonl, batch2.jsonl and batch3.jsonl into ``to`` and return their paths."""
    seen: set[str] = set()
    first = _batch(random.Random(f"{seed}/1"), "b1", _BATCH_1, seen)
    second = _batch(random.Random(f"{seed}/2"), "b2", _BATCH_2, seen)
    third = _batch(random.Random(f"{seed}/3"), "b3", _BATCH_3, seen)
    broken = damage(random.Random(f"{seed}/damage"), third, earlier=first)
    contents = {"batch1": _lines(first), "batch2": _lines(second), "batch3": broken}
    paths = tuple(to / f"{name}.jsonl" for name in contents)
    for path, content in zip(paths, contents.values(), strict=True):
        write_atomic(path, content)
    return paths


class Writer:
    """Writes one text: its slots keep their words from the first sentence to the last."""

    def __init__(
        self, draw: random.Random, intents: Mapping[str, Intent], slots: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.draw, self.intents, self.slots = draw, intents, slots
        self.bound: dict[str, str] = {}

    def text(self, label: str) -> str:
        """One to three sentences of the intent ``label``."""
        draw = self.draw
        sentences = [self.expand(draw.choice(self.intents[label].says))]
        if draw.random() < ASIDE_SHARE:
            sentences.insert(draw.choice((0, 1, 1)), self.aside(label))
        if len(sentences) < 3 and draw.random() < 0.35:
            sentences.append(self.expand(draw.choice(CLOSERS)))
        if draw.random() < 0.3:
            sentences[0] = f"{draw.choice(OPENERS)}, {sentences[0]}"
        return self.as_typed(sentences)

    def aside(self, label: str) -> str:
        """A sentence on another intent that makes plain that it is not the point."""
        draw = self.draw
        near = [name for name in self.intents[label].near if name in self.intents]
        others = [name for name in self.intents if name != label]
        other = self.intents[draw.choice(near if near and draw.random() < NEAR_SHARE else others)]
        frames, slot, phrases = draw.choices(
            (
                (ASIDES_WITH_SAYS, "{says}", other.says),
                (ASIDES_WITH_STORY, "{story}", other.story),
                (ASIDES_WITH_TOPIC, "{topic}", other.topic),
            ),
            weights=ASIDE_KINDS,
        )[0]
        return self.expand(draw.choice(frames).replace(slot, draw.choice(phrases)))

    def expand(self, line: str) -> str:
        while match := _SLOT.search(line):
            line = line[: match.start()] + self._slot(match[1]) + line[match.end() :]
        while match := _CHOICE.search(line):
            line = line[: match.start()] + self.draw.choice(match[1].split("|")) + line[match.end() :]
        line = re.sub(r"\s+", " ", line).strip()
        line = re.sub(r"\s+([,.?!])", r"\1", line)
        # "a office chair", "a old": the grammar does not know its nouns
        return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", line)

    def _slot(self, name: str) -> str:
        if name not in self.bound:
            self.bound[name] = self.expand(self.draw.choice(self.slots[name]))
        return self.bound[name]

    def as_typed(self, sentences: list[str]) -> str:
        draw = self.draw
        careless = draw.random() < LOWER_SHARE
        written = [s if careless else s[0].upper() + s[1:] for s in sentences]
        text = " ".join(
            s if s[-1] in "?!." else s + draw.choice((".", ".", ".", "!" if careless else "."))
            for s in written
        )
        if not careless:
            text = re.sub(r"\bi\b", "I", text)
            text = re.sub(r"([.?!] )([a-z])", lambda m: m[1] + m[2].upper(), text)
        elif draw.random() < 0.5:
            text = text.rstrip(".").replace("please", "pls").replace("'", "")
        if draw.random() < TYPO_SHARE:
            for _ in range(draw.choice((1, 1, 2))):
                text = _mistype(draw, text)
        return text


def _mistype(draw: random.Random, text: str) -> str:
    """One slip of the fingers inside a longer word: swapped, dropped or doubled letter."""
    places = [m.start() + draw.randrange(1, len(m[0]) - 1) for m in re.finditer(r"[A-Za-z]{5,}", text)]
    if not places:
        return text
    at = draw.choice(places)
    slips: tuple[Callable[[str], str], ...] = (
        lambda t: t[:at] + t[at + 1] + t[at] + t[at + 2 :],
        lambda t: t[:at] + t[at + 1 :],
        lambda t: t[:at] + t[at] + t[at:],
    )
    return draw.choice(slips)(text)


def _batch(
    draw: random.Random, prefix: str, plan: Iterable[tuple[str, int, bool]], seen: set[str]
) -> list[Row]:
    """Rows in shuffled order; ``seen`` keeps two batches from holding the same text."""
    rows: list[Row] = []
    for label, count, in_new_words in plan:
        intents = _IN_NEW_WORDS if in_new_words else INTENTS
        made = 0
        while made < count:
            text = Writer(draw, intents, NEW_SLOTS if in_new_words else SLOTS).text(label)
            key = re.sub(r"\W+", " ", text.lower())
            if key not in seen:
                seen.add(key)
                rows.append({"text": text, "label": label})
                made += 1
    draw.shuffle(rows)
    return [{"id": f"{prefix}-{number:04d}", **row} for number, row in enumerate(rows, 1)]


def _lines(rows: Iterable[Row]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


_IN_NEW_WORDS: dict[str, Intent] = {
    # mostly the new way of saying it, now and then the old one
    name: intent._replace(says=NEW_SAYS[name] * 3 + intent.says)
    for name, intent in INTENTS.items()
} | NEW_INTENTS


def _often(number: int, most: int, least: int) -> int:
    """Some things go wrong more often than others: counts fall from ``most`` to ``least`` and start over."""
    return most - (most - least) * (number * 7 % 24) // 23


_BATCH_1 = [(name, _often(n, 140, 70), False) for n, name in enumerate(INTENTS)]
_BATCH_2 = [(name, _often(n, 28, 17), True) for n, name in enumerate(INTENTS)] + [
    (n, 45, True) for n in NEW_INTENTS
]
_BATCH_3 = _BATCH_2

if __name__ == "__main__":
    for written in write_sample(Path(sys.argv[1] if len(sys.argv) > 1 else "sample")):
        print(written)
