"""Lists what the sandbox provider can be told to do: by a deposit's token, by the last digits of a refund or a payout.

The tables `TOKENS` and `AMOUNTS` are the manual.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from escrow.states import ActionKind


class Result(StrEnum):
    """What a call comes to when it settles."""

    SUCCEEDS = "SUCCEEDS"
    FAILS = "FAILS"
    FAILS_ONCE = "FAILS_ONCE"
    FAILS_THEN_SUCCEEDS = "FAILS_THEN_SUCCEEDS"
    SUCCEEDS_THEN_FAILS = "SUCCEEDS_THEN_FAILS"
    NEVER = "NEVER"
    NOT_YET = "NOT_YET"
    FAULT = "FAULT"
    REVERSED = "REVERSED"
    REVERSED_WON = "REVERSED_WON"
    REVERSED_LOST = "REVERSED_LOST"
    REVERSED_WITHDRAWN = "REVERSED_WITHDRAWN"
    WRONG_AMOUNT = "WRONG_AMOUNT"
    WRONG_CURRENCY = "WRONG_CURRENCY"


ONLY_THE_FIRST: Final = (Result.FAILS_ONCE, Result.NOT_YET, Result.FAULT)
"""What an order's first attempt comes to, and no later one."""


class Pace(StrEnum):
    """How long it takes to settle."""

    AT_ONCE = "AT_ONCE"
    SOON = "SOON"
    SLOW = "SLOW"


class FirstCall(StrEnum):
    """What happens to the first call that moves money."""

    ANSWERED = "ANSWERED"
    ANSWER_LOST = "ANSWER_LOST"
    NOT_RECEIVED = "NOT_RECEIVED"


class Payer(StrEnum):
    """What the payer does who has to do something."""

    ACTS = "ACTS"
    LEAVES = "LEAVES"
    SLEEPS = "SLEEPS"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the sandbox does with one call, and how often it says so by itself."""

    meaning: str
    result: Result = Result.SUCCEEDS
    pace: Pace = Pace.SOON
    notices: int = 1
    first_call: FirstCall = FirstCall.ANSWERED
    action: ActionKind | None = None
    payer: Payer = Payer.ACTS


USUAL: Final = Behaviour("succeeds after a moment")

AT_ONCE: Final = Behaviour("succeeds at once", pace=Pace.AT_ONCE, notices=0)

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
    "tok_reverse_won": Behaviour(
        "succeeds, is taken back two seconds later, and two seconds after that the provider says that the argument was won",
        Result.REVERSED_WON,
        notices=3,
    ),
    "tok_reverse_lost": Behaviour("the same, but the argument was lost", Result.REVERSED_LOST, notices=3),
    "tok_reverse_withdrawn": Behaviour("the same, but the client gave it up", Result.REVERSED_WITHDRAWN, notices=3),
    "tok_timeout": Behaviour("succeeds, but the answer to the first call is lost", first_call=FirstCall.ANSWER_LOST),
    "tok_outage": Behaviour("succeeds, but the first call never arrives", first_call=FirstCall.NOT_RECEIVED),
    "tok_fault": Behaviour(
        "succeeds, but the first attempt ends with a fault that is stored under its key and repeated", Result.FAULT
    ),
    "tok_action": Behaviour("needs the client to open an address, who does so after two seconds; succeeds then",
                            action=ActionKind.REDIRECT),
    "tok_action_confirm": Behaviour("needs the client to confirm with a client secret, who does so after two seconds",
                                    action=ActionKind.CONFIRM),
    "tok_action_bank": Behaviour("needs a bank transfer with a reference, which comes after ten seconds",
                                 pace=Pace.SLOW, action=ActionKind.BANK_TRANSFER),
    "tok_action_abandoned": Behaviour("needs the client to open an address, who declines there after two seconds",
                                      Result.FAILS, action=ActionKind.REDIRECT, payer=Payer.LEAVES),
    "tok_action_expires": Behaviour("needs the client to open an address within ten seconds, who never does",
                                    action=ActionKind.REDIRECT, payer=Payer.SLEEPS),
}  # fmt: skip
"""Deposits, by payment token; no token is `tok_ok`, and any other token is declined at once."""

AMOUNTS: Final[dict[str, Behaviour]] = {
    "4001": Behaviour("fails, however often it is tried", Result.FAILS),
    "4002": Behaviour("succeeds after ten seconds", pace=Pace.SLOW),
    "4003": Behaviour("succeeds and says so twice", notices=2),
    "4004": Behaviour("stays pending for ever", Result.NEVER, notices=0),
    "4005": Behaviour("fails the first time; a refund succeeds when it is tried again", Result.FAILS_ONCE),
    "4006": Behaviour("fails, and two seconds later has succeeded after all", Result.FAILS_THEN_SUCCEEDS, notices=2),
    "4007": Behaviour("succeeds, but the answer to the first call is lost", first_call=FirstCall.ANSWER_LOST),
    "4008": Behaviour(
        "ends with a fault that is stored under its key and repeated; after a day it waits for a person",
        Result.FAULT,
    ),
    "4009": Behaviour("succeeds, and two seconds later has failed after all: the money came back",
                      Result.SUCCEEDS_THEN_FAILS, notices=2),
    "4010": Behaviour("can't be done yet the first time, and succeeds when it is tried again", Result.NOT_YET),
    "4011": Behaviour("succeeds, but the first call never arrives", first_call=FirstCall.NOT_RECEIVED),
}  # fmt: skip
"""Refunds and payouts, by the last four digits of the amount in minor units (USD 40.01 is 4001); else they succeed."""

ON_THE_TRANSFER: Final = (Result.FAULT, Result.NOT_YET)
"""Of a payout's two calls these befall the transfer, and lost calls and answers too; everything else befalls the payout."""


def by_token(token: str | None) -> Behaviour:
    """What a deposit does."""
    unknown = Behaviour("is declined at once", Result.FAILS, Pace.AT_ONCE)
    return TOKENS.get(token, unknown) if token is not None else USUAL


def by_amount(amount_minor: int) -> Behaviour:
    """What a refund or a payout does."""
    return AMOUNTS.get(f"{amount_minor % 10_000:04}", USUAL)
