"""The closed classes of English, and a few of Chinese: which word joins, negates, asks, or says nothing by itself.

``LEXICON[word]`` is a small number: one of the word classes below, or ``CONNECTOR + r`` for a word that announces the
relation ``RELATIONS[r]``. A word that is not there is content.
"""

from __future__ import annotations

from collections.abc import Iterable

from openautoglm.graph.semantic_graph import RELATIONS

CONTENT = 0
STOP = 1  # articles, possessives, object pronouns, politeness
ADVERB = 2  # leaves the grammar around it as it is
SUBJECT = 3  # I, we, they: a verb follows
PRONOUN = 4  # it, you: a verb follows, unless one stands just before
MODAL = 5  # can, will, do: a verb follows
BE = 6
HAVE = 7
NEGATION = 8  # not, hasn't: a participle may follow
NEGATED_MODAL = 9  # don't, can't: a verb follows
WH = 10
VERB = 11
VERB_OR_NOUN = 12  # transfer, charge: the word before decides
PARTICLE = 13  # top up, send back: belongs to the verb just before
DATE = 14
NUMBER = 15
DEGREE = 16  # how much, how long: belongs to a "how" just before, else content
WITHOUT = 17  # no, without: a negation that a phrase follows
LIKE = 18  # a verb after "I would", else a comparison
CONNECTOR = 32

_CONNECTORS = {
    "of": "of",
    "at": "at in on into onto inside within across near under over through during via between among around against outside along beyond upon 在",
    "from": "from",
    "to": "to towards toward unto",
    "for": "for",
    "with": "with using",
    "by": "by",
    "about": "about regarding concerning re",
    "because": "because since cause cuz cos coz due 因为",
    "if": "if unless whether provided assuming 如果",
    "but": "but although though however yet except despite whereas 但是 但",
    "and": "and plus 和",
    "or": "or nor either 或",
    "than": "than as unlike",
    "before": "before until till prior",
    "after": "after once following",
    "clause": "so then while therefore hence",
}
_CLASSES = {
    STOP: "a an the this that these those my your his her its our their mine yours hers ours theirs me him us them "
    "myself yourself itself himself herself ourselves themselves some any each every both all most more "
    "another other such own same few several there here thanks thank hi hello hey ok okay yes yeah well oh "
    "sir madam dear etc let lets let's one ones something anything everything someone anyone everyone lot lots bit kind "
    "的 了 吗 呢 吧 我 你 您 他 她 它 们 我们 你们 他们 这 那 也 都 很 请",
    ADVERB: "still just already really very too quite always ever even only again now soon currently recently actually "
    "probably maybe perhaps simply suddenly finally usually often sometimes rather almost completely absolutely truly "
    "definitely certainly exactly instead anymore possibly kindly quickly immediately automatically",
    SUBJECT: "i we they he she i'll we'll they'll he'll she'll i'd we'd they'd he'd she'd i've we've they've",
    PRONOUN: "it you it'll you'll it'd you'd you've there'll u",
    MODAL: "do does did can could will would should must may might shall ought please pls",
    BE: "is are was were am be been being i'm we're they're he's she's it's you're that's there's here's im 是",
    HAVE: "have has had having",
    NEGATION: "not never neither n't isn't aren't wasn't weren't ain't hasn't "
    "haven't hadn't isnt arent wasnt werent aint hasnt havent hadnt 不 没 没有 无法 别",
    WITHOUT: "no none nothing nobody nowhere without",
    NEGATED_MODAL: "don't doesn't didn't can't cannot couldn't won't wouldn't shouldn't mustn't needn't "
    "dont doesnt didnt cant couldnt wont wouldnt shouldnt mustnt",
    WH: "what when where why who whom whose which how what's where's when's why's who's how's whats wheres hows whos "
    "什么 怎么 为什么 哪里 哪儿 谁 多少 怎样 如何",
    PARTICLE: "up down off out back away",
    DATE: "today yesterday tomorrow tonight monday tuesday wednesday thursday friday saturday sunday january february "
    "april june july august september october november december mondays tuesdays wednesdays thursdays fridays "
    "saturdays sundays noon midnight 今天 明天 昨天",
    NUMBER: "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand "
    "million billion dozen half twice",
    LIKE: "like",
    DEGREE: "much many long often far big large fast quick soon old early late come",
}
# bases that are verbs wherever they stand, and bases that are as often nouns; regular forms are made below
_VERBS = (
    "accept activate add agree allow announce apply appear arrive ask assist authorise authorize avoid bring buy cancel "
    "choose collect come complain complete confirm connect contain continue convert create decline deduct delete deny "
    "deposit describe detect disappear disable edit enable ensure enter exist expect expire explain fail find fix follow "
    "forget freeze get give go happen hear hold imply inform initiate install know learn leave lose make mean miss "
    "notice notify obtain pay process prove provide put reach realise realize receive recover redeem refuse reject "
    "remain remember remove renew repair replace require reset resolve retrieve return say see seem sell send "
    "show solve speak start steal stop submit suggest take tell think top transmit try unblock understand unfreeze "
    "unlock update upgrade verify wait want withdraw write need keep become build"
)
_VERBS_OR_NOUNS = (
    "access answer bill block book call change charge check claim click close cost debit delay deliver drop email exchange "
    "expense fee fund guess help hope increase issue link list load lock log look mail match move name offer open "
    "order pass pend plan post press print purchase question rate read refund register reply report request reverse "
    "review run save scan search set ship sign sound spend spot step store support swap switch talk test touch track "
    "trade transfer travel trust turn use view visit walk watch wonder work love live lend lift stay break cash cover cut"
)
_IRREGULAR = (
    "arose ate became began broke broken bought brought built came chose chosen dealt did done drew drawn felt forgot "
    "forgotten found froze frozen gave given gone got gotten grew heard held kept knew known laid led left lent lost made "
    "meant met paid ran read said sat saw seen sent shown sold spent spoke spoken stole stolen stood stuck taken taught "
    "thought told took understood went withdrawn withdrew won wrote written getting putting setting stopping "
    "forgetting topped topping gonna wanna 收到 想 要"
)


def _forms(base: str) -> Iterable[str]:
    """Regular inflections: 3rd person, past, -ing; with the doubled consonant of short words (stop, stopped)."""
    stem = base[:-1] if base.endswith("e") else base
    sibilant = base.endswith(("s", "x", "z", "ch", "sh"))
    if base.endswith("y") and base[-2] not in "aeiou":
        return base, base[:-1] + "ies", base[:-1] + "ied", base + "ing"
    third = base + ("es" if sibilant else "s")
    double = stem + stem[-1]
    return base, third, stem + "ed", stem + "ing", double + "ed", double + "ing"


def _build() -> dict[str, int]:
    lexicon: dict[str, int] = {}
    for base in _VERBS_OR_NOUNS.split():
        for form in _forms(base):
            # charged and charging are verbs; charge and charges may be either
            lexicon[form] = VERB if form.endswith("ed") else VERB_OR_NOUN
    lexicon.update({form: VERB for base in _VERBS.split() for form in _forms(base)})
    lexicon.update(dict.fromkeys(_IRREGULAR.split(), VERB))
    for number, words in _CLASSES.items():
        lexicon.update(dict.fromkeys(words.split(), number))
    for relation, words in _CONNECTORS.items():
        lexicon.update(dict.fromkeys(words.split(), CONNECTOR + RELATIONS.index(relation)))
    curly = {word.replace("'", "’"): number for word, number in lexicon.items() if "'" in word}
    return lexicon | curly


LEXICON = _build()
