"""An answer as a page: text with its phrases marked, the graph drawn, the likeliest labels. No script, no network."""

from __future__ import annotations

from html import escape
from string import Template

from openautoglm.export.session import Prediction
from openautoglm.graph import NODE_TYPES, as_svg

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$label · Open-AutoGLM</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;color:#102027;background:#fafafa;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:.85rem;text-transform:uppercase;letter-spacing:.06em;color:#607d8b;margin:2rem 0 .5rem}
.text{white-space:pre-wrap;overflow-wrap:anywhere;background:#fff;border:1px solid #cfd8dc;border-radius:8px;padding:1rem}
mark{background:#e3f2fd;border-radius:4px;padding:0 .15em}.graph{overflow-x:auto;background:#fff;border:1px solid #cfd8dc;
border-radius:8px;padding:.5rem}table{border-collapse:collapse;width:100%}td{padding:.2rem .6rem .2rem 0;vertical-align:middle}
.bar{width:50%}.bar i{display:block;height:.9rem;border-radius:4px;background:#26a69a}.number{text-align:right;
font-variant-numeric:tabular-nums}small{color:#607d8b}.warn{color:#b26a00}
</style></head><body>
<h1>$label</h1><small>$probability · $model</small>$scope
<h2>Text</h2><div class="text">$text</div>
<h2>Answers</h2><table>$answers</table>
<h2>What the parser saw</h2><div class="graph">$svg</div>
<h2>Relations</h2><table>$relations</table>
</body></html>
""")


_OUT = '<p class="warn">Out of scope: the text seems to belong to none of the classes.</p>'


def page(answer: Prediction, model: str) -> str:
    """A whole HTML document; ``model`` names what answered."""
    return _PAGE.substitute(
        label=escape(answer.label),
        probability=f"{answer.probability:.1%}",
        model=escape(model),
        scope=_OUT if answer.in_scope is False else "",
        text=_marked(answer),
        answers="".join(_answer(label, share) for label, share in answer.top),
        svg=as_svg(answer.text, answer.graph),
        relations="".join(_relation(*found) for found in answer.relations) or "<tr><td>none</td></tr>",
    )


def _marked(answer: Prediction) -> str:
    """The text with every phrase in a <mark>; nodes stand in reading order, one that overlaps its predecessor stays plain."""
    parts, position = [], 0
    for node in answer.graph.nodes:
        if node.start < position:
            continue
        parts.append(escape(answer.text[position : node.start]))
        parts.append(
            f'<mark title="{NODE_TYPES[node.type]}">{escape(answer.text[node.start : node.end])}</mark>'
        )
        position = node.end
    return "".join([*parts, escape(answer.text[position:])])


def _answer(label: str, share: float) -> str:
    return (
        f'<tr><td>{escape(label)}</td><td class="bar"><i style="width:{100 * share:.1f}%"></i></td>'
        f'<td class="number">{share:.1%}</td></tr>'
    )


def _relation(source: str, relation: str, target: str) -> str:
    return f"<tr><td>{escape(source)}</td><td><small>{escape(relation)} →</small></td><td>{escape(target)}</td></tr>"
