"""Figures as inline SVG that take the page's colours and font, so that they follow light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from openautoglm.evaluate.metrics import Row, wilson

# matplotlib draws in these greys; afterwards each becomes a colour of the page
INK, MUTED, LINE, ACCENT, SOFT = "#010101", "#020202", "#030303", "#040404", "#050505"
PAGE = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", SOFT: "soft"}
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "openautoglm",  # the same figure, the same bytes
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}


def contest(rows: list[tuple[str, float, int]], confidence: float = 0.95) -> str:
    """(name, accuracy, documents) of everybody who sat the same exam, ours first: a dot and its Wilson interval."""

    def draw(axes: Axes) -> None:
        for place, (_, accuracy, documents) in enumerate(rows):
            low, high = wilson(round(accuracy * documents), documents, confidence)
            colour = ACCENT if place == 0 else MUTED
            axes.plot(
                [100 * low, 100 * high], [place, place], color=colour, linewidth=2, solid_capstyle="round"
            )
            axes.plot([100 * accuracy], [place], "o", color=colour, markersize=8)
            axes.annotate(f"{100 * accuracy:.1f}", (100 * accuracy, place), (0, 9), textcoords="offset points",
                          ha="center", color=INK, fontsize=10.5)  # fmt: skip
        axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.7)
        axes.tick_params(axis="y", labelcolor=INK)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"accuracy, % (bar: {confidence:.0%} interval)")

    return drawn(draw, (5.6, 0.8 + 0.46 * len(rows)))


def calibration(rows: list[Row]) -> str:
    """Accuracy against confidence; on the diagonal the model is as right as it thinks. Area: documents."""

    def draw(axes: Axes) -> None:
        total = sum(row["count"] for row in rows) or 1
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 4)))
        x, y = [row["confidence"] for row in rows], [row["accuracy"] for row in rows]
        axes.vlines(x, x, y, color=SOFT, linewidth=5)
        axes.scatter(
            x, y, s=[20 + 380 * row["count"] / total for row in rows], color=ACCENT, zorder=3, linewidth=0
        )
        axes.set(xlim=(-0.02, 1.04), ylim=(-0.04, 1.06), xlabel="confidence", ylabel="accuracy")

    return drawn(draw, (4.6, 3.4))


def training(rows: list[Row]) -> str:
    """Loss by epoch: train and valid."""

    def draw(axes: Axes) -> None:
        for split, colour in (("train", MUTED), ("valid", ACCENT)):
            found = [row for row in rows if row[f"{split}_loss"] is not None]
            x, y = [row["epoch"] for row in found], [row[f"{split}_loss"] for row in found]
            if found:
                axes.plot(x, y, "o-", color=colour, markersize=5, linewidth=2, label=split)
        axes.set_xticks(sorted({row["epoch"] for row in rows}))
        axes.set_ylim(bottom=0)
        axes.set(xlabel="epoch", ylabel="loss")
        axes.legend()

    return drawn(draw, (4.6, 3.4))


def drawn(draw: Callable[[Axes], None], inches: tuple[float, float]) -> str:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=inches, layout="constrained")
        draw(figure.add_subplot())
        file = io.StringIO()
        figure.savefig(
            file,
            format="svg",
            transparent=True,
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
        )
    return themed(file.getvalue())


def themed(svg: str) -> str:
    """Inline SVG from matplotlib's: without namespaces (HTML knows them), sized by the page, in its colours and font."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'<svg [^>]*(viewBox="[^"]+")[^>]*>', r'<svg \1 role="img">', svg, count=1)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font: \1 var(--font)", svg)
    for grey, name in PAGE.items():
        svg = svg.replace(grey, f"var(--{name})")
    return svg
