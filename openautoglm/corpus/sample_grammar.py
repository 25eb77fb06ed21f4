"""The grammar of the built-in sample's texts, and the words that all of them share; sample_texts.py has the intents.

A line is a small grammar: ``[a|b|]`` picks one (nested, may be empty), ``{slot}`` is filled from :data:`SLOTS`, the
same slot with the same words throughout one text. `says` are the complaint itself. `story` is a clause and `topic` a
noun phrase that mention the intent without being it ("it is not that you …", "this is not about …"). Neighbours in
the table are meant to share their words and differ in who did what to whom, in which direction, or whether at all.
"""

from __future__ import annotations

from typing import NamedTuple


class Intent(NamedTuple):
    says: tuple[str, ...]
    story: tuple[str, ...]
    topic: tuple[str, ...]
    near: tuple[str, ...]  # the intents it is most easily taken for


SLOTS: dict[str, tuple[str, ...]] = {
    "item": (
        "kettle", "desk lamp", "rucksack", "coffee grinder", "pair of headphones", "winter coat", "bookshelf", "toaster",
        "rain jacket", "monitor", "pressure cooker", "bedside table", "yoga mat", "keyboard", "pair of boots", "hair dryer",
        "garden hose", "suitcase", "blender", "office chair", "phone case", "frying pan", "duvet", "speaker",
    ),
    "other": (
        "charger", "set of mugs", "cushion", "tea towel", "water bottle", "cable", "scarf", "lid", "remote control",
        "cutting board", "belt", "wool hat", "memory card", "doormat", "pillow case", "spare filter",
    ),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "the 3rd", "the 14th", "the 21st"),
    "ago": ("two days ago", "last week", "on Sunday", "a fortnight ago", "yesterday", "this morning", "ten days ago", "last month"),
    "amount": ("£34.90", "59 euros", "$120", "18.50", "£7", "240 euros", "$49.99", "£315", "just over 80 pounds"),
    "who": ("my sister", "my husband", "my flatmate", "a colleague", "my mum", "our office manager", "my son", "the lady next door"),
    "order": ("order [48213|77120|90355|61402|33871|20946]", "my order", "my order from {day}", "the order I placed {ago}", "my order for the {item}"),
    "street": ("Mill Lane", "Queen Street", "the new flat", "my office", "my parents' house", "Harbour Road", "number 14"),
    "plan": ("the family plan", "the music plan", "the yearly plan", "the storage plan", "the premium plan"),
}  # fmt: skip

OPENERS = (
    "hi", "hello", "good morning", "hi there", "dear team", "hey", "hello again", "sorry to bother you", "to whom it may concern",
    "quick one", "good evening", "not sure who reads this",
)  # fmt: skip

CLOSERS = (
    "thanks", "thank you [so much|in advance|]", "please [help|advise|let me know]", "kind regards, [Ana|Tom|Priya|Marek|J. Okafor|Lena]",
    "I'd be grateful for a [quick|short] answer", "what now?", "this is [getting tiring|really not on|a bit much]", "cheers",
    "I [wrote|called] {ago} and [heard nothing|got no answer|was cut off]", "can somebody [look at this|take care of it|explain]?",
    "I have been a customer for [years|six years|a long time]", "it was meant as a present for {who}", "please [call|write] me back [on {day}|]",
)  # fmt: skip

# how a text brings up something that it is not about
ASIDES_WITH_STORY = (
    "it is not that {story}[, to be clear|]",
    "[last year|back in spring|once before] {story}, [but that is settled|you sorted that out|that one is closed]",
    "I could [live with it|understand] if {story}, but [that's not it|that is not what happened]",
    "[the bot|your form|your colleague|the man on the phone] [decided|noted|thought] that {story}, which is [wrong|not the case|nonsense]",
    "nobody [says|claims] that {story}",
    "{who} [once had|told me about] a case where {story}, [mine is different|that is not me|hers was easy]",
    "unlike [the last time|in march], when {story}",
)  # fmt: skip
ASIDES_WITH_TOPIC = (
    "this is not about {topic}",
    "please don't [send me|answer with] the [text|page] about {topic} [again|]",
    "your help page only [covers|talks about] {topic}, [which is not my problem|no use to me]",
    "I [read|found] everything on {topic}, [but it does not apply|that's something else]",
    "{who} wrote to you about {topic}, [this is a separate thing|that's solved by now]",
    "I am [not complaining about|not here for] {topic}",
    "[the menu|the chat] offers me {topic} [only|or nothing], [neither fits|so I write here]",
)
# quoted in full, so that every word of the other intent is there and only the frame says that it is not meant
ASIDES_WITH_SAYS = (
    '{who} [wrote|wrote to you] "{says}", [that is solved|a separate thing, not mine|which you answered at once]',
    '[last month|back in spring|the other time] my mail to you [read|said] "{says}", that one is [closed|settled|done with]',
    'the bot [turned this into|keeps reading it as|understood] "{says}", [no|which is not it|wrong]',
    '[your form|the menu] had me tick "{says}", [for want of anything better|nothing else was on offer, so ignore that]',
    'your colleague noted "{says}", [which I never said|that was the caller before me]',
    'it would be easy if it were "{says}", [but it is not|only it isn\'t]',
)
