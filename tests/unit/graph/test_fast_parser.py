"""What the fast parser makes of a sentence, read and agreed on by hand."""

from __future__ import annotations

import sys
import types

import pytest

from openautoglm.errors import ParamsError
from openautoglm.graph import NODE_TYPES, FastParser, FlatGraphs, parse
from openautoglm.graph import parser as module
from openautoglm.graph.tokens import PATTERN

# text | phrases with types | relations
TABLE = """
I still have not received my card.
  not/negation received/verb card/phrase
  not -not> received; received -object> card

My card has not arrived
  card/phrase not/negation arrived/verb
  not -not> arrived; card -not> arrived

Apple Pay isn't working
  Apple Pay/entity isn't/negation working/verb
  isn't -not> working; Apple Pay -not> working

How much is the fee for a transfer from Spain to Germany?
  How much/wh fee/phrase transfer/phrase Spain/entity Germany/entity
  How much -asks> fee; fee -for> transfer; transfer -from> Spain; transfer -to> Germany

How long does delivery take?
  How long/wh delivery/phrase take/verb
  How long -asks> delivery; delivery -subject> take

If I lose my card, can I freeze it in the app?
  lose/verb card/phrase freeze/verb app/phrase
  lose -object> card; freeze -if> lose; freeze -at> app

I paid $25.50 with Apple Pay on Monday but the payment was declined.
  paid/verb $25.50/money Apple Pay/entity Monday/date payment/phrase declined/verb
  paid -object> $25.50; $25.50 -with> Apple Pay; Apple Pay -at> Monday; paid -but> payment; payment -subject> declined

The shop at the corner of Main Street sells phones and tablets.
  shop/phrase corner/phrase Main Street/entity sells/verb phones/phrase tablets/phrase
  shop -at> corner; corner -of> Main Street; shop -subject> sells; sells -object> phones; phones -and> tablets

She moved from Paris to New York after the war because of her job.
  moved/verb Paris/entity New York/entity war/phrase job/phrase
  moved -from> Paris; moved -to> New York; New York -after> war; moved -because> job

The new phone is better than the old one.
  new phone/phrase better/phrase old/phrase
  new phone -is> better; better -than> old

I want to transfer money to a friend. The transfer failed.
  want/verb transfer/verb money/phrase friend/phrase transfer/phrase failed/verb
  want -to> transfer; transfer -object> money; money -to> friend; want -sentence> transfer; transfer -subject> failed

The card is lost and I need a new card before 12/05/2024
  card/phrase lost/verb need/verb new card/phrase 12/05/2024/date
  card -subject> lost; lost -clause> need; need -object> new card; new card -before> 12/05/2024; card -same> new card

I would like a refund, please!
  like/verb refund/phrase
  like -object> refund

See https://a.b/c?d=e, about me@x.org or 20% off.
  See/verb https://a.b/c?d=e/url me@x.org/email 20%/number
  See -object> https://a.b/c?d=e; See -clause> me@x.org; me@x.org -or> 20%

我的卡没有到，为什么？
  卡/phrase 没有/negation 到/phrase 为什么/wh
  没有 -not> 到; 卡 -not> 到; 卡 -clause> 为什么

Is it?
  Is/word it/word
  Is -next> it

Не пришла карта
  Не пришла карта/phrase
  -
"""
ROWS = [tuple(line.strip() for line in block.splitlines()) for block in TABLE.strip().split("\n\n")]


@pytest.mark.parametrize(("text", "phrases", "relations"), ROWS, ids=[row[0][:30] for row in ROWS])
def test_sentence(text: str, phrases: str, relations: str) -> None:
    graph = parse(text, FastParser("bigrams"))
    names = graph.phrases(text)
    assert (
        " ".join(f"{name}/{NODE_TYPES[node.type]}" for name, node in zip(names, graph.nodes, strict=True))
        == phrases
    )
    assert "; ".join(f"{a} -{r}> {b}" for a, r, b in graph.triples(text)) == relations.strip("-")


def test_node_numbers_are_those_of_the_vocabulary() -> None:
    names = ("PHRASE", "VERB", "ENTITY", "NUMBER", "MONEY", "DATE", "EMAIL", "URL", "NEGATION", "WH", "WORD")
    assert [getattr(module, name) for name in names] == [NODE_TYPES.index(name.lower()) for name in names]


@pytest.mark.parametrize("text", ["", "   ", "\n\t \u3000"])
def test_blank_text_has_no_node(text: str) -> None:
    assert parse(text).nodes == ()


@pytest.mark.parametrize("text", ["?", "🙂", "the", "\u200b", "\x00", "- -", "।", "\ud800", "__", "ﬁ", "'s"])
def test_any_other_text_has_a_node(text: str) -> None:
    assert parse(text).nodes


@pytest.mark.parametrize("number", ["$5", "€ 1,200.50", "100 euros", "£3k", "20 dollars"])
def test_money(number: str) -> None:
    assert [NODE_TYPES[node.type] for node in parse(f"the fee of {number} is wrong").nodes][1] == "money"


@pytest.mark.parametrize(
    "date", ["2024-05-12", "3 pm", "12:30", "5 May 2024", "two", "2 weeks", "1st", "tomorrow"]
)
def test_date(date: str) -> None:
    kind = NODE_TYPES[parse(f"it arrived {date}").nodes[1].type]
    assert kind == ("number" if date == "two" else "date")


def test_one_long_line_of_capitals_names_nothing() -> None:
    assert "entity" not in {NODE_TYPES[node.type] for node in parse("MY NEW CARD IS LOST IN PARIS").nodes}


def test_a_text_is_parsed_alone_as_among_others() -> None:
    texts = [row[0] for row in ROWS]
    together = FlatGraphs()
    FastParser().parse_into(texts, together)
    assert list(together.node_counts) == [len(parse(text).nodes) for text in texts]
    assert list(together.edge_type) == [edge.type for text in texts for edge in parse(text).edges]


def test_curly_apostrophes_mean_the_same() -> None:
    straight, curly = parse("I don't know"), parse("I don’t know")
    assert straight == curly


def test_combining_marks_stay_in_their_word() -> None:
    text = "cafe\u0301 and हिन्दी"
    assert parse(text).phrases(text) == ["cafe\u0301", "हिन्दी"]


def test_long_han_runs_are_cut_in_pairs() -> None:
    text = "信用卡支付失败"
    assert parse(text, FastParser("bigrams")).phrases(text) == ["信用", "卡支", "付失", "败"]


def test_jieba_is_asked_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.ModuleType("jieba")
    fake.__spec__ = types.SimpleNamespace(name="jieba")  # type: ignore[assignment]
    fake.setLogLevel = lambda level: None  # type: ignore[attr-defined]
    fake.tokenize = lambda run: [("信用卡", 0, 3), ("支付", 3, 5), ("失败", 5, 7)]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jieba", fake)
    text = "我 信用卡支付失败"
    parser = FastParser()
    assert parser.recipe == {"parser": "fast", "segmenter": "jieba"}
    monkeypatch.setattr(
        fake, "tokenize", lambda run: [] if run == "我" else [("", 0, 3), ("", 3, 5), ("", 5, 7)]
    )
    assert parse(text, parser).phrases(text) == ["信用卡", "支付", "失败"]


def test_jieba_asked_for_and_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ParamsError, match="pip install"):
        FastParser("jieba")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["a.", "a-", "a@", "a+", ".", "1,", "www.", "\n x", "é.", "卡", "card ", "not ", "http://"]
)
def test_a_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    assert parse(piece * 20_000).nodes


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("order 61402, the rest", ["order", "61402", ",", "the", "rest"]),
        ("a 1.5, b", ["a", "1.5", ",", "b"]),
        ("it's rock'n'roll' now", ["it's", "rock'n'roll", "'", "now"]),
        ("to jo.b@mail.example.org. Next", ["to", "jo.b@mail.example.org", ".", "Next"]),
        ("well- known", ["well", "-", "known"]),
    ],
)
def test_a_token_takes_no_sign_that_nothing_follows(text: str, tokens: list[str]) -> None:
    """Python before 3.11.5 lets a possessive group that fails half-way keep what it took."""
    assert [match.group() for match in PATTERN.finditer(text)] == tokens
