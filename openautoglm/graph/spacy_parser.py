"""The other parser: spaCy's dependency parse and entities, in the same node and edge types.

    parser = SpacyParser.load("en_core_web_sm")        # any installed model with a dependency parser

Nodes: entities, noun chunks (without their determiners and pronouns), verbs, negations, wh-words, numbers. Each node
stands on a head token; the tree between two head tokens, and the preposition or conjunction on the way, gives the type.
"""

from __future__ import annotations

from typing import Any

from openautoglm.errors import ParamsError
from openautoglm.graph.flat import FlatGraphs
from openautoglm.graph.lexicon import CONNECTOR, LEXICON, NEGATED_MODAL, NEGATION, WITHOUT
from openautoglm.graph.parser import last_resort
from openautoglm.graph.semantic_graph import NODE_TYPES, RELATIONS

_NODE = {name: number for number, name in enumerate(NODE_TYPES)}
_RELATION = {name: number for number, name in enumerate(RELATIONS)}
_ENTITIES = {
    "MONEY": "money",
    "DATE": "date",
    "TIME": "date",
    "CARDINAL": "number",
    "ORDINAL": "number",
    "PERCENT": "number",
    "QUANTITY": "number",
    "NUM": "number",
}
# dependency label of a node's head token → relation; True: from the modifier to the word it hangs on
_DEPENDENCIES = {
    "nsubj": ("subject", True),
    "nsubjpass": ("subject", True),
    "nsubj:pass": ("subject", True),
    "csubj": ("subject", True),
    "dobj": ("object", False),
    "obj": ("object", False),
    "iobj": ("object", False),
    "dative": ("to", False),
    "attr": ("is", False),
    "acomp": ("is", False),
    "xcomp": ("to", False),
    "neg": ("not", True),
    "poss": ("of", True),
    "nmod:poss": ("of", True),
    "appos": ("is", False),
    "conj": ("and", False),
    "agent": ("by", False),
    "ccomp": ("clause", False),
    "parataxis": ("clause", False),
    "relcl": ("clause", False),
    "acl": ("clause", False),
    "advcl": ("clause", False),
}
_PREDICATES = {"acomp", "ROOT", "conj", "xcomp"}
_MODIFIER_OF_PHRASE = {"det", "poss", "nmod:poss", "predet", "case"}


class SpacyParser:
    def __init__(self, nlp: Any, model: str) -> None:
        self._nlp = nlp
        self._model = model

    @classmethod
    def load(cls, model: str) -> SpacyParser:
        """Raises ParamsError: spaCy or the model is not installed, or the model has no dependency parser."""
        try:
            import spacy
        except ImportError:
            raise ParamsError(
                "graph.parser: spacy is not installed; pip install 'openautoglm[spacy]'"
            ) from None
        try:
            nlp = spacy.load(model)
        except OSError:
            raise ParamsError(
                f"graph.spacy_model: no spaCy model {model!r} is installed; python -m spacy download {model}, or set "
                "graph.parser to fast"
            ) from None
        if "parser" not in nlp.pipe_names:
            found = ", ".join(nlp.pipe_names) or "nothing"
            raise ParamsError(
                f"graph.spacy_model: {model!r} has no dependency parser, found {found}; take another model"
            )
        return cls(nlp, model)

    @property
    def recipe(self) -> dict[str, object]:
        version = self._nlp.meta.get("version", "")
        return {"parser": "spacy", "model": self._model, "model_version": version}

    def parse_into(self, texts: list[str], flat: FlatGraphs) -> None:
        for text, doc in zip(texts, self._nlp.pipe(texts), strict=True):
            append_doc(doc, text, flat)


def append_doc(doc: Any, text: str, flat: FlatGraphs) -> None:
    """The graph of one parsed ``spacy.tokens.Doc``."""
    spans = _spans(doc)
    kinds = [kind for _, _, kind, _ in spans]
    if not spans:
        last_resort(text, kinds, [], flat)
    for first, stop, _, head in spans:
        last = doc[stop - 1]
        flat.node_span.extend((doc[first].idx, last.idx + len(last)))
        flat.heads.append(doc[head].lower_)
        flat.positions.append(stop)
    edges = _relations(doc, spans) if spans else []
    for source, target, relation in edges:
        flat.edge_src.append(source)
        flat.edge_dst.append(target)
        flat.edge_type.append(relation)
    flat.node_type.extend(kinds)
    flat.node_counts.append(len(kinds))
    flat.edge_counts.append(len(edges))


def _spans(doc: Any) -> list[tuple[int, int, int, int]]:
    """(first token, stop token, node type, head token) of every node, in reading order, no token in two nodes."""
    taken = [False] * len(doc)
    found: list[tuple[int, int, int, int]] = []

    def take(first: int, stop: int, kind: str, head: int) -> None:
        if first < stop and not any(taken[first:stop]):
            taken[first:stop] = [True] * (stop - first)
            found.append((first, stop, _NODE[kind], head))

    for token in doc:
        if token.dep_ == "neg" or LEXICON.get(token.lower_) in (NEGATION, NEGATED_MODAL, WITHOUT):
            take(token.i, token.i + 1, "negation", token.i)
        elif token.tag_ in ("WDT", "WP", "WP$", "WRB") or (
            token.pos_ in ("PRON", "ADV", "DET", "SCONJ") and token.lower_ in _WH
        ):
            take(token.i, token.i + 1, "wh", token.i)
        elif token.like_email or token.like_url:
            take(token.i, token.i + 1, "email" if token.like_email else "url", token.i)
    for entity in doc.ents:
        take(entity.start, entity.end, _ENTITIES.get(entity.label_, "entity"), entity.root.i)
    for head in doc:
        if head.pos_ in ("NOUN", "PROPN") and head.dep_ != "compound" and not taken[head.i]:
            first = head.i
            while first > 0 and _inside(doc[first - 1], head) and not taken[first - 1]:
                first -= 1
            take(first, head.i + 1, "entity" if head.pos_ == "PROPN" else "phrase", head.i)
    for token in doc:
        if token.pos_ == "VERB":
            take(token.i, token.i + 1, "verb", token.i)
        elif token.pos_ == "NUM":
            take(token.i, token.i + 1, "number", token.i)
        elif token.pos_ in ("NOUN", "PROPN", "X") or (token.pos_ == "ADJ" and token.dep_ in _PREDICATES):
            take(token.i, token.i + 1, "phrase", token.i)
    return sorted(found)


_WH = {"what", "when", "where", "why", "who", "whom", "whose", "which", "how"}


def _inside(token: Any, head: Any) -> bool:
    """Whether ``token``, left of ``head``, belongs to its phrase: a modifier, no determiner, pronoun or verb."""
    if token.dep_ in _MODIFIER_OF_PHRASE or token.pos_ in (
        "DET",
        "PRON",
        "ADP",
        "PUNCT",
        "VERB",
        "AUX",
        "SPACE",
    ):
        return False
    return bool(head.is_ancestor(token))


def _relations(doc: Any, spans: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int]]:
    """(source node, target node, relation): up the tree from every node, then from sentence to sentence."""
    owner = {
        token: number for number, (first, stop, _, _) in enumerate(spans) for token in range(first, stop)
    }
    edges: list[tuple[int, int, int]] = []
    roots: list[int] = []
    joined: set[int] = set()
    for number, (_, _, kind, head) in enumerate(spans):
        target, relation, upward = _climb(doc[head], owner, number)
        if kind == _NODE["negation"]:
            relation, upward = "not", True
        elif kind == _NODE["wh"]:
            relation, upward = "asks", True
        if target is None:
            roots.append(number)
            continue
        joined.update((number, target))
        edges.append(
            (number, target, _RELATION[relation]) if upward else (target, number, _RELATION[relation])
        )
    sentence = [
        doc[spans[number][3]].sent.start if doc.has_annotation("SENT_START") else 0 for number in roots
    ]
    for before, after, first, second in zip(roots, roots[1:], sentence, sentence[1:], strict=False):
        edges.append((before, after, _RELATION["next" if first == second else "sentence"]))
    return edges


def _climb(token: Any, owner: dict[int, int], number: int) -> tuple[int | None, str, bool]:
    """The node above ``token``, the relation to it, and whether that runs upwards; None at a root.

    The first word on the way that says something decides: a preposition or conjunction by the lexicon, else the label.
    """
    relation, upward = "", False
    connector = _marker(token)
    child = token
    while child.head.i != child.i:
        parent = child.head
        if not relation and child.dep_ in _DEPENDENCIES:
            relation, upward = _DEPENDENCIES[child.dep_]
        if parent.i in owner and owner[parent.i] != number:
            if connector is not None and relation not in ("subject", "object", "not"):
                relation, upward = connector, False
            return owner[parent.i], relation or "next", upward
        connector = connector or _connector(parent)
        child = parent
    if owner.get(child.i) == number:
        return None, "", False
    return _sister(token, child, owner, number, relation, upward)


def _sister(
    token: Any, root: Any, owner: dict[int, int], number: int, relation: str, upward: bool
) -> tuple[int | None, str, bool]:
    """Under a root that is no node ("the fee *is* high"): join to the first node that hangs on it and stands before."""
    for child in root.children:
        other = owner.get(child.i)
        if other is not None and other != number and child.i < token.i:
            return (
                other,
                relation if relation and relation != "subject" else "is",
                upward and relation == "not",
            )
    return None, "", False


def _marker(token: Any) -> str | None:
    """The conjunction or preposition that hangs on ``token`` itself: mark, case or cc."""
    for child in token.children:
        if child.dep_ in ("mark", "case") and (name := _connector(child)) is not None:
            return name
    if token.dep_ == "conj":
        for sibling in token.head.children:
            if sibling.dep_ == "cc" and (name := _connector(sibling)) is not None:
                return name
    return None


def _connector(token: Any) -> str | None:
    number = LEXICON.get(token.lower_, 0)
    return RELATIONS[number - CONNECTOR] if number >= CONNECTOR and token.pos_ != "VERB" else None
