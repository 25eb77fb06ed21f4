"""What goes wrong in batch 3 of the built-in sample: each kind of damage that `validate` must name."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

Row = dict[str, object]
EACH = (
    9  # rows damaged in each way; eight ways of about 800 rows, far over what validate.max_quarantined allows
)
LONG_WORDS = 10_000


def damage(draw: random.Random, rows: Sequence[Row], earlier: Sequence[Row]) -> bytes:
    """``rows`` as JSONL with every kind of damage; ``earlier`` are rows that already arrived in another batch.

    The rows stay in order; only ways that need a second row (a repeated id, a text in two splits) add some.
    """
    broken = [dict(row) for row in rows]
    picked = draw.sample(range(len(rows)), 7 * EACH)
    missing, mistyped, renamed, long, mojibake, bad_bytes, doubled = (picked[start::7] for start in range(7))
    for at in missing:
        broken[at]["text"] = draw.choice((None, ""))
    for at in mistyped:
        broken[at]["text"] = draw.choice((417, True, 3.5, [broken[at]["text"]], {"body": broken[at]["text"]}))
    for at in renamed:
        broken[at] = {("body" if key == "text" else key): value for key, value in broken[at].items()}
    for at in long:
        words = str(broken[at]["text"]).split()
        broken[at]["text"] = " ".join(words[n % len(words)] for n in range(LONG_WORDS))
    for at in mojibake:  # UTF-8 read as cp1252 on its way here, as old ticket systems do
        text = f"{broken[at]['text']} – café Zoë, 20 €"
        broken[at]["text"] = text.encode().decode("cp1252", errors="replace")
    for at in draw.sample([n for n in range(len(rows)) if n not in set(picked)], 4):
        broken[at]["label"] = _misspelt(str(broken[at]["label"]))
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in broken]
    for at in bad_bytes:  # latin-1 bytes in a file that says it is UTF-8
        lines[at] = json.dumps(
            {**rows[at], "text": f"{rows[at]['text']} Café Zoë"}, ensure_ascii=False
        ).encode("latin-1")
    again = [{**rows[at], "text": f"{rows[at]['text']} I wrote this before."} for at in doubled]
    leaked = [
        row for at in draw.sample(range(len(earlier)), EACH) for row in _in_both_splits(earlier[at], at)
    ]
    lines += [json.dumps(row, ensure_ascii=False).encode() for row in again + leaked]
    return b"".join(line + b"\n" for line in lines)


def _in_both_splits(row: Row, number: int) -> list[Row]:
    """The same text once to learn from and once in the exam: whichever split it had, one of them is another."""
    return [{**row, "id": f"b3-copy-{number:04d}-{split}", "split": split} for split in ("train", "test")]


def _misspelt(label: str) -> str:
    """``order_cancel`` → ``order_cancle``: the last two letters swapped, or the last one doubled."""
    swapped = label[:-2] + label[-1] + label[-2]
    return swapped if swapped != label else label + label[-1]
