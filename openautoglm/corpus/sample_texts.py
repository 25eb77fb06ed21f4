"""What the customers of the built-in sample say: one `Intent` per label, written for this project.

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

INTENTS: dict[str, Intent] = {
    # -- orders -------------------------------------------------------------------------------------------------
    "order_cancel": Intent(
        says=(
            "[please|could you|can you] [cancel|stop|call off] {order}[, I do not want the {item} any more|, I no longer need it| before it goes out|]",
            "I [changed my mind about|no longer want] the {item}, [do not send it|please keep it|stop it if you still can]",
            "I ordered the {item} by [mistake|accident], [is it too late to stop it|how do I get out of this|can you call it off]?",
            "I want {order} cancelled and you [still show it as active|keep preparing it|have not done it]",
            "you have not cancelled {order} although I asked you to {ago}",
            "I'd rather you did not [ship|send] the {item} after all",
            "{who} already [bought|has] a {item}, so {order} [can go|is not needed], nothing has left your warehouse yet",
            "[where|how] do I cancel {order}? [I did not find a button|the button is grey|it has not been sent yet]",
        ),
        story=(
            "I wanted you to cancel {order}",
            "I changed my mind about the {item}",
            "I asked you to stop {order}",
        ),
        topic=("cancelling an order", "how to call off an order", "stopping an order before it ships"),
        near=("order_cancelled_by_us", "order_amend", "refund_ask"),
    ),
    "order_cancelled_by_us": Intent(
        says=(
            "you [cancelled|stopped|called off] {order}[ without asking|, I never asked for that|], I still [want|need] the {item}",
            "why [was|is] {order} cancelled? I did not [cancel it|change my mind|ask you to stop it]",
            "I did not cancel {order}, you did, [please put it back|and I want it sent]",
            "{order} [shows as|is suddenly] cancelled, it was not me who [called it off|clicked that button]",
            "can you undo the [cancellation|stop] of {order}? it was not my [wish|mistake]",
            "please [ship|send] the {item} [after all|anyway], the cancellation [came from your side|was your idea, not mine]",
            "I never changed my mind about the {item}, [still you will not send it|yet you stopped it], [put the order back|I want it]",
            "your warehouse [dropped|threw out] {order} {ago} and now there is no {item} for me, [I do want it|who decided that]?",
        ),
        story=(
            "you cancelled {order} without asking",
            "you stopped {order} on your own",
            "{order} was called off by your side",
        ),
        topic=(
            "orders that you cancel yourselves",
            "an order that you called off",
            "a cancellation from your side",
        ),
        near=("order_cancel", "account_gone", "payment_refused"),
    ),
    "order_item_missing": Intent(
        says=(
            "the parcel [came|arrived] {ago} but the {other} was not in it, [only the {item}|just the {item} was]",
            "I ordered a {item} and a {other}, and [only the {item} came|there was no {other} in the box|you packed only the {item}]",
            "[one|the {other}] is missing from {order}, the rest [arrived|came|is here]",
            "you forgot [to pack|] the {other}, [the box held the {item} and nothing else|everything else is there]",
            "I paid for two of the {item} and got one[, where is the second|]",
            "the {item} came without the {other} [that belongs to it|that I ordered|it is shown with]",
            "there is less in the box than I [paid for|ordered]: no {other}",
            "I unpacked everything twice, the {other} is not there although the slip lists it",
        ),
        story=(
            "the {other} was missing from the box",
            "you packed one {item} instead of two",
            "you forgot the {other}",
        ),
        topic=(
            "missing items",
            "a box with less in it than ordered",
            "something that was forgotten in a parcel",
        ),
        near=("order_item_surplus", "order_item_swapped", "delivery_late"),
    ),
    "order_item_surplus": Intent(
        says=(
            "the parcel [came|arrived] {ago} and there was a {other} in it that I [never|did not] ordered, [besides the {item}|next to my {item}]",
            "I ordered a {item}, and [a {other} came with it|there was also a {other} in the box|you packed a {other} too], [not mine|I did not pay for that]",
            "I paid for one {item} and got two[, where do I send the second|]",
            "you packed a {other} [too many|on top], the {item} I ordered is there[ as well|]",
            "there is more in the box than I [paid for|ordered]: a {other} as well",
            "the {item} came with a {other} that does not belong [to it|to me], the slip does not list it",
            "everything I ordered is there plus a {other}, [do you want it back|what do I do with it]?",
            "[one|the {other}] is too many in {order}, [the rest is right|I don't want to pay for it]",
        ),
        story=(
            "there was a {other} too many in the box",
            "you packed two of the {item} instead of one",
            "you sent me a {other} on top that I never ordered",
        ),
        topic=(
            "a box with more in it than ordered",
            "items that nobody ordered",
            "something extra in a parcel",
        ),
        near=("order_item_missing", "delivery_not_ours", "order_item_swapped"),
    ),
    "order_item_swapped": Intent(
        says=(
            "I ordered a {item} and got a {other} [instead|in its place]",
            "instead of the {item} there is a {other} in the box",
            "you [sent|packed] [the wrong thing|something else]: a {other}, where it should be a {item}",
            "the {item} that came is [blue, I chose black|a size too small, not what I ordered|not the model I picked]",
            "[wrong|a different] {item} arrived, the slip says the right one",
            "what I unpacked {ago} is not the {item} from the picture, it's [an older model|another colour|a {other}]",
            "please swap the {other} that came for the {item} that I [ordered|paid for]",
            "the box says {item}, inside is a {other} and no {item}",
        ),
        story=(
            "I got a {other} instead of the {item}",
            "you sent the wrong {item}",
            "the {item} came in the wrong colour",
        ),
        topic=("wrong items", "getting one thing instead of another", "the wrong colour or size in the box"),
        near=("order_item_missing", "order_item_surplus", "order_amend"),
    ),
    "order_amend": Intent(
        says=(
            "can I [still add|add] a {other} to {order}? [it has not been sent yet|I forgot it|]",
            "please [change|make] the {item} in {order} [to black|to the larger one|into a {other}] before you [pack|ship] it",
            "I ordered one {item} and [need two|want two], [can you put the second in the same box|please change that]",
            "instead of the {item} I would rather have the {other}, [please swap it before you send it|can you change {order}]",
            "I forgot the {other}, [can you pack it with|please add it to] {order}",
            "take the {other} out of {order} and [leave the rest|send only the {item}]",
            "I picked the wrong [colour|size] of the {item}, [it has not left yet|you have not packed it], please [change|correct] it",
            "is there a way to [change|edit] what is in {order} [without cancelling it|]?",
        ),
        story=(
            "I wanted to add a {other} to {order}",
            "I asked you to change the {item} before you sent it",
            "I picked the wrong size myself",
        ),
        topic=(
            "changing an order",
            "adding something to an order",
            "editing what is in a box before it ships",
        ),
        near=("order_cancel", "order_item_swapped", "delivery_change_address"),
    ),
    # -- delivery -----------------------------------------------------------------------------------------------
    "delivery_late": Intent(
        says=(
            "where is [my {item}|my parcel|{order}]? it [was due|should have come] {ago}",
            "{order} has [still|] not arrived, [the tracking has not moved since {day}|you promised {day}|it's been weeks]",
            "I have been waiting for the {item} since {day}, [nothing has come|nobody rang|the tracking says on its way]",
            "you said {day}, and the {item} is not here[, it says in transit|]",
            "my parcel has been [stuck|sitting] in the [depot|sorting centre] since {day}",
            "how much longer will [the {item}|my parcel] take? it was meant to be here {ago}",
            "the driver has not come [yet|at all], the tracking [still says out for delivery|does not say delivered]",
            "nothing delivered so far, and the date you gave for {order} has passed",
        ),
        story=("the parcel has not come yet", "{order} was late", "the {item} was stuck in a depot"),
        topic=("late parcels", "a delivery that takes too long", "a parcel that is still on its way"),
        near=("delivery_marked_done", "delivery_attempt_disputed", "refund_not_arrived"),
    ),
    "delivery_marked_done": Intent(
        says=(
            "the tracking says [delivered|handed over] {ago}, [but nothing is here|I have no parcel|and there is no {item}]",
            "according to you {order} [arrived|was delivered] on {day}, it did not",
            "your [app|mail] says my {item} was [left at the door|put in the box], [nothing there|the porch is empty]",
            "I got the message that the parcel has come, [it has not|there is none]",
            "where is my {item}? it is marked as delivered and [nobody here has it|I never got it|the neighbours have nothing]",
            "someone signed for {order}, it was not [me|anybody in this house], and I have no {item}",
            "[delivered, says the tracking|the tracking says it came]. the driver has not been here [at all|on {day}]",
            "you tell me {order} is done and closed, I am still waiting for the {item}",
        ),
        story=(
            "the tracking said delivered and nothing was here",
            "{order} was marked as delivered but had not come",
            "somebody signed for my {item}",
        ),
        topic=(
            "parcels marked as delivered that are not there",
            "a delivery that only the tracking has seen",
            "somebody else's signature",
        ),
        near=("delivery_late", "delivery_not_ours", "delivery_attempt_disputed"),
    ),
    "delivery_not_ours": Intent(
        says=(
            "a parcel [came|was delivered] here {ago} that is not [mine|for me], [the name on it is somebody else's|I ordered nothing]",
            "I [have|got] a parcel for [a Mr Hansen|somebody at {street}|someone I do not know], [who collects it|please pick it up]?",
            "the driver left [somebody else's|a stranger's] {item} at my door",
            "[wrong door|wrong address]: your driver [gave|handed] me a box that belongs to [a neighbour I don't know|another customer]",
            "what do I do with a parcel that is [not addressed to me|meant for another house]?",
            "somebody is [surely|probably] waiting for the {item} that was put in my hallway, I [ordered nothing|am not the one]",
            "I signed for a {item} {ago}, and [now I see it is|it turns out to be] for [someone else|another name]",
            "you delivered [another customer's|a foreign] order to me, [my own came on time|I have none open]",
        ),
        story=(
            "a parcel for somebody else was left at my door",
            "the driver gave me another customer's box",
            "I got a parcel that was not mine",
        ),
        topic=(
            "parcels for somebody else",
            "a stranger's parcel at my door",
            "boxes that belong to another customer",
        ),
        near=("delivery_marked_done", "order_item_surplus", "delivery_change_address"),
    ),
    "delivery_attempt_disputed": Intent(
        says=(
            "the driver claims [nobody was in|I was not at home] on {day}, [I was here all day|that is not true|we were at home]",
            "[no one rang|nobody rang the bell], and still [the card says you missed us|the tracking says recipient not at home]",
            "I was at home [all day|the whole morning] and your driver [drove past|left a card|did not even ring]",
            "there is a card in the box saying you could not deliver the {item}, [I was in|three people were at home]",
            "the tracking says delivery failed because I was out, I was not out",
            "how can you write [not at home|nobody in] when I [sat by the door|was waiting for the {item}]?",
            "your driver has not rung once and wrote that [we did not open|there was nobody], [for the second time|now it is at the depot]",
            "a failed attempt on {day}? there was none, I [was here|never left the house]",
        ),
        story=(
            "the driver said that nobody was at home although I was",
            "no one rang the bell and you called it a failed attempt",
            "you left a card instead of ringing",
        ),
        topic=(
            "failed attempts that never were",
            "drivers who do not ring",
            "a card in the letter box although I was in",
        ),
        near=("delivery_move_date", "delivery_late", "delivery_marked_done"),
    ),
    "delivery_move_date": Intent(
        says=(
            "I [will not be|won't be|am not] at home on {day}, can the {item} come [later|another day|on a weekend]?",
            "please [deliver|bring] {order} on {day} and not [before|earlier], [nobody is in until then|we are away]",
            "can the driver come [in the evening|after six|on another day], I am out [all day|on {day}]",
            "nobody will be in when you [deliver|come], please [move it to {day}|choose another day]",
            "the day you picked for {order} does not suit me, I [was hoping for|need] {day}",
            "is it possible to [hold|keep] the {item} at the depot until {day}? I [am away|cannot be in]",
            "you are coming too early, [we only move in on {day}|I am back on {day}], [bring it later|please wait]",
            "I'd like to pick the day on which the {item} is brought, [{day} is bad|I have to be at home for it]",
        ),
        story=(
            "I was not at home and asked for another day",
            "I wanted the {item} to come later",
            "I asked the driver to come on {day} instead",
        ),
        topic=("choosing another delivery day", "being away on the day of delivery", "a later delivery"),
        near=("delivery_attempt_disputed", "delivery_change_address", "delivery_late"),
    ),
    "delivery_change_address": Intent(
        says=(
            "please send {order} to {street} [instead of my old place|and not to my home|], [it has not left yet|I have moved]",
            "I [gave|typed] the wrong address for {order}, [the right one is {street}|it should be {street}]",
            "I moved {ago}, [the {item} must go to {street}|can you change where it goes]",
            "can the {item} be brought to {street} [rather than|and not] to the address [in my account|on the order]?",
            "the house number in {order} is wrong, my mistake, [please correct it|it is {street}]",
            "{order} is going to my old [flat|address], [somebody else lives there|I'm not there any more], can you redirect it",
            "how do I change the address for a parcel that is [already packed|not sent yet|on its way]?",
            "I will not be at the address you have, [{street} is better|bring it to {street}], same day is fine",
        ),
        story=(
            "I gave the wrong address",
            "I had moved and {order} went to the old flat",
            "I asked you to send it to {street}",
        ),
        topic=("changing an address", "parcels that should go somewhere else", "moving house"),
        near=("delivery_move_date", "delivery_not_ours", "order_amend"),
    ),
    # -- money --------------------------------------------------------------------------------------------------
    "refund_ask": Intent(
        says=(
            "I [want|would like] my money back for the {item}, [it broke after a week|it is not what I hoped for|I am sending it back]",
            "please refund [me|] {amount} for the {item}, [it never worked|I do not need it]",
            "how do I [get|ask for] a refund [for {order}|of {amount}]? [I have not asked before|I could not find the form]",
            "the {item} [fell apart|stopped working], I [do not want another one|want no repair], I want the {amount} back",
            "can you pay me back what I paid for the {item}? [it is still in the box|I only opened it]",
            "I am not [happy|content] with the {item}, [take it back and return the money|money back please]",
            "what I paid for the {item} should come back to me, [it arrived broken|it is faulty]",
            "I'd like to return the {item} and have {amount} [refunded|back on my card]",
        ),
        story=(
            "I asked for my money back",
            "I wanted a refund for the {item}",
            "I sent the {item} back for a refund",
        ),
        topic=("asking for a refund", "how to get money back", "returning things for a refund"),
        near=("refund_not_arrived", "refund_too_much", "order_cancel"),
    ),
    "refund_not_arrived": Intent(
        says=(
            "you [promised|confirmed] a refund of {amount} {ago}, [it is not on my account|nothing has come]",
            "where is my money? the {item} went back {ago} and [you said it would be refunded|I've seen nothing of the {amount}]",
            "your mail says {amount} was [refunded|paid back] on {day}, my bank [knows nothing of it|does not have it]",
            "I am still waiting for the refund for the {item} [that you agreed to|you have had back since {day}]",
            "the refund [has not arrived|is late|is not there yet], how long does it take?",
            "you have the {item} and you have the money, {amount} to be precise, [refund approved {ago}|it was to be paid back by {day}]",
            "I did not get the {amount} back that you [owe me|approved] for {order}",
            "refunded, says your page. not on my card, says my bank",
        ),
        story=(
            "the refund that you promised never came",
            "I was waiting for {amount} back from you",
            "you said refunded and my bank had nothing",
        ),
        topic=("refunds that do not arrive", "a refund that is late", "money that you promised back"),
        near=("refund_ask", "refund_too_much", "delivery_late"),
    ),
    "refund_too_much": Intent(
        says=(
            "you [refunded|paid back] more than I [paid|asked for], {amount} [of it is yours|too much]",
            "I got a refund of {amount} [that I never asked for|by mistake], [how do I pay it back|I want to return it]",
            "you refunded [the {item}|{order}] twice, [how do I send {amount} back to you|one of them is not mine]",
            "I [want|would like] to pay you back {amount}, [you refunded me although I kept the {item}|the refund was too high]",
            "there is {amount} from you on my account that should not be there, [I kept the {item}|I returned nothing]",
            "the refund came, [but it is too much|and then came again], where do I send your money?",
            "please take back the refund for the {item}, I [have it here and keep it|found it after all]",
            "my bank shows a refund of {amount}, you owe me [nothing|less than that], please collect it",
        ),
        story=(
            "you refunded me twice",
            "the refund was more than I paid",
            "I wanted to pay a refund back to you",
        ),
        topic=(
            "refunds that are too high",
            "paying money back to you",
            "a refund that I should not have got",
        ),
        near=("refund_ask", "refund_not_arrived", "charge_twice"),
    ),
    "charge_twice": Intent(
        says=(
            "you [charged|took] {amount} twice for [the {item}|{order}], [I bought one|one of them is too much]",
            "my bank shows two payments of {amount} to you, [there should be one|for one {item}]",
            "I paid once and you [took|collected] it again {ago}",
            "the {amount} for {order} [left|went from] my account [two times|on {day} and again the day after]",
            "you took more than the {item} costs, exactly double",
            "why do I see {amount} and {amount} again on my card? I have one {item}",
            "the payment for the {item} went through, [but then went through again|and then you took it once more]",
            "one order, two charges: {amount} on {day}, {amount} {ago}",
        ),
        story=(
            "you charged me twice for the {item}",
            "you took {amount} two times",
            "I paid double for {order}",
        ),
        topic=("double charges", "paying twice for one thing", "two payments for one order"),
        near=("charge_after_cancel", "refund_too_much", "payment_refused"),
    ),
    "charge_after_cancel": Intent(
        says=(
            "I cancelled {plan} {ago} and you [still took|have again charged] {amount}",
            "{amount} for {plan} has gone from my card, [I ended that|it was cancelled] {ago}",
            "why do I [keep paying|still pay] for {plan}? I [left|stopped it|cancelled] {ago}",
            "you confirmed that {plan} is over, and on {day} you charged me [again|another {amount}]",
            "please stop taking money for {plan}, it [ended|was called off] {ago}",
            "{plan} is cancelled, the payments are not",
            "another {amount} this month for {plan}, which I [no longer have|gave up {ago}]",
            "I have not had {plan} since {ago}, your direct debit does not know that",
        ),
        story=(
            "you charged me for {plan} after I had cancelled it",
            "you kept taking money for {plan} that I had ended",
            "I paid for {plan} that was already cancelled",
        ),
        topic=(
            "payments after a cancellation",
            "plans that cost money after they end",
            "a direct debit that does not stop",
        ),
        near=("charge_twice", "account_delete", "payment_refused"),
    ),
    "payment_refused": Intent(
        says=(
            "my card is [refused|declined] when I try to pay for the {item}, [there is money on it|it works everywhere else]",
            "I cannot pay for {order}, [the payment does not go through|it says declined]",
            "you will not take my [card|money], [I tried three times|and my bank says it never saw a request]",
            "the payment of {amount} [fails|is turned down] at the last step, nothing [was charged|left my account]",
            "no matter which card, the {item} stays unpaid: [payment failed|transaction not possible]",
            "I [want|am trying] to pay and your page [throws me out|says no], {amount} not taken",
            "why does it say payment rejected? [my account is fine|the bank did not block it], I'd like to buy the {item}",
            "paying for {order} did not work {ago} and does not work now",
        ),
        story=("my card was refused", "the payment did not go through", "you would not take my card"),
        topic=("refused cards", "payments that fail", "a card that is declined"),
        near=("charge_twice", "account_locked", "order_cancelled_by_us"),
    ),
    # -- account ------------------------------------------------------------------------------------------------
    "password_forgotten": Intent(
        says=(
            "I [forgot|no longer know|lost] my password, [how do I get in|the link to set a new one does not come|please reset it]",
            "[how|where] do I [set|choose] a new password? I [do not remember|mislaid] the old one",
            "I cannot get into my account because I [don't know which password I used|mixed up my passwords]",
            "please send me a link [so that I can log in again|for a new password], [my notebook is gone|I have not used it in years]",
            "the mail with the reset link [is not here|has expired], [I need to get into my account|and I can't remember the password]",
            "I have not logged in since {day} and cannot for the life of me recall what I typed",
            "{who} made up the password for me and [neither of us knows it|forgot it], can I get a new one?",
            "my email is right, the password [is not|is the part I do not know], [can you reset it|help me in]",
        ),
        story=(
            "I forgot my password",
            "I could not remember what password I had",
            "I needed a link for a new password",
        ),
        topic=("forgotten passwords", "resetting a password", "the link for a new password"),
        near=("account_locked", "account_taken_over", "account_gone"),
    ),
    "account_locked": Intent(
        says=(
            "my account is [locked|blocked], [I know my password|the password is right], [please open it|why]?",
            "it says too many attempts, [I tried once|and I typed the right password], [please unlock it|now I am shut out]",
            "you locked me out [{ago}|for safety], [I need to get to {order}|let me back in]",
            "I cannot log in, [account suspended it says|the page says blocked for my safety]",
            "the right password and still no entry: [temporarily locked|access blocked]",
            "how long does the [lock|block] on my account last? it's been since {day}",
            "[a|your] security check shut me out of my account, it was me who logged in [from abroad|from a new phone]",
            "please lift the block, I [have proved who I am|answered all the questions], the account is there, I just may not enter",
        ),
        story=(
            "you locked my account",
            "I was shut out after too many attempts",
            "my account was blocked for safety",
        ),
        topic=("locked accounts", "too many attempts", "a block on an account"),
        near=("password_forgotten", "account_gone", "account_taken_over"),
    ),
    "account_delete": Intent(
        says=(
            "please [delete|close|remove] my account [and everything you know about me|], [I do not need it any more|I am leaving]",
            "I want to [close|get rid of] my account, [where is the button|how]?",
            "I asked you {ago} to delete my account and it is still there",
            "how can I have my [data|details] erased? I [no longer shop with you|want no account]",
            "my account should be gone, [it is not|and it still exists], [do it|please finish it]",
            "I have two accounts, close the one [with my old email|without orders]",
            "I do not want to be a customer any more, [remove me|take me out of your system]",
            "[{who} set up|I set up] an account {ago} that nobody needs, can you take it down",
        ),
        story=(
            "I wanted my account deleted",
            "I asked you to close my account",
            "I wanted to be removed from your system",
        ),
        topic=("closing an account", "deleting my data", "leaving you for good"),
        near=("account_gone", "mail_stop", "charge_after_cancel"),
    ),
    "account_gone": Intent(
        says=(
            "you [deleted|closed|removed] my account, [I did not ask for it|I still need it], please [bring it back|restore it]",
            "my account [is gone|does not exist any more], [I never asked you to delete it|who closed it]?",
            "it says there is no account with my email, [there was one {ago}|I have shopped with you for years]",
            "why was my account closed? I [did not want to leave|never pressed delete], and my orders were in it",
            "I want my account back, [you took it down|it was removed] {ago} [without a word|]",
            "all my [data|details|orders] have been erased, [I still shop with you|and nobody asked me]",
            "I am [still|very much] a customer, your system thinks [I left|I am not], no account found",
            "can a closed account be opened again? [closing it was not my idea|it was not me who closed it]",
        ),
        story=(
            "you closed my account without asking",
            "my account was gone",
            "you deleted my data on your own",
        ),
        topic=("accounts that disappear", "getting a closed account back", "an account that you removed"),
        near=("account_delete", "account_locked", "order_cancelled_by_us"),
    ),
    "account_taken_over": Intent(
        says=(
            "somebody [got into|is in] my account, [the email was changed|the password is new], it was not me",
            "I got a mail that my password was changed, I did not change it",
            "there are orders in my account that [I did not place|are not mine], [to an address I do not know|for {amount}]",
            "a stranger [uses|has taken] my account, [please stop them|lock it now]",
            "someone logged in [from another country|at night] and [changed my address|ordered a {item}]",
            "my email in the account is not mine any more, [I never touched it|somebody swapped it]",
            "who ordered a {item} in my name? [I did not|nobody in this house did], and my login has stopped working",
            "please lock my account [at once|before more happens], {who} did not do this and I did not either",
        ),
        story=(
            "somebody else got into my account",
            "a stranger ordered in my name",
            "someone changed my password",
        ),
        topic=("stolen accounts", "strangers in an account", "orders that somebody else placed in my name"),
        near=("account_locked", "password_forgotten", "account_gone"),
    ),
    "mail_stop": Intent(
        says=(
            "please stop sending me [newsletters|offers|mails], [I never signed up|I unsubscribed {ago}]",
            "[how|where] do I unsubscribe? [the link does nothing|there is no link]",
            "I get [three|five] mails a day from you, [I want none|that is too many, end it], my account can stay",
            "take me off the [list|newsletter], [but keep my account|I still want to order]",
            "I do not want your [offers|advertising] any more, [only mails about orders|nothing but invoices]",
            "you keep writing to me about [sales|new things] although I [said no|ticked no] {ago}",
            "no more [newsletters|advertising] please, {order} has nothing to do with it",
            "how do I get fewer mails from you without [closing|deleting] my account?",
        ),
        story=(
            "I wanted no more newsletters",
            "you kept sending me offers",
            "I unsubscribed and the mails went on",
        ),
        topic=("newsletters", "unsubscribing", "too many mails from you"),
        near=("account_delete", "charge_after_cancel", "account_taken_over"),
    ),
}
