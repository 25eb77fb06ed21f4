"""From a row of phrases and what stands between them to typed relations.

The parser gives every node a *link*: the relation that its left context announces ("next" where nothing does). Here
the links become edges, clause by clause:

- a preposition joins the phrase before it and the phrase after it;
- a verb takes the clause's first phrase as subject and the phrase right behind it as object;
- a negation or wh-word bears on the first phrase after it, and a relation that crosses a negation is a "not";
- a clause hangs on the clause before it by the main nodes (the first verb, else the first phrase), with the conjunction as type.
"""

from __future__ import annotations

from openautoglm.graph.semantic_graph import NODE_TYPES, RELATIONS

PHRASE = NODE_TYPES.index("phrase")
ENTITY = NODE_TYPES.index("entity")
_NAMED = (PHRASE, ENTITY)
VERB = NODE_TYPES.index("verb")
NEGATION = NODE_TYPES.index("negation")
WH = NODE_TYPES.index("wh")

NEXT = RELATIONS.index("next")
SUBJECT = RELATIONS.index("subject")
OBJECT = RELATIONS.index("object")
IF = RELATIONS.index("if")
BECAUSE = RELATIONS.index("because")
BUT = RELATIONS.index("but")
AND = RELATIONS.index("and")
OR = RELATIONS.index("or")
IS = RELATIONS.index("is")
NOT = RELATIONS.index("not")
ASKS = RELATIONS.index("asks")
CLAUSE = RELATIONS.index("clause")
SENTENCE = RELATIONS.index("sentence")
SAME = RELATIONS.index("same")
TO = RELATIONS.index("to")
THAN = RELATIONS.index("than")
FROM = RELATIONS.index("from")

# a link is replaced by one that says more: "and, because of" is a "because"
RANK = [1] * len(RELATIONS)
for _rank, _relations in enumerate(((NEXT,), (), (AND, OR), (CLAUSE,), (BECAUSE, IF, BUT), (SENTENCE,))):
    for _relation in _relations:
        RANK[_relation] = _rank
BOUNDARY = [rank >= 3 for rank in RANK]
FRONTED = 32
"""A link's upper bits: 1 + the relation of a conjunction that opens the sentence ("If it fails, call me")."""


def relate(kinds: list[int], links: list[int]) -> list[int]:
    """The relations among the nodes of one text as one flat row ``source, target, type, source, …``.

    ``kinds`` and ``links``: [nodes].
    """
    found: list[int] = []
    last = subject = -1  # in this clause: the phrase just before, the first phrase that no verb has taken
    anchor = -1  # main node of the clause so far
    negation = wh = -1  # waiting for the phrase that they bear on
    front = front_anchor = -1  # a fronted conjunction and the main node of its clause
    origin = -1  # what the last "from" belongs to
    carried = NEXT  # a link that met a negation or wh-word and waits with it
    for node, (kind, link) in enumerate(zip(kinds, links, strict=True)):
        relation = link & 31
        if BOUNDARY[relation]:
            if (
                negation >= 0 and last >= 0
            ):  # "here? Not." has nothing behind it: it bears on what stands before
                found += (negation, last, NOT)
            if front >= 0:
                front_anchor = anchor
            if anchor >= 0:
                if (
                    front >= 0 and relation == CLAUSE
                ):  # main clause → fronted condition, as in "call me if it fails"
                    found += (node, front_anchor, front)
                else:
                    found += (anchor, node, relation)
            front = (link >> 5) - 1
            last = subject = negation = wh = -1
            anchor = node
            relation = NEXT
            carried = NEXT
        if kind in (NEGATION, WH):
            waiting = negation if kind == NEGATION else wh
            if waiting >= 0:
                found += (waiting, node, NOT if kind == NEGATION else ASKS)
            if kind == NEGATION:
                negation = node
            else:
                wh = node
            if RANK[relation] > RANK[carried]:
                carried = relation
            if anchor < 0:
                anchor = node
            continue
        if RANK[carried] > RANK[relation] or relation == NEXT:
            relation = carried
        carried = NEXT
        if wh >= 0:
            found += (wh, node, ASKS)
            wh = -1
        if relation != FROM and relation != TO:
            origin = -1
        source = origin if relation == TO and origin >= 0 else last  # from A to B: both belong to what moves
        if relation == FROM:
            origin = last
        if last >= 0 and (relation in (NEXT, IS)):
            if kind == VERB:
                if subject >= 0:
                    source, relation = subject, SUBJECT
                else:
                    relation = NEXT
            elif relation == NEXT and kinds[last] == VERB:
                relation = OBJECT
        if negation >= 0:
            found += (negation, node, NOT)
            negation = -1
            if relation in (NEXT, IS, SUBJECT):
                relation = NOT
        if source >= 0:
            found += (source, node, relation)
        if kind == VERB:
            subject = -1
            if anchor < 0 or kinds[anchor] != VERB:
                anchor = node
        else:
            if subject < 0 and (last < 0 or kinds[last] != VERB):
                subject = node
            if (
                anchor < 0 or kinds[anchor] >= NEGATION
            ):  # a wh-word or negation stands in until there is a phrase
                anchor = node
        last = node
    if negation >= 0 and last >= 0:
        found += (negation, last, NOT)
    return found


def corefer(kinds: list[int], heads: list[str]) -> list[int]:
    """Join a phrase to the last one before it that has the same head word; a row as :func:`relate` gives."""
    found: list[int] = []
    seen: dict[str, int] = {}
    for node, (kind, head) in enumerate(zip(kinds, heads, strict=True)):
        if kind in _NAMED and head:
            if head[-1] == "s":
                head = singular(head)
            if head in seen:
                found += (seen[head], node, SAME)
            seen[head] = node
    return found


def singular(head: str) -> str:
    """cards → card, deliveries → delivery; pass and bus stay as they are."""
    if len(head) < 4 or head[-1] != "s" or head[-2] in "su":
        return head
    return head[:-3] + "y" if head.endswith("ies") and len(head) > 4 else head[:-1]
