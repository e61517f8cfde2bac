"""What is said quickly of Stripe's objects is what the whole standard says of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from openapi_schema_validator import OAS30Validator

from tests.stand_ins.stripe import payees, payments, payouts, reversals
from tests.stand_ins.stripe.books import Books, Refusal
from tests.stand_ins.stripe.description import stripe_description

KINDS: Final = ("payment_intent", "charge", "refund", "balance_transaction", "dispute", "transfer", "payout", "account")
OTHERWISE: Final[tuple[Any, ...]] = (None, True, 0, -1.5, "", "x" * 6_000, [], ["x"], {}, {"x": None})
A_KIND: Final = 8


def played() -> Books:
    """Books in which there is one of each kind at least."""
    books = Books()
    for method in ("pm_card_visa", "pm_card_chargeDeclined", "pm_card_createDispute", "pm_card_bypassPending"):
        made = payments.create_intent(books, {"amount": 5_000, "currency": "usd", "metadata": {"order": method}})
        with suppress(Refusal):  # one is declined
            payments.confirm_intent(books, made["id"], {"payment_method": method})
    first, *_, last = books.of("charge").values()
    payments.refund(books, {"charge": first["id"], "amount": 100})
    reversals.open_dispute(books, list(books.of("charge"))[-2])
    account = payees.create_account(books, {"metadata": {}, "capabilities": {"transfers": {"requested": True}}})
    payees.told(books, account["id"])
    asked = {"amount": 50, "currency": "usd", "destination": account["id"], "source_transaction": last["id"]}
    payouts.transfer(books, asked)
    payouts.pay_out(books, account["id"], {"amount": 50, "currency": "usd"})
    return books


def changed(thing: Any, chance: random.Random) -> Iterator[Any]:
    """The same with something else at one place, without something, and with something more."""
    name = chance.choice(list(thing))
    yield thing | {name: chance.choice(OTHERWISE)}
    yield {key: value for key, value in thing.items() if key != name}
    yield thing | {"something": 1}
    if isinstance(thing[name], dict) and thing[name]:
        yield from (thing | {name: inner} for inner in changed(thing[name], chance))


def test_what_fits_and_what_does_not_is_the_same_as_by_the_standard() -> None:
    books, description, chance = played(), stripe_description(), random.Random(7)
    verdicts = set()
    for kind in KINDS:
        things = [one for drawer in books.drawers.values() for one in drawer.of(kind).values()]
        assert things, kind
        schema = {"$ref": f"urn:stripe#/components/schemas/{kind}"}
        fits = description._quick.made(schema)
        standard = OAS30Validator(schema, registry=description._registry)
        for one in [*things[:2], *(each for _ in range(A_KIND) for each in changed(chance.choice(things), chance))]:
            quickly = fits(one)
            assert quickly == standard.is_valid(one), (kind, one)
            verdicts.add((kind, quickly))
    assert verdicts == {(kind, verdict) for kind in KINDS for verdict in (True, False)}
