"""Batch 2 of the built-in sample: other goods, other words for what batch 1 already knew, and six new intents."""

from __future__ import annotations

from openautoglm.corpus.sample_grammar import SLOTS, Intent

NEW_SLOTS: dict[str, tuple[str, ...]] = SLOTS | {
    "item": (
        "e-bike battery", "air fryer", "robot vacuum", "standing desk", "tent", "smart watch", "projector", "wok", "cot",
        "espresso machine", "drill", "violin stand", "router", "sleeping bag", "hoodie", "lawn mower", "scooter", "tablet",
    ),
    "other": ("power brick", "strap", "drill bit", "tripod", "carry bag", "spare wheel", "beanie", "dongle", "mattress cover", "tent peg"),
    "street": ("the marina", "Elm Crescent", "the workshop", "our allotment", "the guest house", "Baker's Yard"),
    "plan": ("the gamer bundle", "the coffee club", "the backup add-on", "the delivery pass", "the reading box"),
    "amount": ("€12.99", "64 quid", "$208", "a tenner", "399 euros", "£1,150", "22 francs", "5.49"),
}  # fmt: skip

NEW_SAYS: dict[str, tuple[str, ...]] = {
    "order_cancel": (
        "[scrap|bin|abort] my purchase of the {item}[, cold feet| before the courier gets it|]",
        "I'm backing out of {order}, [don't dispatch anything|hold the dispatch for good]",
        "withdraw {order} please, bought on impulse and regretting it",
    ),
    "order_cancelled_by_us": (
        "you voided {order} behind my back, [revive it|I stand by my purchase of the {item}]",
        "my purchase got axed [at your end|by your stock system], I never backed out",
        "dispatch aborted by the merchant? I'm the customer and I want that {item}",
    ),
    "order_item_missing": (
        "the consignment is incomplete, [no {other} inside|short of one {other}]",
        "unboxed the {item}, [the {other} was absent|but found no trace of the {other}]",
        "I'm one {other} short of what the packing list promises",
    ),
    "order_item_surplus": (
        "unboxed the {item} and found a bonus {other} [nobody billed me for|that's not on the packing list]",
        "I'm one {other} over what the packing list promises",
        "the consignment holds a stray {other}, [tell me how to hand it back|honest question: keep or return]?",
    ),
    "order_item_swapped": (
        "mix-up at the warehouse: I was meant to receive a {item}, [a {other} turned up|out came a {other}]",
        "this {item} is the [wrong voltage|kids' version|left-handed one], I picked the other",
        "your pickers confused the {item} with a {other}",
    ),
    "order_amend": (
        "bump the {item} up to two in my basket, [it's paid but not dispatched|still in your warehouse I hope]",
        "throw a {other} in with {order} before dispatch and bill me for it",
        "I'd like the {item} in [olive|size 42|the 230 volt version] rather, it hasn't been dispatched",
    ),
    "delivery_late": (
        "any sign of the courier? the {item} is [overdue|days behind schedule]",
        "the shipment hasn't budged from customs since {day}",
        "still no doorbell, still no {item}, the ETA came and went",
    ),
    "delivery_marked_done": (
        "courier uploaded a photo of [some other porch|a door that isn't mine], I hold no {item}",
        "status completed, proof of delivery on file, and my hands are empty",
        "the locker code you texted opens an empty locker, app claims I collected the {item}",
    ),
    "delivery_not_ours": (
        "courier dumped a shipment here with an unfamiliar surname on the label",
        "I'm holding someone's {item}, label says [flat 9, we are flat 6|a name I can't place], send the courier round",
        "mistaken recipient: this shipment isn't for our household",
    ),
    "delivery_attempt_disputed": (
        "courier logged 'recipient absent' while I stood in the doorway",
        "doorbell camera shows no one came, your log says an attempt was made on {day}",
        "sorry-we-missed-you slip, my foot, I was working from home",
    ),
    "delivery_move_date": (
        "push the shipment back to {day}, I'm travelling",
        "could the courier swing by after the weekend, the house is empty until then",
        "reschedule the drop-off for the {item}, [{day} would be ideal|mornings don't work]",
    ),
    "delivery_change_address": (
        "reroute the shipment to {street}, the postcode I entered is outdated",
        "typo in my postcode, the {item} has to end up at {street}",
        "swap the drop-off point to {street}, we relocated",
    ),
    "refund_ask": (
        "I'd like to be reimbursed for the {item}, it's a dud",
        "reverse the {amount}, the {item} is going back in its carton",
        "what's the procedure for reimbursement on the {item}? [dead on arrival|not as advertised]",
    ),
    "refund_not_arrived": (
        "the reimbursement of {amount} you signed off is nowhere on my statement",
        "you've had the {item} back for weeks, my {amount} hasn't followed",
        "credit note issued, credit never seen",
    ),
    "refund_too_much": (
        "you over-reimbursed me by {amount}, give me an IBAN to wire it to",
        "a credit of {amount} landed on my statement in error, please claw it back",
        "reimbursed for the {item} I'm still using, I'd rather settle that with you",
    ),
    "charge_twice": (
        "duplicate debit of {amount} on my statement, a single {item} in my basket",
        "you billed the {item} on {day} and billed it once more",
        "my statement lists {amount} a second time for {order}",
    ),
    "charge_after_cancel": (
        "terminated {plan} {ago}, still got billed {amount}",
        "membership of {plan} lapsed, your debit of {amount} didn't",
        "quit {plan}, got the goodbye mail, then another invoice for {amount}",
    ),
    "payment_refused": (
        "checkout chokes on my Visa, [the bank gave its blessing|limit is fine], {item} still in the basket",
        "Apple Pay, PayPal, card: all bounce at checkout",
        "transaction bounced at checkout, no debit on my statement",
    ),
    "password_forgotten": (
        "blanked on my passphrase, need a recovery link",
        "the recovery code never reaches my phone and my passphrase escapes me",
        "new laptop, no saved login, no clue what the passphrase was",
    ),
    "account_locked": (
        "profile frozen after I mistyped nothing, passphrase is correct",
        "fraud filter froze me out while I was travelling, thaw it please",
        "correct passphrase, correct code, verdict: profile on hold",
    ),
    "account_delete": (
        "wipe my profile under GDPR article 17",
        "I'm out, erase the profile and everything in it",
        "requested the removal of my profile {ago}, I can still sign in",
    ),
    "account_gone": (
        "my profile evaporated, loyalty points and all, reinstate it",
        "sign-in claims I never registered, I've been registered for a decade",
        "you purged my profile as inactive, I shop weekly",
    ),
    "account_taken_over": (
        "I've been hacked, a phone number I don't own is on my profile",
        "phished, I think: gift vouchers bought from my profile and not by me",
        "sign-in alert from Lagos, I'm in Leeds, and now my own code is rejected",
    ),
    "mail_stop": (
        "opt me out of the promo blasts, the profile may stay",
        "your marketing floods my inbox, enough",
        "third promo today, I opted out {ago}",
    ),
}

NEW_INTENTS: dict[str, Intent] = {
    "mail_missing": Intent(
        says=(
            "I get [no|none of your] mails any more, not even [the invoice|the confirmation for {order}], [I never unsubscribed|I do want them]",
            "the confirmation for {order} [never reached|has not come to] my inbox, [the order itself is fine|spam folder checked]",
            "[why|how come] I no longer receive your newsletter? I [liked|want] it",
            "please put me [back|] on the list, the offers stopped coming",
            "nothing from you in my inbox since {day}, you say you wrote [twice|on {day}]",
            "you mail {who} and not me, we both signed up",
            "I signed up for the newsletter {ago}, nothing has come",
        ),
        story=(
            "your mails did not reach me",
            "I never got the confirmation",
            "I wanted the newsletter and it did not come",
        ),
        topic=("mails that do not arrive", "signing up for the newsletter", "a missing confirmation"),
        near=("mail_stop", "delivery_late", "account_gone"),
    ),
    "warranty_claim": Intent(
        says=(
            "the {item} [died|gave up] after eight months, it is [under warranty|still covered], [please repair it|no money back needed, just fix it]",
            "how do I send the {item} in for repair? [the guarantee runs until next year|I want it fixed and not refunded]",
            "the {item} I have had since last spring [makes a grinding noise|won't switch on], I claim the warranty",
            "repair or replace the {item} please, I am not after the {amount}",
            "two years of guarantee, you said, and the {item} is broken after one",
            "my {item} [leaks|overheats], who does the repairs that the guarantee pays for?",
            "sent the {item} in for repair {ago}, [when do I get it back|is it fixed]?",
        ),
        story=("the {item} went in for repair", "I claimed the warranty", "my {item} broke and you fixed it"),
        topic=("repairs under warranty", "what the guarantee covers", "sending things in for repair"),
        near=("refund_ask", "order_item_swapped", "invoice_copy"),
    ),
    "invoice_copy": Intent(
        says=(
            "I need [an invoice|a proper receipt] for {order}, [for my tax return|my employer pays], the amount is right",
            "can you send the invoice for the {item} again? [I lost it|the file will not open]",
            "please put [my company|our VAT number] on the invoice for {order}",
            "where do I download the receipt for {amount}? [I am not disputing it|just for the books]",
            "the bill for the {item} shows my old name, I need a new one, same amount",
            "{who} does our books and wants paper for {amount} paid to you on {day}",
            "no receipt was in the box with the {item}, can I have one",
        ),
        story=(
            "I needed an invoice for {order}",
            "you sent me the receipt once more",
            "the invoice had the wrong name on it",
        ),
        topic=("copies of invoices", "receipts for the tax office", "what is printed on a bill"),
        near=("charge_twice", "mail_missing", "warranty_claim"),
    ),
    "gift_card_empty": Intent(
        says=(
            "the gift card {who} gave me [is worth nothing|shows a balance of zero], [I never used it|it should hold {amount}]",
            "your page says my voucher has been used, [not by me|I only got it {ago}]",
            "I typed in the gift code and [nothing came off|the price stayed the same], [code not valid|unknown code] it says",
            "there should be {amount} on this voucher, [you say empty|there is less]",
            "I bought a gift card for {who} and it does not work when {who} wants to pay",
            "the code under the silver strip is [not readable|too short], {amount} lost?",
            "gift card expired, says the till, it's {ago} that I bought it",
        ),
        story=("a gift card was empty", "the voucher did not work", "my gift code was already used"),
        topic=("gift cards without a balance", "codes that do not work", "vouchers that have expired"),
        near=("payment_refused", "refund_not_arrived", "account_taken_over"),
    ),
    "plan_upgrade": Intent(
        says=(
            "I want [more|a bigger version] than {plan} gives me, how do I [move up|switch to the larger one]?",
            "please change me from the basic one to {plan}, I know it costs {amount} more",
            "can {who} be added to {plan}? I'd pay for [another|one more] seat",
            "{plan} is too small for us by now, what is the next one up?",
            "I keep hitting the limit of {plan}, raise it please, whatever it costs",
            "I [tried|wanted] to upgrade from {plan} {ago}, it still shows the small one",
            "put me on {plan} instead of the cheaper one, starting on {day}",
        ),
        story=(
            "I moved up from {plan}",
            "I asked for a bigger plan than {plan}",
            "I wanted to pay more for more",
        ),
        topic=("moving up to a larger plan", "upgrades", "adding people to a plan"),
        near=("plan_downgrade", "charge_after_cancel", "order_amend"),
    ),
    "plan_downgrade": Intent(
        says=(
            "{plan} is [more than I need|too big for us by now], how do I [move down|switch to the smaller one]?",
            "please change me from {plan} to the basic one, I want to keep something but pay less",
            "can {who} be taken off {plan}? I'd rather pay for one seat less",
            "I don't want to end {plan}, only [shrink it|a cheaper version of it]",
            "I hardly use {plan}, lower it please, {amount} is too much",
            "I [tried|wanted] to go down from {plan} {ago}, it still shows the big one",
            "put me on the cheaper one instead of {plan}, starting on {day}",
        ),
        story=(
            "I moved down from {plan}",
            "I asked for a smaller plan than {plan}",
            "I wanted to pay less for less",
        ),
        topic=("moving down to a smaller plan", "downgrades", "taking people off a plan"),
        near=("plan_upgrade", "charge_after_cancel", "account_delete"),
    ),
}
