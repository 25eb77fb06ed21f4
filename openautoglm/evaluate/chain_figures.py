"""Figures of a chain of releases, as inline SVG in the page's colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from openautoglm.evaluate.figures import ACCENT, INK, LINE, MUTED, drawn

WIDE = 9.6  # inches; the width of the page's text
LABELS = 24  # on an axis; more would touch each other
NEAR, FAR = 5.0, 25.0  # percentage points from zero
TRANSFERS = (
    ("backward", "backward transfer", ACCENT, "o-"),
    ("forgetting", "forgetting", INK, "s--"),
    ("forward", "forward transfer", MUTED, "^:"),
)
Row = Mapping[str, Any]


def accuracies(rows: Sequence[Row], marks: Sequence[tuple[float, str, str]]) -> str:
    """Accuracy on the whole exam and averaged over the batches, by release.

    ``rows``: name, accuracy and average (0-1 or None), hollow: no longer part of the chain, joint. ``marks``: (place
    between the releases, kind, name) of what was refused, rolled back or taken back.
    """

    def draw(axes: Axes) -> None:
        kept = [(place, row) for place, row in enumerate(rows) if not row["hollow"]]
        for key, colour, label in (
            ("average", MUTED, "mean over the batches"),
            ("accuracy", ACCENT, "whole exam"),
        ):
            points = [(place, 100 * row[key]) for place, row in kept if row[key] is not None]
            if points:
                style = "--" if key == "average" else "-"
                axes.plot(*zip(*points, strict=True), style, color=colour, linewidth=2, label=label)
        for number, row in enumerate(rows):
            if row["accuracy"] is not None:
                _dot(axes, number, row)
        low, high = axes.get_ylim()
        axes.set_ylim(max(low - 0.18 * (high - low), 0 if low >= 0 else low), high + 0.12 * (high - low))
        for number, (place, kind, name) in enumerate(marks):
            above = sum(other[0] == place for other in marks[:number])
            _mark(axes, place, above, kind, name)
        axes.set_xlim(-0.6, len(rows) - 0.4)
        _ticks(axes, [row["name"] for row in rows])
        axes.set_ylabel("accuracy, %")
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2, borderaxespad=0)

    return drawn(draw, (WIDE, 3.6))


def _dot(axes: Axes, place: int, row: Row) -> None:
    """A ring: rolled back. A diamond: trained on everything at once."""
    marker, size = ("D", 9) if row["joint"] else ("o", 8)
    face = "none" if row["hollow"] else ACCENT
    axes.plot(
        place, 100 * row["accuracy"], marker, color=ACCENT, markersize=size, markerfacecolor=face, zorder=3
    )
    if row["told"]:
        axes.annotate(f"{100 * row['accuracy']:.1f}", (place, 100 * row["accuracy"]), (0, 9),
                      textcoords="offset points", ha="center", color=INK, fontsize=10.5)  # fmt: skip


def _mark(axes: Axes, place: float, above: int, kind: str, name: str) -> None:
    bottom = axes.get_ylim()[0]
    axes.axvline(place, color=LINE, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0)
    sign = {"rejection": "×", "rollback": "↶", "undo": "↶"}[kind]
    text = f"{sign} {name}"
    axes.annotate(
        text, (place, bottom), (4, 5 + 13 * above), textcoords="offset points", color=MUTED, fontsize=10
    )


def transfers(rows: Sequence[Row]) -> str:
    """What later batches did to earlier ones, and earlier ones to later: percentage points, by release.

    ``rows``: name, backward, forgetting and forward (0-1, None: there was nothing to measure), hollow.
    """

    def draw(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=0.9, zorder=1)
        size, reach = 6 if len(rows) <= LABELS else 3, []
        for key, label, colour, sign in TRANSFERS:
            style: dict[str, Any] = {"color": colour, "linewidth": 2, "markersize": size}
            found = [
                (place, 100 * row[key], row["hollow"])
                for place, row in enumerate(rows)
                if row[key] is not None
            ]
            if kept := [(place, value) for place, value, hollow in found if not hollow]:
                axes.plot(*zip(*kept, strict=True), sign, label=label, **style)
            for place, value, hollow in found:
                if hollow:
                    axes.plot(place, value, sign[0], markerfacecolor="none", **style)
            reach.append(max((abs(value) for _, value, _ in found), default=0.0))
        _points_axis(axes, reach)
        axes.set_xlim(-0.6, len(rows) - 0.4)
        _ticks(axes, [row["name"] for row in rows])
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.18), ncols=3, borderaxespad=0)

    return drawn(draw, (WIDE, 3.2))


def _points_axis(axes: Axes, reach: Sequence[float]) -> None:
    """To scale, unless one measure is far from zero where another is near: forward transfer can be 50 points."""
    low, high = axes.get_ylim()
    low, high = min(low, -1), max(high, 1)  # a tenth of a point is not to look like a fall
    axes.set_ylabel("percentage points")
    if max(reach) > FAR and any(0 < one < NEAR for one in reach):
        axes.set_yscale("symlog", linthresh=NEAR)
        axes.set_yticks([0, *(sign * value for value in (2, 5, 10, 20, 50, 100) for sign in (-1, 1))])
        axes.minorticks_off()
        axes.set_ylabel(f"points, log beyond ±{NEAR:g}")
        low, high = 1.3 * low, 1.3 * high  # the margin that was there is thin on a logarithm
    axes.set_ylim(low, high)
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:+g}".replace("-", "−") if value else "0")
    )


def sizes(rows: Sequence[Row]) -> str:
    """Bytes that a node fetches, by release, beside the whole file: one bar a release, on a logarithmic scale.

    ``rows``: name, sent, full (bytes), kind: delta or anchor.
    """

    def draw(axes: Axes) -> None:
        for place, row in enumerate(rows):
            colour = ACCENT if row["kind"] == "delta" else MUTED
            axes.bar(place, row["sent"] / 1e6, color=colour, width=0.55)
            axes.plot([place - 0.36, place + 0.36], [row["full"] / 1e6] * 2, color=INK, linewidth=1.2)
            if len(rows) <= LABELS // 2:
                top = row["full"] if row["sent"] > row["full"] / 3 else row["sent"]
                axes.annotate(f"{row['sent'] / 1e6:.3g}", (place, top / 1e6), (0, 4),
                              textcoords="offset points", ha="center", color=INK, fontsize=10)  # fmt: skip
        axes.set_yscale("log")
        least = min((row["sent"] for row in rows), default=1) / 1e6
        axes.set_ylim(least / 4, 3 * max(row["full"] for row in rows) / 1e6)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
        axes.grid(axis="x", visible=False)
        axes.set_xlim(-0.6, max(len(rows), 3) - 0.4)
        _ticks(axes, [row["name"] for row in rows], LABELS // 3)
        axes.set_ylabel("MB")

    return drawn(draw, (4.6, 3.2))


def drifts(batches: Sequence[str], rows: Mapping[str, Sequence[float | None]]) -> str:
    """Each measure as a share of its bound, by batch: above the line at 1 it has drifted."""

    def draw(axes: Axes) -> None:
        axes.axhline(1, color=INK, linewidth=1, linestyle=(0, (4, 4)))
        signs = ("o-", "s--", "^-.", "D:", "v-", "P--")
        for number, (name, values) in enumerate(rows.items()):
            points = [(place, value) for place, value in enumerate(values) if value is not None]
            if points:
                axes.plot(*zip(*points, strict=True), signs[number % len(signs)], label=name, markersize=5.5,
                          linewidth=1.4, color=ACCENT if number % 2 == 0 else MUTED)  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set_xlim(-0.4, max(len(batches), 2) - 0.6)
        # names of many would touch each other: their numbers in the inbox stand for them
        _ticks(axes, [name if len(batches) <= 6 else name.split("-")[0] for name in batches])
        axes.set_ylabel("share of the bound")
        axes.legend(fontsize=9.5, ncols=1, loc="upper left", bbox_to_anchor=(1, 1))

    return drawn(draw, (WIDE, 3.0))


def _ticks(axes: Axes, names: Sequence[str], most: int = LABELS) -> None:
    every = max(-(-len(names) // most), 1)
    places = range(0, len(names), every)
    axes.set_xticks(list(places), [names[place] for place in places])
