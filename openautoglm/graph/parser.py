"""The fast parser: one regular expression, one dictionary, no download.

    graph = parse(text := "I still have not received my card.")
    graph.triples(text)        # [('not', 'not', 'received'), ('received', 'object', 'card')]

Phrases are runs of up to four content words; names, numbers, money, dates, addresses, verbs, negations and wh-words
are nodes of their own type. What stands between two phrases becomes the relation (see ``relations``). English first;
other alphabets give phrases and adjacency, scripts without spaces go through a segmenter.
"""

from __future__ import annotations

import re
from importlib.util import find_spec

from openautoglm.errors import ParamsError
from openautoglm.graph import lexicon as lex
from openautoglm.graph import tokens as tok
from openautoglm.graph.flat import FlatGraphs
from openautoglm.graph.lexicon import LEXICON
from openautoglm.graph.relations import (
    AND,
    BECAUSE,
    BUT,
    CLAUSE,
    FRONTED,
    IF,
    IS,
    NEXT,
    OR,
    RANK,
    SENTENCE,
    THAN,
    TO,
    corefer,
    relate,
)

# positions in NODE_TYPES; a test holds them equal
PHRASE, VERB, ENTITY, NUMBER, MONEY, DATE, EMAIL, URL, NEGATION, WH, WORD = range(11)
MAX_WORDS = 4  # of one phrase
_SURE, _LIKELY, _NO = 2, 1, 0  # how strongly the words before ask for a verb
_TYPED = {tok.MONEY: MONEY, tok.DATE: DATE, tok.NUMBER: NUMBER, tok.EMAIL: EMAIL, tok.URL: URL}
_SEGMENTERS: dict[str, tok.Segmenter] = {"bigrams": tok.bigrams, "jieba": tok.jieba_words}
_HAN_NODES = {lex.NEGATION: NEGATION, lex.WH: WH, lex.DATE: DATE, lex.NUMBER: NUMBER, lex.VERB: VERB}
_ANY_WORD = re.compile(r"\w+")


class FastParser:
    """``segmenter``: for runs of Han and kana, "jieba" or "bigrams"; None takes jieba when it is installed.

    Raises:
        ParamsError: jieba asked for and not installed.
    """

    def __init__(self, segmenter: str | None = None) -> None:
        installed = find_spec("jieba") is not None
        if segmenter == "jieba" and not installed:
            raise ParamsError("graph: jieba is asked for and not installed; pip install 'openautoglm[cjk]'")
        self.segmenter = segmenter or ("jieba" if installed else "bigrams")
        self._segment = _SEGMENTERS[self.segmenter]

    @property
    def recipe(self) -> dict[str, object]:
        return {"parser": "fast", "segmenter": self.segmenter}

    def parse_into(self, texts: list[str], flat: FlatGraphs) -> None:
        src, dst, types = flat.edge_src, flat.edge_dst, flat.edge_type
        for text in texts:
            edges_before = len(types)
            kinds: list[int] = []
            links: list[int] = []
            self._phrases(text, kinds, links, flat)
            if not kinds:
                last_resort(text, kinds, links, flat)
            if len(kinds) > 1:
                found = relate(kinds, links)
                found += corefer(kinds, flat.heads[-len(kinds) :])
                src.extend(found[::3])
                dst.extend(found[1::3])
                types.extend(found[2::3])
            flat.node_type.extend(kinds)
            flat.node_counts.append(len(kinds))
            flat.edge_counts.append(len(types) - edges_before)

    def _phrases(self, text: str, kinds: list[int], links: list[int], flat: FlatGraphs) -> None:
        """Find a text's nodes: types and links into the lists, spans, heads and positions into ``flat``.

        One long loop on purpose: a call per token would double the time. A phrase is written at its first word and
        stretched by the words that follow, so nothing has to be flushed.
        """
        span, heads, positions = flat.node_span, flat.heads, flat.positions
        classify = LEXICON.get
        shouting = text.isupper()  # then capitals name nothing
        link = SENTENCE  # what stands between the last node and the next one
        expect = _NO
        fresh = True  # nothing of the sentence was read yet
        run = 0  # words of the phrase that the next content word would continue
        name = maybe_name = False
        count = 0
        for match in tok.PATTERN.finditer(text):
            token = match.lastindex
            start, end = match.span()
            if token <= tok.WORD_ANY_SCRIPT:  # type: ignore[operator]
                word = match[0]
                low = word.lower()
                kind = classify(low, 0)
                count += 1
                capital = word != low and not shouting
                if kind == lex.VERB_OR_NOUN or kind == lex.VERB:
                    if capital and not fresh:  # Apple Pay
                        kind = 0
                    elif kind == lex.VERB_OR_NOUN:
                        kind = lex.VERB if expect or fresh else 0
                elif kind == lex.LIKE:
                    kind = lex.VERB if expect == _SURE else lex.CONNECTOR + THAN
                elif kind == lex.DEGREE:
                    how = kinds and kinds[-1] == WH and span[-1] + 1 == start
                    kind = lex.DEGREE if how else 0
                if kind == 0:
                    if expect and not capital and (expect == _SURE or low.endswith(("ed", "ing"))):
                        kind = lex.VERB
                    else:
                        named = capital and not (
                            fresh and word[1:] == low[1:]
                        )  # a first capital may be the sentence's
                        if 0 < run < MAX_WORDS and (named == name or (named and maybe_name)):
                            if named:
                                kinds[-1] = ENTITY
                                name = True
                            maybe_name = False
                            span[-1] = end
                            heads[-1] = low
                            positions[-1] = count
                            run += 1
                            continue
                        name = named
                        maybe_name = capital and not named
                        node = ENTITY if named else PHRASE
                        run = 1
                        expect = _NO
                        fresh = False
                        kinds.append(node)
                        links.append(link)
                        span.append(start)
                        span.append(end)
                        heads.append(low)
                        positions.append(count)
                        link = NEXT
                        continue
            elif token == tok.SENTENCE:
                link, expect, fresh, run = SENTENCE, _NO, True, 0
                continue
            elif token == tok.CLAUSE:
                if RANK[link & 31] < RANK[CLAUSE]:
                    link = CLAUSE
                expect = run = 0
                continue
            elif token == tok.OTHER:
                kind = classify(match[0], lex.STOP)
                low = ""
            elif token == tok.CJK:
                link = self._without_spaces(text, start, end, link, count, kinds, links, flat)
                count += end - start
                expect, fresh, run = _NO, False, 0
                continue
            else:
                kinds.append(_TYPED[token])  # type: ignore[index]
                count += 1
                links.append(link)
                span.append(start)
                span.append(end)
                heads.append("")
                positions.append(count)
                link, expect, fresh, run = NEXT, _NO, False, 0
                continue

            run = 0
            if kind >= lex.CONNECTOR:
                link = _joined(link, kind - lex.CONNECTOR)
                expect = _LIKELY if kind - lex.CONNECTOR == TO else _NO
                fresh = False
                continue
            fresh = False
            if kind == lex.STOP:
                expect = _NO
                continue
            if kind == lex.ADVERB:
                continue
            if kind == lex.VERB:
                node, expect = VERB, _NO
            elif kind == lex.BE:
                expect = _LIKELY
                if RANK[link & 31] <= RANK[IS]:
                    link = IS
                continue
            elif kind == lex.MODAL:
                # "how long does delivery take": without a subject before it, the next word may be that
                inverted = expect != _SURE and (not kinds or link in (SENTENCE, CLAUSE) or kinds[-1] == WH)
                expect = _LIKELY if inverted else _SURE
                continue
            elif kind == lex.HAVE:
                expect = _LIKELY
                continue
            elif kind == lex.SUBJECT or kind == lex.PRONOUN:
                if kind == lex.PRONOUN and kinds and kinds[-1] == VERB and span[-1] + 1 == start:
                    expect = _NO  # "use it abroad": an object
                    continue
                expect = _SURE
                if link in (AND, OR):  # "and I …" opens a clause
                    link = CLAUSE
                continue
            elif kind == lex.PARTICLE:
                if kinds and kinds[-1] == VERB and span[-1] + 1 == start:
                    span[-1] = end
                continue
            elif kind == lex.DEGREE:
                span[-1] = end
                continue
            elif kind == lex.WH:
                node, low, expect = WH, "", _NO
            elif kind == lex.NEGATION:
                node, low, expect = NEGATION, "", expect or _LIKELY
            elif kind == lex.NEGATED_MODAL:
                node, low, expect = NEGATION, "", _SURE
            elif kind == lex.WITHOUT:
                node, low, expect = NEGATION, "", _NO
            else:
                node, low, expect = (DATE if kind == lex.DATE else NUMBER), "", _NO
            kinds.append(node)
            links.append(link)
            span.append(start)
            span.append(end)
            heads.append(low)
            positions.append(count)
            link = NEXT

    def _without_spaces(
        self,
        text: str,
        start: int,
        end: int,
        link: int,
        count: int,
        kinds: list[int],
        links: list[int],
        flat: FlatGraphs,
    ) -> int:
        """The nodes of one run of Han or kana; returns the link to whatever follows."""
        run = text[start:end]
        for first, stop in self._segment(run):
            word = run[first:stop]
            kind = LEXICON.get(word, lex.CONTENT)
            if kind >= lex.CONNECTOR:
                link = _joined(link, kind - lex.CONNECTOR)
            if kind == lex.BE and RANK[link & 31] <= RANK[IS]:
                link = IS
            if kind == lex.STOP or kind == lex.BE or kind >= lex.CONNECTOR:
                continue
            node = _HAN_NODES.get(kind, PHRASE)
            kinds.append(node)
            links.append(link)
            flat.node_span.extend((start + first, start + stop))
            flat.heads.append(word if node <= ENTITY else "")
            flat.positions.append(count + stop)
            link = NEXT
        return link


def _joined(link: int, relation: int) -> int:
    """The link after one more connector: what says more wins, the later one among equals."""
    before = link & 31
    if before == SENTENCE:
        if relation in (IF, BECAUSE):
            return SENTENCE + FRONTED * (relation + 1)
        return BUT if relation == BUT else link
    return relation if RANK[relation] >= RANK[before] else link


def last_resort(text: str, kinds: list[int], links: list[int], flat: FlatGraphs) -> None:
    """A text without content still says something: its function words are nodes, or all of it is one."""
    spans = [match.span() for match in _ANY_WORD.finditer(text)]
    kind = WORD if spans else PHRASE
    if not spans and (stripped := text.strip()):
        start = text.index(stripped)
        spans = [(start, start + len(stripped))]
    for number, (start, end) in enumerate(spans, 1):
        kinds.append(kind)
        links.append(NEXT)
        flat.node_span.extend((start, end))
        flat.heads.append("")
        flat.positions.append(number)
