"""The mapping from spaCy's parse, on Docs annotated by hand: no model is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openautoglm.errors import ParamsError
from openautoglm.graph import NODE_TYPES, FlatGraphs, GraphBuilder, SemanticGraph
from openautoglm.graph.spacy_parser import SpacyParser, append_doc

spacy = pytest.importorskip("spacy")
from spacy.tokens import Doc  # noqa: E402

# word/POS/head/dependency, head counted from 0; then entities as word indices and label
SENTENCES = {
    "My card has not arrived": (
        "My/PRON/1/poss card/NOUN/4/nsubj has/AUX/4/aux not/PART/4/neg arrived/VERB/4/ROOT",
        [],
        "card/phrase not/negation arrived/verb",
        "card -subject> arrived; not -not> arrived",
    ),
    "Anna Berg paid 25 euros to the shop on Monday": (
        "Anna/PROPN/1/compound Berg/PROPN/2/nsubj paid/VERB/2/ROOT 25/NUM/4/nummod euros/NOUN/2/dobj to/ADP/2/prep "
        "the/DET/7/det shop/NOUN/5/pobj on/ADP/2/prep Monday/PROPN/8/pobj",
        [(0, 2, "PERSON"), (3, 5, "MONEY"), (9, 10, "DATE")],
        "Anna Berg/entity paid/verb 25 euros/money shop/phrase Monday/date",
        "Anna Berg -subject> paid; paid -object> 25 euros; paid -to> shop; paid -at> Monday",
    ),
    "the delivery of my new card failed because the shop closed": (
        "the/DET/1/det delivery/NOUN/6/nsubj of/ADP/1/prep my/PRON/5/poss new/ADJ/5/amod card/NOUN/2/pobj "
        "failed/VERB/6/ROOT because/SCONJ/10/mark the/DET/9/det shop/NOUN/10/nsubj closed/VERB/6/advcl",
        [],
        "delivery/phrase new card/phrase failed/verb shop/phrase closed/verb",
        "delivery -subject> failed; delivery -of> new card; shop -subject> closed; failed -because> closed",
    ),
    "phones or tablets are better than books": (
        "phones/NOUN/3/nsubj or/CCONJ/0/cc tablets/NOUN/0/conj are/AUX/3/ROOT better/ADJ/3/acomp than/ADP/4/prep "
        "books/NOUN/5/pobj",
        [],
        "phones/phrase tablets/phrase better/phrase books/phrase",
        "phones -or> tablets; phones -is> better; better -than> books",
    ),
    "why do you refuse": (
        "why/SCONJ/3/advmod do/AUX/3/aux you/PRON/3/nsubj refuse/VERB/3/ROOT",
        [],
        "why/wh refuse/verb",
        "why -asks> refuse",
    ),
    "my mother's visa": (
        "my/PRON/1/poss mother/NOUN/3/poss 's/PART/1/case visa/NOUN/3/ROOT",
        [],
        "mother/phrase visa/phrase",
        "mother -of> visa",
    ),
    "is it": ("is/AUX/0/ROOT it/PRON/0/nsubj", [], "is/word it/word", ""),
}


@pytest.fixture(scope="module")
def make_doc() -> Callable[[str, str, list[tuple[int, int, str]]], Any]:
    vocab = spacy.blank("en").vocab

    def make(text: str, annotated: str, entities: list[tuple[int, int, str]]) -> Any:
        words, pos, heads, deps = zip(*(token.rsplit("/", 3) for token in annotated.split()), strict=True)
        tags = ["O"] * len(words)
        for first, stop, label in entities:
            tags[first:stop] = [f"B-{label}"] + [f"I-{label}"] * (stop - first - 1)
        spaces, at = [], 0
        for word in words:
            at = text.index(word, at) + len(word)
            spaces.append(text[at : at + 1] == " ")
        return Doc(
            vocab,
            list(words),
            spaces,
            pos=list(pos),
            heads=[int(h) for h in heads],
            deps=list(deps),
            ents=tags,
        )

    return make


def graph_of(doc: Any, text: str) -> SemanticGraph:
    flat = FlatGraphs()
    append_doc(doc, text, flat)
    return flat.only_graph()


@pytest.mark.parametrize("text", SENTENCES)
def test_sentence(text: str, make_doc: Callable[..., Any]) -> None:
    annotated, entities, phrases, relations = SENTENCES[text]
    graph = graph_of(make_doc(text, annotated, entities), text)
    names = graph.phrases(text)
    assert (
        " ".join(f"{name}/{NODE_TYPES[node.type]}" for name, node in zip(names, graph.nodes, strict=True))
        == phrases
    )
    assert "; ".join(f"{a} -{r}> {b}" for a, r, b in graph.triples(text)) == relations


def test_sentences_follow_each_other(make_doc: Callable[..., Any]) -> None:
    text = "Cards fail. Phones break."
    annotated = "Cards/NOUN/1/nsubj fail/VERB/1/ROOT ./PUNCT/1/punct Phones/NOUN/4/nsubj break/VERB/4/ROOT ./PUNCT/4/punct"
    graph = graph_of(make_doc(text, annotated, []), text)
    assert ("fail", "sentence", "break") in graph.triples(text)


def test_blank_text_has_no_node(make_doc: Callable[..., Any]) -> None:
    assert graph_of(Doc(spacy.blank("en").vocab, []), "").nodes == ()


def test_model_not_installed() -> None:
    with pytest.raises(ParamsError, match=r"python -m spacy download en_core_nowhere"):
        SpacyParser.load("en_core_nowhere")


def test_model_without_a_dependency_parser(tmp_path: Any) -> None:
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ParamsError, match="no dependency parser, found nothing"):
        SpacyParser.load(str(tmp_path / "blank"))


def test_same_interface_as_the_fast_parser(make_doc: Callable[..., Any]) -> None:
    docs = {text: make_doc(text, SENTENCES[text][0], SENTENCES[text][1]) for text in SENTENCES}

    class Canned:
        meta = {"version": "1"}  # noqa: RUF012

        def pipe(self, texts: list[str]) -> Iterator[Any]:
            return (docs[text] for text in texts)

    batch = GraphBuilder(SpacyParser(Canned(), "canned")).build(list(docs))
    for row, text in enumerate(docs):
        assert batch.graph(row) == graph_of(docs[text], text)
