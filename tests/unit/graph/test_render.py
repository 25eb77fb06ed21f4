from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from openautoglm.graph import Edge, SemanticGraph, as_lines, as_svg, parse
from openautoglm.graph.semantic_graph import Node


def test_lines() -> None:
    text = "My card has not arrived"
    assert as_lines(text, parse(text)) == ["not —not→ arrived", "card —not→ arrived"]


def test_lonely_phrases_and_weights() -> None:
    graph = SemanticGraph((Node(0, 1, 0), Node(2, 3, 0), Node(4, 5, 0)), (Edge(0, 1, 25, 0.5),))
    assert as_lines("a b c", graph) == ["a —near→ b 0.50", "c"]


@pytest.mark.parametrize(
    "text", ["", "card", "I paid <b>&100 euros</b> to Bob", "\x00 and \ud800", "a card. " * 90]
)
def test_svg_is_well_formed_and_alone(text: str) -> None:
    graph = parse(text)
    svg = as_svg(text, graph)
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}rect")) == min(len(graph.nodes), 60)
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_svg_names_phrases_and_relations() -> None:
    text = "My card has not arrived"
    svg = as_svg(text, parse(text))
    assert ">card</text>" in svg
    assert ">not</text>" in svg
    assert ">negation</text>" in svg
