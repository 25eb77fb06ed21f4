"""The one pattern that cuts a text into tokens, and the cutting of scripts that write without spaces.

A match's ``lastindex`` is the token's kind. Order matters: a kind earlier in the list wins at the same character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

WORD, WORD_ANY_SCRIPT, SENTENCE, CLAUSE, MONEY, DATE, NUMBER, EMAIL, URL, CJK, OTHER = range(1, 12)

# Han, kana: no spaces between words, so a run is cut by a segmenter and not by this pattern
_CJK = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
# combining marks are no \w in Python: without them "é" in its decomposed form, or any Devanagari vowel, cuts a word
_MARK = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0980-\u0983\u09bc-\u09cd\u0a01-\u0dff\u0e31-\u0e4e\u200c\u200d"
_LETTER = rf"[^\W\d{_CJK}]"
_REST = rf"[^\W{_CJK}]*+(?:[{_MARK}]++[^\W{_CJK}]*+)*+"
_CURRENCY = "dollars?|euros?|pounds?|cents?|pence|bucks|usd|eur|gbp|chf|aud|cad|jpy|inr|dlrs?|cts"
_MONTH = "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
_UNIT = "seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?"
_AMOUNT = r"\d++(?:(?=[.,]\d)[.,]\d++)*+"
_TOP_LEVEL = "com|org|net|io|co|de|fr|uk|eu|app|gov|edu|info"

# Every look-ahead and every unbounded part that may fail is bounded: a hostile text costs no more than its length.
# A possessive group looks ahead before it takes anything: up to Python 3.11.4 one that fails half-way keeps what it took
# (https://github.com/python/cpython/issues/106052), and "61402, the" would lose its comma.
PATTERN = re.compile(
    rf"""
    # plain ASCII words are most of what comes by: a fast way for them, left when something longer starts here
    (?P<word>[A-Za-z]++(?:(?=['’\-][A-Za-z])['’\-][A-Za-z]++)*+
        (?:(?=[\s,?!;)])|(?![\w@{_MARK}]|://|[.+-][\w.+-]{{0,63}}+@|\.[\w.-]{{0,63}}?(?i:{_TOP_LEVEL})\b)))
    |(?P<word_any_script>(?!(?i:https?|ftp)://|(?i:www)\.|[\w.+-]{{1,64}}+@\w|(?:[\w-]{{1,63}}+\.){{1,8}}(?i:{_TOP_LEVEL})\b)
        {_LETTER}{_REST}(?:['’\-]{_LETTER}{_REST})*+)
    |(?P<sentence>[.!?…]++(?=[\s"'”’)\]]|$)|[。！？｡]++|\n\s*\n\s*)
    |(?P<clause>[,;:()—–、，；：\n]|\s-{{1,3}}\s)
    |(?P<money>[$€£¥₹]\s?{_AMOUNT}(?:\s?(?i:k|m|bn|million|billion)\b)?|{_AMOUNT}\s?(?:[$€£¥₹]|(?i:{_CURRENCY})\b))
    |(?P<date>\d{{4}}-\d{{1,2}}-\d{{1,2}}\b|\d{{1,2}}[/.]\d{{1,2}}[/.](?:\d{{4}}|\d{{2}})\b|\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?:\s?(?i:[ap]m)\b)?
        |\d{{1,2}}\s?(?i:[ap]m)\b|\d{{1,2}}(?:st|nd|rd|th)?\s(?i:{_MONTH})\b(?:\s\d{{4}}\b)?|\d{{1,4}}\s?(?i:{_UNIT})\b|\d{{1,2}}(?:st|nd|rd|th)\b)
    |(?P<number>{_AMOUNT}%?)
    |(?P<email>[\w.+-]{{1,64}}+@\w[\w-]*+(?:(?=\.[\w-])\.[\w-]++)*+)
    |(?P<url>(?:(?i:https?|ftp)://|(?i:www)\.)[^\s<>"]*[^\s<>".,;:!?)\]'。，]
        |(?:[\w-]{{1,63}}+\.){{1,8}}(?i:{_TOP_LEVEL})\b(?:/[^\s<>"]*[^\s<>".,;:!?)\]'])?)
    |(?P<cjk>[{_CJK}]++)
    |(?P<other>[.!?…]++|[^\s])
    """,
    re.VERBOSE,
)

Segmenter = Callable[[str], Iterator[tuple[int, int]]]
"""A run without spaces → (start, end) of its words, in order, within the run."""

_CLOSED_HAN = re.compile(
    "为什么|什么|怎么|哪里|多少|如何|没有|无法|因为|如果|但是|我们|你们|他们|今天|明天|昨天|[不没的了吗呢我你他她它是在和或]"
    "|[\u3040-\u309f]+|[\u30a0-\u30ff]+|.",
    re.DOTALL,
)


def bigrams(run: str) -> Iterator[tuple[int, int]]:
    """Closed-class words by name, kana by script; between them a run of up to four characters whole, else pairs."""
    start = 0
    for match in _CLOSED_HAN.finditer(run):
        if match.end() - match.start() == 1 and match[0] not in "不没的了吗呢我你他她它是在和或":
            continue  # an open-class character: part of the run that began at start
        yield from _pairs(start, match.start())
        yield match.span()
        start = match.end()
    yield from _pairs(start, len(run))


def _pairs(start: int, end: int) -> Iterator[tuple[int, int]]:
    if end - start <= 4:
        if end > start:
            yield start, end
        return
    for first in range(start, end, 2):
        yield first, min(first + 2, end)


def jieba_words(run: str) -> Iterator[tuple[int, int]]:
    """jieba's segmentation, which needs the package (the extra ``cjk``)."""
    return ((start, end) for _, start, end in _jieba().tokenize(run))


def _jieba() -> Any:
    import logging

    import jieba

    jieba.setLogLevel(logging.WARNING)  # it prints its dictionary's path otherwise
    return jieba
