"""What the customers of the built-in sample say: one `Intent` (sample_grammar.py) per label, written for this project."""

from __future__ import annotations

from openautoglm.corpus.sample_grammar import Intent
from openautoglm.corpus.sample_texts_money import MONEY

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
    **MONEY,
}
