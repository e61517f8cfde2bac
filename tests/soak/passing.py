"""Makes time pass for the stand-in and for us at once, and says what is still on its way between the two.

It passes on the stand-in's clock, and in what our rows remember of their calls and when they come again; so a key that the
stand-in forgot is a key that we know to be forgotten.
"""

from __future__ import annotations

from typing import Final

from escrow import bell, database
from escrow.bell import Topic
from escrow.database import fetch, fetch_value
from tests.stand_ins.stripe.serving import Playing

STEP_SECONDS: Final = 7_200.0
SMALL_STEP_SECONDS: Final = 1_800.0
LONG_STEP_SECONDS: Final = 86_400.0
"""How far time jumps at once; the small step while somebody waits for an answer, since a key is forgotten after a day, the long
one when nothing is wanted any more and what was given up is only looked at."""


async def pass_time(stand_in: Playing) -> None:
    """Time passes for both; when only what is far away is left, it passes up to the next of that."""
    books = stand_in.books
    seconds = SMALL_STEP_SECONDS
    if not await fetch_value(_UNANSWERED):
        next_due = await fetch_value(_NEXT_DUE)
        ahead = [float(next_due)] if next_due is not None else []
        ahead += [books.due[0][0] - books.clock.now()] if books.due else []
        step = STEP_SECONDS if await fetch_value(_WANTED) else LONG_STEP_SECONDS
        seconds = max(step, min(ahead, default=0.0))
    await database.execute(
        _CALLS_GROW_OLDER,
        seconds,
    )
    stand_in.pass_time(seconds)
    await database.execute(
        "UPDATE payment_orders SET due_at = least(due_at - $1::float8 * interval '1 second', now() + interval '6 hours') "
        "WHERE due_at > now() AND lease_token IS NULL",
        seconds,
    )
    await bell.ring(Topic.ORDERS)


async def under_way() -> list[str]:
    """What somebody still works on, or will."""
    rows = await fetch(_UNDER_WAY)
    return [f"{row['id']} {row['kind']} {row['state']}" for row in rows]


# Of a payout that was given up nothing is called again, with whatever key; nor of what is older than its key.
_UNANSWERED: Final = """
    SELECT EXISTS (
        SELECT FROM payment_orders AS o JOIN provider_calls AS call ON o.id = call.order_id
        WHERE (state = 'STARTED' OR (state, kind) = ('FAILED', 'REFUND')) AND NOT is_stuck
        AND provider_id IS NULL AND NOT is_over AND called_at > now() - interval '25 hours')
"""

# Of what is settled no call is made any more, whenever the last one was.
_CALLS_GROW_OLDER: Final = """
    UPDATE provider_calls SET called_at = called_at - $1::float8 * interval '1 second'
    WHERE (NOT is_over OR called_at > now() - interval '60 days') AND EXISTS (
        SELECT FROM payment_orders AS o WHERE (o.contract_id, o.id) = (provider_calls.contract_id, order_id)
        AND (due_at IS NOT NULL OR is_stuck OR state IN ('STARTED', 'FAILED')))
"""

_WANTED: Final = """
    SELECT EXISTS (SELECT FROM payment_orders WHERE state = 'STARTED' OR (state, kind) = ('FAILED', 'REFUND'))
"""

_NEXT_DUE: Final = """
    SELECT extract(epoch FROM min(due_at) - now())::float8 FROM payment_orders WHERE lease_token IS NULL AND due_at IS NOT NULL
"""

# A refund of a charge that the bank has taken back is refused for ever: the client has the money already. A payout that was given
# up is looked up for weeks: somebody waits only for money that is known to have moved, or for a look that went wrong.
_UNDER_WAY: Final = """
    SELECT id, kind, state FROM payment_orders AS o
    WHERE lease_token IS NOT NULL OR due_at <= now() OR state = 'STARTED'
    OR (kind = 'REFUND' AND state = 'FAILED' AND NOT EXISTS (
        SELECT FROM deposits WHERE deposits.id = deposit_id AND reversal IS NOT NULL))
    OR (due_at IS NOT NULL AND (state IN ('ABANDONED', 'PAID') OR kind = 'DEPOSIT' OR (kind = 'PAYOUT' AND (
        last_error IS NOT NULL OR EXISTS (
            SELECT FROM provider_calls WHERE order_id = o.id AND step = 'TRANSFER' AND provider_id IS NOT NULL)))))
"""
