"""Deltas against their peers: bytes, speed, memory and exactness on the same pairs of real versions.

    make bench-delta                                            on the built-in sample
    make bench-delta DATA=path/to/banking77                     a folder with train.jsonl and test.jsonl
    python -m tests.bench.bench_delta --steps 5 --first-steps 5 --updates 2      a quick look

The versions (delta_chains.py) are made once and kept under .benchmarks/. Speeds are MB of the target file for each CPU
second, one thread, ours with every hash that a node checks; medians of the rounds. Peers that are not installed are
named and left out: pip install 'openautoglm[bench]'.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.delta_chains import Chains, Recipe, chains
from tests.bench.delta_codecs import CODECS, OURS, Codec

ROOT = Path(__file__).parents[2]
PAIRS = {
    "bf16 full": ("full", "bf16"),
    "bf16 top-2 layers": ("top-2", "bf16"),
    "bf16 LoRA, merged": ("lora", "bf16"),
    "fp32 full": ("full", "fp32"),
}
ROUNDS, PATIENCE = 7, 20.0  # seconds after which no further round begins
Row = dict[str, Any]


@dataclass(frozen=True)
class Link:
    base: Path
    new: Path


def run(recipe: Recipe | None = None, rounds: int = ROUNDS) -> dict[str, Any]:
    """What `python -m tests.bench delta` prints."""
    found = measure(recipe or Recipe(), rounds)
    return {"shows": found["shows"], **{pair: _brief(rows) for pair, rows in found["pairs"].items()}}


def measure(recipe: Recipe, rounds: int = ROUNDS) -> dict[str, Any]:
    """{recipe, missing, pairs: {pair: rows}, chains: {pair: rows}, exams, shows}"""
    made = chains(recipe)
    here = [codec for codec in CODECS if codec.missing is None]
    pairs, long = {}, {}
    for pair, (kind, precision) in PAIRS.items():
        files = made.files(kind, precision)
        links = [Link(base, new) for base, new in pairwise(files)]
        one = links[1 if kind == "full" and len(links) > 1 else 0]  # from version 1 of full, each kind
        pairs[pair] = [_row(codec, [one], rounds) for codec in here]
        long[pair] = [_row(codec, links, 1) for codec in here if not codec.slow]
        long[pair].append(
            {**_row(here[0], [Link(files[0], files[-1])], 1), "codec": "ours, straight to the last"}
        )
        print(f"  measured {pair}", flush=True)
    return {
        "recipe": vars(recipe),
        "documents": made.documents,
        "missing": {codec.name: codec.missing for codec in CODECS if codec.missing},
        "pairs": pairs,
        "chains": long,
        "exams": made.exams,
        "shows": _shows(made, pairs, long),
    }


def _row(codec: Codec, links: list[Link], rounds: int) -> Row:
    """Pack and unpack in a process each, and compare the files."""
    size = sum(link.new.stat().st_size for link in links)
    row: Row = {"codec": codec.name, "full": size}
    with TemporaryDirectory(dir=links[0].base.parent) as folder:
        ways = [Path(folder) / str(number) for number in range(len(links))]
        packs = [
            [str(link.base), str(link.new), f"{way}.packed"] for link, way in zip(links, ways, strict=True)
        ]
        backs = [
            [str(link.base), f"{way}.packed", f"{way}.out"] for link, way in zip(links, ways, strict=True)
        ]
        try:
            packed, unpacked = _child(codec, "pack", rounds, packs), _child(codec, "unpack", rounds, backs)
        except subprocess.CalledProcessError as error:
            return {**row, "failed": error.stderr.strip().splitlines()[-1][:200]}
        exact = all(
            Path(f"{way}.out").read_bytes() == link.new.read_bytes()
            for link, way in zip(links, ways, strict=True)
        )
    travels = sum(packed["sizes"])
    return {
        **row,
        "bytes": travels,
        "ratio": round(size / travels, 2),
        "encode": round(size / 1e6 / median(packed["seconds"]), 1),
        "decode": round(size / 1e6 / median(unpacked["seconds"]), 1),
        "encode_peak": packed["peak"],
        "decode_peak": unpacked["peak"],
        "exact": exact,
    }


def _child(codec: Codec, step: str, rounds: int, links: list[list[str]]) -> dict[str, Any]:
    job = {"name": codec.name, "step": step, "rounds": rounds, "patience": PATIENCE, "links": links}
    command = [sys.executable, "-m", "tests.bench.delta_codecs", json.dumps(job)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "HF_XET_CACHE": str(Path(links[0][2]).parent / "xet")}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _shows(made: Chains, pairs: dict[str, list[Row]], long: dict[str, list[Row]]) -> dict[str, float]:
    """The numbers that the project holds itself to."""
    shows: dict[str, float] = {}
    for pair, rows in pairs.items():
        ours = _of(rows, OURS)
        peers = [row["ratio"] for row in rows if row["codec"] != OURS and row.get("exact")]
        shows[f"{pair}: ratio"] = ours["ratio"]
        shows[f"{pair}: ratio to the best peer's"] = round(ours["ratio"] / max(peers), 2)
        shows[f"{pair}: ratio over {made.updates} updates"] = _of(long[pair], OURS)["ratio"]
    master = made.files("full", "fp32")[0].stat().st_size
    links = _of(long["bf16 full"], OURS)["bytes"] / made.updates
    later = made.exams[1:]
    shows |= {
        "published bf16 link under the fp32 file, ratio": round(master / links, 2),
        "accuracy lost by bf16, worst of the chain": max(exam["fp32"] - exam["bf16"] for exam in later),
        "agreement of bf16 and fp32, mean of the chain": round(mean(exam["agreement"] for exam in later), 6),
        "agreement of bf16 and fp32, worst of the chain": min(exam["agreement"] for exam in later),
        "accuracy of the last version": later[-1]["bf16"],
        "encode, MB/s": _of(pairs["bf16 full"], OURS)["encode"],
        "apply with verification, MB/s": _of(pairs["bf16 full"], OURS)["decode"],
        "exact": float(
            all(
                row["exact"]
                for rows in (*pairs.values(), *long.values())
                for row in rows
                if "ours" in row["codec"]
            )
        ),
    }
    return shows


def _of(rows: list[Row], codec: str) -> Row:
    return next(row for row in rows if row["codec"] == codec)


def _brief(rows: list[Row]) -> dict[str, str]:
    return {
        row["codec"]: row.get("failed") or f"{row['ratio']}x {row['encode']:.0f}/{row['decode']:.0f} MB/s"
        for row in rows
    }


def table(found: dict[str, Any]) -> str:
    """Markdown."""
    lines = []
    for title, part in (
        ("one update", found["pairs"]),
        (f"{found['recipe']['updates']} updates, one after the other", found["chains"]),
    ):
        lines += [
            f"| {title} | | bytes | ratio | encode MB/s | decode MB/s | peak MB, encode / decode | exact |",
            "|---|---|---:|---:|---:|---:|---:|---|",
        ]
        for pair, rows in part.items():
            lines += [f"| {pair if not number else ''} {_cells(row)}" for number, row in enumerate(rows)]
        lines.append("")
    lines += [f"left out: {name}, {why}" for name, why in found["missing"].items()]
    lines += [f"{name:<58} {value:>10}" for name, value in found["shows"].items()]
    return "\n".join(lines)


def _cells(row: Row) -> str:
    if "failed" in row:
        return f"| {row['codec']} | failed: {row['failed']} | | | | | |"
    return (
        f"| {row['codec']} | {row['bytes']:,} | {row['ratio']:.2f} | {row['encode']:.0f} | {row['decode']:.0f} "
        f"| {row['encode_peak']} / {row['decode_peak']} | {'yes' if row['exact'] else 'NO'} |"
    )


def plot(found: dict[str, Any], path: Path) -> None:
    """A panel for each pair: how many times smaller than the file, by codec."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(found["pairs"]), figsize=(13, 3.2), sharey=True, layout="constrained"
    )
    for axis, (pair, rows) in zip(axes, found["pairs"].items(), strict=True):
        good = [row for row in rows if "failed" not in row][::-1]
        names, ratios = [row["codec"] for row in good], [row["ratio"] for row in good]
        bars = axis.barh(names, ratios, color=["#c44536" if name == OURS else "#9aa5b1" for name in names])
        axis.bar_label(
            bars, [f"{ratio:.1f}×" if ratio >= 10 else f"{ratio:.2f}×" for ratio in ratios], padding=3
        )
        axis.set_title(pair, loc="left", fontsize=11)
        axis.set_xlim(0, max(ratios) * 1.25)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.set_xticks([])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    recipe = Recipe()
    parser.add_argument("--data", help="folder with train.jsonl and test.jsonl; else the built-in sample")
    parser.add_argument("--backbone", default=recipe.backbone)
    parser.add_argument("--first-steps", type=int, default=recipe.first_steps)
    parser.add_argument("--steps", type=int, default=recipe.steps, help="between two versions")
    parser.add_argument("--updates", type=int, default=recipe.updates)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="write all numbers there")
    parser.add_argument("--plot", type=Path, help="write the picture there")
    given = parser.parse_args()
    asked = Recipe(given.data, given.backbone, given.first_steps, given.steps, given.updates)
    found = measure(asked, given.rounds)
    print(table(found))
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    if given.plot:
        plot(found, given.plot)


if __name__ == "__main__":
    main()
