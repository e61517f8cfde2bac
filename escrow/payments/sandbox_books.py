"""Reads the sandbox provider's books: what has become of a call by now, and which movements of money that makes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from escrow.database import Record
from escrow.money import Money
from escrow.payments.movements import Movement, MovementKind
from escrow.payments.results import (
    Failed,
    Found,
    NeedsAction,
    NotYet,
    PayerAction,
    Pending,
    Prepared,
    Reversal,
    ReversalStage,
    Reversed,
    Succeeded,
)
from escrow.payments.sandbox_behaviours import TOKENS, Result
from escrow.states import ActionKind

CHANGE_OF_MIND_SECONDS: Final = 2.0
"""Between the two results, or three, of what has more than one."""

UNKNOWN_TOKEN: Final = "no such test token; tok_ok succeeds"  # noqa: S105 - a message, no secret

EVIDENCE: Final = timedelta(days=7)
"""How long after a reversal evidence may be brought."""

_CHANGE: Final = timedelta(seconds=CHANGE_OF_MIND_SECONDS)

_ENDS: Final = {
    Result.REVERSED_WON: ReversalStage.WON,
    Result.REVERSED_LOST: ReversalStage.LOST,
    Result.REVERSED_WITHDRAWN: ReversalStage.WITHDRAWN,
}

_REVERSED: Final = (Result.REVERSED, *_ENDS)


def found(row: Record) -> Found | NotYet:
    """What has become of it at the time `at` of the row."""
    if row["is_cancelled"]:
        return Failed("cancelled", row["id"])
    if row["kind"] == "DEPOSIT" and row["confirmed_at"] is None:
        return Prepared(row["id"])
    result, phase = Result(row["outcome"]), _phase(row)
    if result is Result.NOT_YET:
        return NotYet("the balance isn't available yet")
    if phase == 0:
        return _waiting(row)
    match result, phase:
        case (Result.FAILS | Result.FAILS_ONCE, _) | (Result.FAILS_THEN_SUCCEEDS, 1):
            known = row["kind"] != "DEPOSIT" or row["token"] in TOKENS
            return Failed("declined" if known else UNKNOWN_TOKEN, row["id"])
        case Result.SUCCEEDS_THEN_FAILS, 2 | 3:
            return Failed("it was sent back", row["id"])
        case result, phase if result in _REVERSED and phase > 1:
            return Reversed(_succeeded(row), _reversal(row, result))
        case _:
            return _succeeded(row)


def movements(row: Record) -> Iterator[Movement]:
    """What moved of the platform's balance until the time `at` of the row."""
    result, phase = Result(row["outcome"]), _phase(row)
    if row["is_cancelled"] or phase == 0 or result in (Result.FAULT, Result.NOT_YET):
        return
    amount = _succeeded(row).amount
    match row["kind"]:
        case "DEPOSIT" if isinstance(found(row), (Succeeded, Reversed)):
            yield _movement(row, 1, MovementKind.CHARGE, amount, 1)
            if result in _REVERSED and phase > 1:
                yield _movement(row, 2, MovementKind.REVERSAL, amount, -1)
            if phase > 2 and result in (Result.REVERSED_WON, Result.REVERSED_WITHDRAWN):
                yield _movement(row, 3, MovementKind.REVERSAL_RETURNED, amount, 1)
        case "TRANSFER":
            yield _movement(row, 1, MovementKind.TRANSFER, amount, -1)
        case "TAKE_BACK":
            yield _movement(row, 1, MovementKind.TRANSFER_RETURNED, amount, 1)
        case "PAYOUT" if result is Result.FAILS_THEN_SUCCEEDS and phase > 1 and row["was_taken_back"]:
            yield _movement(row, 2, MovementKind.TRANSFER, amount, -1)
        case "REFUND" if result not in (Result.FAILS, Result.FAILS_ONCE):
            first = 2 if result is Result.FAILS_THEN_SUCCEEDS else 1
            if phase >= first:
                yield _movement(row, first, MovementKind.REFUND, amount, -1)
            if result is Result.SUCCEEDS_THEN_FAILS and phase > 1:
                yield _movement(row, 2, MovementKind.REFUND_FAILED, amount, 1)


def _phase(row: Record) -> int:
    """0 before it settled, 1 after, 2 after a change of mind, 3 after a second one."""
    settles_at, at = row["settles_at"], row["at"]
    if settles_at is None or settles_at > at:
        return 0
    return min(3, 1 + (at - settles_at) // _CHANGE) if _changes(row) else 1


def _changes(row: Record) -> bool:
    result = Result(row["outcome"])
    return result in (*_REVERSED, Result.FAILS_THEN_SUCCEEDS, Result.SUCCEEDS_THEN_FAILS)


def _waiting(row: Record) -> Found:
    if row["action"] is None or (row["acts_at"] is not None and row["acts_at"] <= row["at"]):
        return Pending(row["id"])
    if row["action_until"] <= row["at"]:
        return Failed("the payer did nothing in time", row["id"])
    kind = ActionKind(row["action"])
    action = PayerAction(
        kind=kind,
        url=f"https://sandbox.invalid/pay/{row['id']}" if kind is ActionKind.REDIRECT else None,
        client_secret=f"{row['id']}_secret" if kind is ActionKind.CONFIRM else None,
        reference=f"RF {row['id'][-12:].upper()}" if kind is ActionKind.BANK_TRANSFER else None,
        until=row["action_until"],
    )
    return NeedsAction(row["id"], action)


def _succeeded(row: Record) -> Succeeded:
    minor, currency = row["amount_minor"], row["currency"]
    match Result(row["outcome"]):
        case Result.WRONG_AMOUNT:
            amount = Money(minor - 1 or 2, currency)
        case Result.WRONG_CURRENCY:
            amount = Money(minor, "EUR" if currency != "EUR" else "USD")
        case _:
            amount = Money(minor, currency)
    return Succeeded(amount, row["id"])


def _reversal(row: Record, result: Result) -> Reversal:
    stage = _ENDS.get(result, ReversalStage.OPEN) if _phase(row) > 2 else ReversalStage.OPEN
    return Reversal(
        stage=stage,
        amount=Money(row["amount_minor"], row["currency"]),
        provider_id=f"{row['id']}/reversal",
        evidence_until=row["settles_at"] + _CHANGE + EVIDENCE,
        reason="the client disputed the charge with the bank",
    )


def _movement(row: Record, phase: int, kind: MovementKind, amount: Money, sign: int) -> Movement:
    at: datetime = row["settles_at"] + (phase - 1) * _CHANGE
    moved = Money(sign * amount.minor, amount.currency)
    return Movement(
        id=f"{row['id']}/{phase}",
        kind=kind,
        at=at,
        amount=moved,
        fee=Money(0, amount.currency),
        net=moved,
        source_id=row["id"],
        order_id=row["order_id"],
        group=row["group_id"],
    )
