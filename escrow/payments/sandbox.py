"""Plays a payment provider that moves no money: it answers later, as real ones do, and fails when told to.

It keeps its own books in a table of its own, outside of every transaction of the domain, on the real clock; the test
clock means nothing to it. What a deposit does is chosen by its payment token, what a refund or a payout does by the last
four digits of its amount in minor units. The tables `TOKENS` and `AMOUNTS` are the manual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from escrow.database import Record, fetch, fetch_row
from escrow.money import Money
from escrow.payments.former import Answer, Failed, Found, Pending, ProviderError, Reversed, Succeeded, Unknown
from escrow.states import OrderKind

SETTLE_SECONDS: Final = 0.3
"""From the call to the result, unless told otherwise."""

SLOW_SECONDS: Final = 10.0
"""The same for what is told to be slow: long enough to cancel, to expire by the test clock, or to kill a worker."""

CHANGE_OF_MIND_SECONDS: Final = 2.0
"""Between the two notices or the two results of those that have two."""


class Result(StrEnum):
    """What a charge comes to when it settles."""

    SUCCEEDS = "SUCCEEDS"
    FAILS = "FAILS"
    FAILS_ONCE = "FAILS_ONCE"
    FAILS_THEN_SUCCEEDS = "FAILS_THEN_SUCCEEDS"
    NEVER = "NEVER"
    REVERSED = "REVERSED"
    WRONG_AMOUNT = "WRONG_AMOUNT"
    WRONG_CURRENCY = "WRONG_CURRENCY"


class Pace(StrEnum):
    """How long a charge takes to settle."""

    AT_ONCE = "AT_ONCE"
    SOON = "SOON"
    SLOW = "SLOW"


class FirstCall(StrEnum):
    """What happens to the first call with a key."""

    ANSWERED = "ANSWERED"
    ANSWER_LOST = "ANSWER_LOST"
    NOT_RECEIVED = "NOT_RECEIVED"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the sandbox does with one charge, and how often it says so by itself."""

    meaning: str
    result: Result = Result.SUCCEEDS
    pace: Pace = Pace.SOON
    notices: int = 1
    first_call: FirstCall = FirstCall.ANSWERED


USUAL: Final = Behaviour("succeeds after a moment")

TOKENS: Final[dict[str, Behaviour]] = {
    "tok_ok": USUAL,
    "tok_fail": Behaviour("is declined after a moment", Result.FAILS),
    "tok_refuse": Behaviour("is declined at once, in the answer to the call", Result.FAILS, Pace.AT_ONCE),
    "tok_slow": Behaviour("succeeds after ten seconds: late, if the deposit was cancelled meanwhile", pace=Pace.SLOW),
    "tok_twice": Behaviour("succeeds and says so twice", notices=2),
    "tok_silent": Behaviour("succeeds and never says so; only a look-up finds out", notices=0),
    "tok_never": Behaviour("stays pending for ever", Result.NEVER, notices=0),
    "tok_wrong_amount": Behaviour("takes another amount than it was asked for", Result.WRONG_AMOUNT),
    "tok_wrong_currency": Behaviour("takes the amount in another currency", Result.WRONG_CURRENCY),
    "tok_reverse": Behaviour("succeeds, and two seconds later is taken back: a chargeback", Result.REVERSED, notices=2),
    "tok_slow_reverse": Behaviour(
        "succeeds after ten seconds and is taken back two seconds later: what came too late, if the deposit was cancelled",
        Result.REVERSED,
        Pace.SLOW,
        notices=2,
    ),
    "tok_timeout": Behaviour("succeeds, but the answer to the first call is lost", first_call=FirstCall.ANSWER_LOST),
    "tok_outage": Behaviour("succeeds, but the first call never arrives", first_call=FirstCall.NOT_RECEIVED),
}
"""Deposits, by payment token; no token is `tok_ok`, and any other token is declined at once."""

AMOUNTS: Final[dict[str, Behaviour]] = {
    "4001": Behaviour("fails, however often it is tried", Result.FAILS),
    "4002": Behaviour("succeeds after ten seconds", pace=Pace.SLOW),
    "4003": Behaviour("succeeds and says so twice", notices=2),
    "4004": Behaviour("stays pending for ever", Result.NEVER, notices=0),
    "4005": Behaviour("fails the first time; a refund succeeds when it is tried again", Result.FAILS_ONCE),
    "4006": Behaviour("fails, and two seconds later has succeeded after all", Result.FAILS_THEN_SUCCEEDS, notices=2),
    "4007": Behaviour("succeeds, but the answer to the first call is lost", first_call=FirstCall.ANSWER_LOST),
}
"""Refunds and payouts, by the last four digits of the amount in minor units (USD 40.01 is 4001); else they succeed."""

UNKNOWN_TOKEN: Final = "no such test token; tok_ok succeeds"  # noqa: S105 - a message, no secret


class KeyReused(ProviderError):
    """The same idempotency key came with another input; nothing was done."""


class Sandbox:
    """A `Provider` over the table `sandbox_charges`. Times are seconds; tests may shorten them."""

    def __init__(self, *, settle_seconds: float = SETTLE_SECONDS, slow_seconds: float = SLOW_SECONDS) -> None:
        self._seconds = {Pace.AT_ONCE: 0.0, Pace.SOON: settle_seconds, Pace.SLOW: slow_seconds}

    async def deposit(self, *, idempotency_key: str, amount: Money, token: str | None) -> Answer:
        """As the port says; `token` chooses among `TOKENS`."""
        unknown = Behaviour("is declined at once", Result.FAILS, Pace.AT_ONCE)
        behaviour = TOKENS.get(token, unknown) if token is not None else USUAL
        return await self._take(idempotency_key, OrderKind.DEPOSIT, amount, token, behaviour)

    async def refund(self, *, idempotency_key: str, amount: Money, charge_key: str | None) -> Answer:
        """As the port says; the amount chooses among `AMOUNTS`."""
        return await self._take(idempotency_key, OrderKind.REFUND, amount, charge_key, _by_amount(amount))

    async def payout(self, *, idempotency_key: str, amount: Money, payee: str) -> Answer:
        """As the port says; the amount chooses among `AMOUNTS`."""
        return await self._take(idempotency_key, OrderKind.PAYOUT, amount, payee, _by_amount(amount))

    async def lookup(self, idempotency_key: str) -> Found:
        """As the port says: always answered, from the books as they are now."""
        row = await fetch_row(_LOOK, idempotency_key)
        return Unknown() if row is None or not row["received"] else _answer(row)

    async def notices(self) -> Sequence[str]:
        """As the port says: each notice is taken out of the books, and is lost with whoever took it."""
        return [row["idempotency_key"] for row in await fetch(_NOTICES)]

    async def _take(
        self, idempotency_key: str, kind: OrderKind, amount: Money, token: str | None, behaviour: Behaviour
    ) -> Answer:
        settles = None if behaviour.result is Result.NEVER else self._seconds[behaviour.pace]
        notices = [(settles or 0.0) + n * CHANGE_OF_MIND_SECONDS for n in range(behaviour.notices)]
        received = behaviour.first_call is not FirstCall.NOT_RECEIVED
        asked = (kind.value, amount.minor, amount.currency, token)
        row = await fetch_row(_TAKE, idempotency_key, *asked, behaviour.result.value, settles, notices, received)
        assert row is not None  # noqa: S101 - for the type checker: an upsert returns its row
        if (row["kind"], row["amount_minor"], row["currency"], row["token"]) != asked:
            raise KeyReused(f"the key {idempotency_key} was used for something else")
        if row["calls"] == 1 and behaviour.first_call is not FirstCall.ANSWERED:
            raise ProviderError("the sandbox was told to lose this call or its answer")
        found = _answer(row)
        # The same call again, after all that: what it once answered stays its answer.
        return Succeeded(found.amount) if isinstance(found, Reversed) else found


def _by_amount(amount: Money) -> Behaviour:
    return AMOUNTS.get(f"{amount.minor % 10_000:04}", USUAL)


def _answer(row: Record) -> Answer | Reversed:
    """What a charge has come to by now; `phase` is 0 before it settled, 1 after, 2 after a change of mind."""
    if row["phase"] == 0:
        return Pending()
    minor, currency = row["amount_minor"], row["currency"]
    match Result(row["outcome"]), row["phase"]:
        case (Result.FAILS | Result.FAILS_ONCE, _) | (Result.FAILS_THEN_SUCCEEDS, 1):
            known = row["kind"] != OrderKind.DEPOSIT or row["token"] in TOKENS
            return Failed("declined" if known else UNKNOWN_TOKEN)
        case Result.REVERSED, 2:
            return Reversed(Money(minor, currency), "the client disputed the charge with the bank")
        case Result.WRONG_AMOUNT, _:
            return Succeeded(Money(minor - 1 or 2, currency))
        case Result.WRONG_CURRENCY, _:
            return Succeeded(Money(minor, "EUR" if currency != "EUR" else "USD"))
        case _:
            return Succeeded(Money(minor, currency))


_PHASE: Final = f"""
    CASE WHEN settles_at IS NULL OR settles_at > now() THEN 0
         WHEN settles_at + interval '{CHANGE_OF_MIND_SECONDS} seconds' > now() THEN 1 ELSE 2 END AS phase
"""

_LOOK: Final = f"SELECT *, {_PHASE} FROM sandbox_charges WHERE idempotency_key = $1"  # noqa: S608 - no input in it

# A second call finds the books as the first one left them, but for what may be tried again: a refund that failed starts
# anew, and a call that never arrived does now.
_TAKE: Final = f"""
    INSERT INTO sandbox_charges AS c
        (idempotency_key, kind, amount_minor, currency, token, outcome, settles_at, notices, received, calls, created_at)
    SELECT $1, $2, $3, $4, $5, $6, now() + $7::float8 * interval '1 second',
        ARRAY(SELECT now() + at * interval '1 second' FROM unnest($8::float8[]) AS at ORDER BY at), $9, 1, now()
    ON CONFLICT (idempotency_key) DO UPDATE SET
        calls = c.calls + 1,
        received = true,
        (outcome, settles_at, notices) = (
            SELECT
                CASE WHEN again AND c.outcome = 'FAILS_ONCE' THEN 'SUCCEEDS' ELSE c.outcome END,
                CASE WHEN again THEN excluded.settles_at ELSE c.settles_at END,
                CASE WHEN again THEN excluded.notices ELSE c.notices END
            FROM (SELECT NOT c.received OR (
                c.kind = 'REFUND' AND c.outcome IN ('FAILS', 'FAILS_ONCE') AND c.settles_at <= now()
            ) AS again) AS tried
        )
    RETURNING *, {_PHASE}
"""  # noqa: S608 - no input in it

_NOTICES: Final = """
    UPDATE sandbox_charges SET notices = notices[2:]
    WHERE idempotency_key IN (
        SELECT idempotency_key FROM sandbox_charges WHERE notices <> '{}' AND notices[1] <= now() AND received
        LIMIT 100 FOR UPDATE SKIP LOCKED
    )
    RETURNING idempotency_key
"""
