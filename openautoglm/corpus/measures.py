"""What the expectations look at: a pandas frame of the rows with a few measured columns beside them."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from openautoglm.corpus.document import SPLITS, content_id

# U+FFFD, C0 and C1 control characters, and UTF-8 that was read as cp1252 or latin-1: "Ã©", "â€™", "Â£"
BROKEN = (
    r"\x{FFFD}|[\x{00}-\x{08}\x{0B}\x{0C}\x{0E}-\x{1F}\x{7F}-\x{9F}]"
    r"|Ã[\x{A0}-\x{BF}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€[\x{A0}-\x{BF}™œ˜“”¦š]?|â‚¬|Â[\x{A0}-\x{BF}]"
)
# a word, or one character of a script that writes without spaces
WORD = r"[\p{Han}\p{Hiragana}\p{Katakana}]|[^\s\p{Han}\p{Hiragana}\p{Katakana}]+"


def measured(rows: pa.Table) -> pd.DataFrame:
    """The rows in their order, with ``row`` (their number), ``batch_number`` (order of arrival, from 0), ``characters``,
    ``words``, ``broken_characters`` and ``text_key`` (the same number for texts that differ in case and spaces only).

    A text of white space alone is no text: null, like its measures.
    """
    stripped = pc.utf8_trim_whitespace(rows["text"])
    text = pc.if_else(pc.equal(pc.utf8_length(stripped), 0), pa.scalar(None, pa.string()), rows["text"])
    frame = pd.DataFrame(
        {name: _objects(rows[name]) for name in rows.column_names if name != "text"}
        | {"text": _objects(text)}
    )
    frame.insert(0, "row", range(len(frame)))
    frame["characters"] = _numbers(pc.utf8_length(stripped)).where(frame["text"].notna())
    frame["words"] = _numbers(word_counts(rows["text"])).where(frame["text"].notna())
    frame["broken_characters"] = sum(
        _numbers(pc.fill_null(pc.count_substring_regex(rows[name], BROKEN), 0))
        for name in ("text", "label", "doc_id")
    )
    frame["batch_number"] = pd.factorize(frame["batch"])[0]
    frame["text_key"] = text_keys(text)
    frame["given_id"] = frame["doc_id"].mask(_are_ours(frame["doc_id"], rows["text"]), None)
    return frame


def without_repeats(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` less the rows that say again what a row before them said, where the source gives no ids.

    A text that comes again under another label stays, and ``conflict`` says so; in another split, it is left to be
    found as leakage. Both go by the id, which is the text's own hash there.
    """
    ours = frame[frame["given_id"].isna() & frame["label"].notna()]
    again = ours.index[ours.duplicated(["doc_id", "split", "label"])]
    frame, ours = frame.drop(again), ours.drop(again)
    first = ours.groupby(["doc_id", "split"])["label"].transform("first")
    frame["conflict"] = pd.Series(None, frame.index, dtype=object)
    for row in ours.index[first != ours["label"]]:
        frame.at[row, "conflict"] = f"{ours.at[row, 'label']!s}, the same text came as {first[row]} before"
    return frame


def _are_ours(doc_ids: pd.Series, texts: pa.ChunkedArray) -> pd.Series:
    """True where a repeated id was made from the text; an id that comes once may be anybody's."""
    found = doc_ids.duplicated(keep=False)
    for row in found.index[found]:
        text = texts[int(row)].as_py()
        found[row] = text is not None and doc_ids[row] == content_id(text)
    return found


def word_counts(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.count_substring_regex(texts, WORD)


def text_keys(texts: pa.ChunkedArray) -> pd.Series:
    """The same number for the same text, whatever its case and spaces; a missing text has a number of its own."""
    plain = pc.replace_substring_regex(pc.utf8_lower(pc.utf8_trim_whitespace(texts)), r"\s+", " ")
    keys = pd.Series(pd.factorize(_objects(plain))[0])
    missing = keys < 0
    keys[missing] = -1 - keys.index[missing]
    return keys


def kept_in_one_split(text_key: pd.Series, split: pd.Series, batch_number: pd.Series) -> pd.Series:
    """True for the rows whose text sits in one split alone; of a text in several, for the copies that may stay.

    The batch that came first decides, so that no later batch changes an exam that was already sat; within it, test
    before valid before train.
    """
    strength = (
        split.map({name: rank for rank, name in enumerate(reversed(SPLITS))}).fillna(len(SPLITS)).astype(int)
    )
    first = (batch_number.astype(int) * 10 + strength).groupby(text_key).transform("min")
    return strength == first % 10


def counts(values: pd.Series) -> dict[str, int]:
    """{value: how often it is there}, in the order of their first rows."""
    return {str(value): int(count) for value, count in values.value_counts(sort=False).items()}


def _objects(column: pa.ChunkedArray) -> pd.Series:
    # plain Python strings and None: pandas' newer string types differ between versions in how they compare nulls
    return pd.Series(column.to_pylist(), dtype=object)


def _numbers(column: pa.ChunkedArray) -> pd.Series:
    return pd.Series(column.to_pandas()).astype(float)
