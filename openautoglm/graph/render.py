"""A graph for eyes: text lines for a terminal, an SVG for a page. Needs no script, font or network."""

from __future__ import annotations

from collections import Counter
from html import escape
from itertools import accumulate

from openautoglm.graph.semantic_graph import NODE_TYPES, RELATIONS, SemanticGraph

_COLOURS = {
    "verb": "#e8f5e9",
    "entity": "#fff3e0",
    "negation": "#ffebee",
    "wh": "#ede7f6",
    "number": "#e0f7fa",
    "money": "#e0f7fa",
    "date": "#e0f7fa",
    "email": "#e0f7fa",
    "url": "#e0f7fa",
}
_LETTER, _GAP, _STEP, _BOX = 7.5, 56, 26, 30  # pixels
_MOST = 60  # phrases in a drawing
_LONGEST = 40  # characters of a phrase that are drawn


def as_lines(text: str, graph: SemanticGraph) -> list[str]:
    """One line a relation, ``card —not→ arrived``; phrases that nothing joins stand alone at the end."""
    names = [_short(phrase) for phrase in graph.phrases(text)]
    joined = {number for edge in graph.edges for number in (edge.src, edge.dst)}
    lines = [
        f"{names[edge.src]} —{RELATIONS[edge.type]}→ {names[edge.dst]}{_strength(edge.weight)}"
        for edge in graph.edges
    ]
    return lines + [name for number, name in enumerate(names) if number not in joined]


def as_svg(text: str, graph: SemanticGraph) -> str:
    """Phrases in reading order on one line, relations as arcs above it, named at their top.

    A self-contained ``<svg>`` element: it stands in an HTML page as it is. A graph without nodes gives a small empty one;
    of a long text the first phrases are drawn.
    """
    graph = _beginning(graph)
    names = [_short(phrase) for phrase in graph.phrases(text)]
    widths = [max(len(name), 3) * _LETTER + 18 for name in names]
    lefts = list(accumulate((width + _GAP for width in widths[:-1]), initial=12.0)) if names else []
    centres = [left + width / 2 for left, width in zip(lefts, widths, strict=True)]
    reach = max((abs(edge.src - edge.dst) for edge in graph.edges), default=1)
    base = 24 + _STEP * min(reach, 8) + 14 * _most_parallel(graph)  # y of the boxes' upper edge
    width, height = (lefts[-1] + widths[-1] + 12 if names else 24), base + _BOX + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" role="img" '
        f'aria-label="semantic graph" font-family="system-ui, sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#607d8b"/></marker></defs>',
    ]
    drawn: dict[tuple[int, int], int] = {}
    for edge in graph.edges:
        ends = (min(edge.src, edge.dst), max(edge.src, edge.dst))
        parallel = drawn[ends] = drawn.get(ends, -1) + 1
        rise = _STEP * min(ends[1] - ends[0], 8) + 14 * parallel
        parts.append(
            _arc(
                centres[edge.src],
                centres[edge.dst],
                base,
                rise,
                RELATIONS[edge.type] + _strength(edge.weight),
            )
        )
    for name, node, left, wide in zip(names, graph.nodes, lefts, widths, strict=True):
        parts.append(_box(name, NODE_TYPES[node.type], left, base, wide))
    return "\n".join([*parts, "</svg>"])


def _beginning(graph: SemanticGraph) -> SemanticGraph:
    edges = tuple(edge for edge in graph.edges if max(edge.src, edge.dst) < _MOST)
    return SemanticGraph(graph.nodes[:_MOST], edges)


def _arc(start: float, end: float, base: float, rise: float, label: str) -> str:
    middle, top = (start + end) / 2, base - rise
    return (
        f'<path d="M{start:.1f} {base} C{start:.1f} {top:.1f} {end:.1f} {top:.1f} {end:.1f} {base}" fill="none" '
        f'stroke="#90a4ae" marker-end="url(#tip)"/>'
        f'<text x="{middle:.1f}" y="{base - 0.75 * rise - 3:.1f}" text-anchor="middle" fill="#37474f" font-size="11">'
        f"{escape(label)}</text>"
    )


def _box(name: str, kind: str, left: float, top: float, width: float) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_BOX}" rx="6" fill="{_COLOURS.get(kind, "#e3f2fd")}" '
        f'stroke="#b0bec5"/><text x="{left + width / 2:.1f}" y="{top + 20}" text-anchor="middle" fill="#102027">{escape(name)}'
        f'</text><text x="{left + width / 2:.1f}" y="{top + _BOX + 14}" text-anchor="middle" fill="#78909c" font-size="10">'
        f"{kind}</text>"
    )


def _most_parallel(graph: SemanticGraph) -> int:
    pairs = [(min(edge.src, edge.dst), max(edge.src, edge.dst)) for edge in graph.edges]
    return max(Counter(pairs).values(), default=1) - 1


def _strength(weight: float) -> str:
    return "" if weight == 1.0 else f" {weight:.2f}"


def _short(phrase: str) -> str:
    """On one line, without the control characters that XML and terminals refuse."""
    clean = "".join(letter if letter.isprintable() else " " for letter in phrase)
    return clean if len(clean) <= _LONGEST else clean[: _LONGEST - 1] + "…"
