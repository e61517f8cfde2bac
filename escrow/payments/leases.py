"""Leases orders that are due to one worker at a time, and notes every call to the provider before it is made.

An order is claimed under a lease with a token of its own. The row of a call is there before the call: the claim itself writes
the first one. So a worker may die at any point, and the next one knows what may have been called and with which key.
Everything here runs on real time.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from escrow import cuts, terms
from escrow.agreement.inputs import explanation
from escrow.database import fetch, filled, unseen
from escrow.money import Money
from escrow.payments.calls import CALL_SECONDS_MAX, Step, key_of
from escrow.payments.movements import MovementKind
from escrow.states import OrderKind, OrderOutcome, OrderState, ReversalState

LEASE_SECONDS: Final = 2 * CALL_SECONDS_MAX
"""How long an order belongs to who claimed it: time for a look-up and a call that are both as slow as they may be. After that
another worker looks it up. `log_cuts.books_due_at` is as much later than a cut."""

FIRST_STEPS: Final = {OrderKind.DEPOSIT: Step.PREPARE, OrderKind.REFUND: Step.REFUND, OrderKind.PAYOUT: Step.TRANSFER}


UNKNOWN: Final = "unknown"
"""Where a call went of which that wasn't noted."""


class LeaseLost(Exception):
    """This worker was held up for so long that its lease is about to end: the order is somebody else's now."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an order, repeated with the same key if need be."""

    step: Step
    attempt: int
    seconds_ago: float = 0.0
    """Since its first time, by the database's clock."""
    provider_id: str | None = None
    """What the provider calls what it made of it, once that is known."""
    is_over: bool = False
    """Whether nothing comes of its key any more: what is still wanted gets another attempt."""
    is_fresh: bool = False
    """Whether nobody can have made it before this claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An order under a lease of ours."""

    id: str
    contract_id: str
    kind: OrderKind
    state: OrderState
    amount: Money
    deposit_id: str | None
    payment_token: str | None = field(repr=False)
    """Sealed, as it is stored: it is opened for the call alone."""
    next_action: str | None = field(repr=False)
    """Sealed, what the payer was last told to do."""
    charge_id: str | None
    """For a refund: what the provider calls the charge that it returns."""
    charge_ids: Sequence[str]
    """For a payout: what the provider calls the contract's charges, newest first."""
    client_id: str
    payee: str
    """For a payout: what the provider calls the freelancer; their account with us where it has no name for them."""
    payee_can_be_paid: bool
    """Whether the provider said that it pays the freelancer."""
    payee_misses: Sequence[str]
    """What the provider waits for before it does."""
    provider: str
    """Who is asked, and with whom its calls are noted."""
    known_as: str | None
    """The order that was lost in a cut of the log and goes on in this one: the provider knows that one."""
    has_lost: bool
    """Whether money of its contract moved at the provider for orders that were lost, and it goes on as none of them."""
    lost_for_seconds: float | None
    """Since when calls of it may have been lost in a cut; `None` if it is of after all cuts, and goes on as none of before."""
    cut_seconds_ago: float | None
    """Since that cut was noticed."""
    is_known_as_uncalled: bool
    """Whether the provider's books, as they were read after that cut, say that nothing was called for it before."""
    elsewhere: str | None
    """Another provider, where it was begun or where its money is: `UNKNOWN` if nobody knows which. Then nothing is asked here."""
    taken_back: ReversalState | None
    """For a refund: what becomes of the reversal of its deposit, unless that was won."""
    wanted: bool
    """Whether money may still be moved for it; else it is only looked up."""
    is_stuck: bool
    """Whether it waits for a person."""
    trace: str | None
    """The trace of the command that made it, as its row keeps it."""
    calls: Sequence[Call]
    attempts: int
    """How often it was claimed."""
    lease_token: str
    due_at: datetime
    """When others may take it, unless it is handed back before; a notice that comes meanwhile moves it."""
    lease_ends: float
    """By this process's monotonic clock, which no adjustment of the time moves."""

    def last(self, step: Step) -> Call | None:
        """The newest attempt at a step."""
        return max((call for call in self.calls if call.step is step), key=lambda call: call.attempt, default=None)

    def newest(self) -> Call | None:
        """The call that was begun last."""
        return min(self.calls, key=lambda call: call.seconds_ago, default=None)

    def tried_for_seconds(self, step: Step) -> float:
        """Since the first attempt at a step was begun; 0 if none was."""
        return max((call.seconds_ago for call in self.calls if call.step is step), default=0.0)

    @property
    def name(self) -> str:
        """What the provider knows it as."""
        return self.known_as or self.id

    def key(self, call: Call) -> str:
        return key_of(self.name, call.attempt, call.step)

    @property
    def may_be_known(self) -> bool:
        """Whether calls may have been made for it of which these books don't know."""
        return self.lost_for_seconds is not None or self.known_as is not None

    def was_begun_since_the_cut(self, step: Step, before: int) -> bool:
        """Whether an earlier attempt at the step than that one was begun after calls may have been lost."""
        return any(
            call.step is step and call.attempt < before and call.seconds_ago < (self.cut_seconds_ago or 0.0)
            for call in self.calls
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What is noted of a call when the order goes on or is handed back."""

    call: Call
    provider_id: str | None = None
    is_over: bool = False


async def claim(limit: int, *, provider: str | None = None, payees_of: str | None = None) -> list[Claimed]:
    """Take up to `limit` orders that are due, oldest first, and leave those that others hold alone. One statement.

    A deposit that was given up before anybody called the provider is put aside for good instead. `provider` is whom the caller
    is about to ask, by default the one whose terms are in force: no call is begun for what belongs to another. `payees_of` names
    it where payees are onboarded: then none is begun either for a payout to somebody whom it can't pay.
    """
    provider = provider or terms.in_force().provider
    token = secrets.token_hex(16)
    lease_ends = time.monotonic() + LEASE_SECONDS
    rows = await fetch(_CLAIM, limit, token, LEASE_SECONDS, payees_of, provider)
    return [
        filled(
            Claimed,
            row,
            kind=OrderKind(row["kind"]),
            state=OrderState(row["state"]),
            taken_back=ReversalState(row["taken_back"]) if row["taken_back"] is not None else None,
            amount=Money(row["amount_minor"], row["currency"]),
            calls=_calls(OrderKind(row["kind"]), row["calls"], is_fresh=row["is_fresh"]),
            lease_ends=lease_ends,
            provider=provider,
        )
        for row in rows
        if row["lease_token"] is not None
    ]


def _calls(kind: OrderKind, known: Sequence[Sequence[object]], *, is_fresh: bool) -> list[Call]:
    first = [Call(FIRST_STEPS[kind], 1, is_fresh=True)] if is_fresh else []
    return [*first, *(Call(Step(str(one[0])), *one[1:]) for one in known)]  # type: ignore[arg-type]  # a record's columns


async def go_on(
    order: Claimed, *, learned: Learned | None = None, begin: tuple[Step, int] | None = None
) -> Call | None:
    """Note what the provider calls what it made, and that another call begins, before it is made. One statement.

    Raises `LeaseLost` if the order is another worker's, or if another has begun this very call. No call begins either once the
    order has turned under the lease (the operator resolved it, it was given up): what is wanted now is for the next claim.
    """
    noted = learned or Learned(call=Call(Step.PREPARE, 0))
    step, attempt = begin if begin is not None else (None, None)
    of = (noted.call.step.value, noted.call.attempt, noted.provider_id, noted.is_over)
    to_begin = (step.value if step else None, attempt, order.state.value, order.is_stuck, order.provider)
    rows = await fetch(_GO_ON, order.id, order.lease_token, *of, *to_begin, order.contract_id)
    if not rows or (begin is not None and not rows[0]["has_begun"]):
        raise LeaseLost(order.id)
    return Call(step, attempt, is_fresh=True) if step is not None and attempt is not None else None


async def said_to_be_paid(order: Claimed) -> int:
    """How often a person has said that this order was paid, since it counts as paid by their word; 0 if the provider said so."""
    found = await fetch(_SAID_TO_BE_PAID, order.contract_id, order.id, OrderOutcome.PAID.value)
    return int(found[0]["times"])


async def what_moved(order: Claimed, kind: MovementKind) -> list[str]:
    """What the provider calls what moved money of that kind for the order, by the movements that were read; the oldest first."""
    rows = await fetch(_WHAT_MOVED, order.name, order.contract_id, kind.value)
    return [str(row["source_id"]) for row in rows]


async def explain(order: Claimed, said: str) -> None:
    """Keep what the provider says of the order, in words for whose money it is; before the event that has them look.

    Raises `LeaseLost` if the order is another worker's.
    """
    if not await fetch(_EXPLAIN, order.id, order.lease_token, explanation(said), order.contract_id):
        raise LeaseLost(order.id)


async def hand_back(
    order: Claimed,
    again_seconds: float | None,
    *,
    learned: Learned | None = None,
    error: str | None = None,
    keeps_words: bool = False,
    keeps_action: bool = False,
    was_stuck: bool = False,
) -> bool:
    """Give the order back, to be looked at after so many seconds; whether the lease was still ours.

    What `was_stuck` and a person resolved meanwhile, or a notice came for, is looked at again at once. What the payer was told
    to do is forgotten unless the order `keeps_action`, and what the provider said of it unless it `keeps_words`.
    """
    noted = learned or Learned(call=Call(Step.PREPARE, 0))
    of = (noted.call.step.value, noted.call.attempt, noted.provider_id, noted.is_over)
    so = (again_seconds, error, keeps_action, keeps_words)
    as_claimed = (was_stuck, order.due_at, order.contract_id)
    return bool(await fetch(_HAND_BACK, order.id, order.lease_token, *so, *of, *as_claimed))


# Where an order was begun it goes on; one that wasn't is begun where the money is that it moves.
_NOT_CALLED: Final = (
    "NOT EXISTS (SELECT FROM provider_calls AS own WHERE (own.contract_id, own.order_id) = (o.contract_id, o.id))"
)

ELSEWHERE: Final = f"""
    SELECT coalesce(one.provider, '{UNKNOWN}') FROM (
        SELECT o.id UNION ALL
        SELECT d.order_id FROM deposits AS d
        WHERE o.kind = 'REFUND' AND (d.contract_id, d.id) = (o.contract_id, o.deposit_id) AND {_NOT_CALLED} UNION ALL
        SELECT charge.id FROM payment_orders AS charge
        WHERE o.kind = 'PAYOUT' AND charge.contract_id = o.contract_id AND charge.kind = 'DEPOSIT' AND charge.state = 'PAID'
            AND {_NOT_CALLED}
    ) AS place JOIN provider_calls AS one ON one.contract_id = o.contract_id AND one.order_id = place.id
    WHERE one.provider IS DISTINCT FROM {{asked}} ORDER BY one.called_at DESC LIMIT 1
"""  # noqa: S608 - constants
"""Where the order `o` belongs if not to the provider that is `asked`, a parameter's number; no row if it is that one's."""

STRANGE: Final = """moved.order_id IS NOT NULL AND moved.contract_id IS NOT NULL AND NOT moved.is_settled
    AND NOT EXISTS (SELECT FROM payment_orders AS own
        WHERE own.contract_id = moved.contract_id AND own.id = moved.order_id)
    AND NOT EXISTS (SELECT FROM payment_orders AS own
        WHERE own.contract_id = moved.contract_id AND own.known_as = moved.order_id)"""
"""Whether a movement `moved` names an order of a contract that these books don't know."""

LOST: Final = f"""
    SELECT order_id, min(contract_id) AS contract_id, currency, sum(minor)::bigint AS minor,
        (array_agg(kind ORDER BY at, id))[1] AS kind, (array_agg(source_id ORDER BY at, id))[1] AS source_id, min(at) AS at
    FROM (
        SELECT id, order_id, contract_id, kind, source_id, at, coalesce(changed_currency, currency) AS currency,
            coalesce(CASE WHEN amount_minor < 0 THEN -changed_minor ELSE changed_minor END, amount_minor) AS minor
        FROM provider_movements AS moved WHERE {STRANGE} AND {{which}}) AS strange
    GROUP BY order_id, currency HAVING sum(minor) <> 0 ORDER BY min(at), order_id
"""  # noqa: S608 - constants
"""What moved for orders that a cut of the log lost and didn't come back, in the order's currency: what was changed on its way to
the balance counts as what it was before. `which` says of which movements `moved`."""

WAS_CUT: Final = "EXISTS (SELECT FROM log_cuts WHERE first_position > 1)"
"""Whether the log was ever cut."""

_HAS_LOST: Final = f"""
    {WAS_CUT} AND o.known_as IS NULL AND coalesce(
        (SELECT true FROM provider_movements AS moved WHERE moved.contract_id = o.contract_id AND {STRANGE} LIMIT 1), false)
"""  # noqa: S608 - constants

# Nobody calls before it is known what moved until the last cut, be it one that the sequencer hasn't noticed yet.
_ALL_IS_KNOWN: Final = f"""
    NOT EXISTS (SELECT FROM log_cuts WHERE books_read_at IS NULL)
    AND (SELECT server FROM log_cuts ORDER BY first_position DESC LIMIT 1) = {cuts.SERVER_SQL}
"""  # noqa: S608 - constants

# `locked` locks, the UPDATE decides: an order that is not wanted and was never called is put aside (no due time, no lease),
# everything else is leased. `now()` rather than `clock_timestamp()`, which no index could be searched with.
# What is known of an order is looked up by its keys, as scalars: PostgreSQL may answer EXISTS by reading the whole table into a
# hash first, and does where it thinks many are due. And it doesn't see what it is asked with: a limit, or that no payees are
# asked for, would have it plan this anew at each claim, which takes ten times as long as the claim.
_PAYEES_OF: Final = unseen("$4::text")
_ASKED: Final = unseen("$5::text")
_CLAIM: Final = f"""
    WITH locked AS MATERIALIZED (
        SELECT contract_id, id, kind, state, is_stuck, deposit_id, known_as
        FROM payment_orders WHERE due_at <= now() AND {_ALL_IS_KNOWN}
        ORDER BY due_at LIMIT {unseen("$1::int")} FOR UPDATE SKIP LOCKED
    ), due AS MATERIALIZED (
        SELECT contract_id, id, kind, is_stuck, {_PAYEES_OF} IS NULL OR kind <> 'PAYOUT' OR coalesce((
                SELECT true FROM contracts JOIN payees ON payees.account_id = contracts.freelancer_id
                WHERE contracts.id = o.contract_id AND provider = {_PAYEES_OF} AND can_be_paid LIMIT 1), false) AS may_begin,
            coalesce((SELECT true FROM provider_calls AS one
                WHERE (one.contract_id, one.order_id) = (o.contract_id, o.id) LIMIT 1), false) AS called,
            NOT is_stuck AND (state = 'STARTED' OR (kind = 'REFUND' AND state = 'FAILED')) AS wanted,
            ({ELSEWHERE.format(asked=_ASKED)}) AS elsewhere, {_HAS_LOST} AS has_lost,
            CASE WHEN kind = 'REFUND' THEN (
                SELECT reversal FROM deposits AS d WHERE (d.contract_id, d.id) = (o.contract_id, o.deposit_id)
                AND reversal IN ('OPEN', 'FORFEITED', 'LOST')) END AS taken_back
        FROM locked AS o
    ), begun AS (
        INSERT INTO provider_calls (contract_id, order_id, step, attempt, provider)
        SELECT contract_id, id, CASE kind WHEN 'DEPOSIT' THEN 'PREPARE' WHEN 'REFUND' THEN 'REFUND' ELSE 'TRANSFER' END, 1, $5
        FROM due WHERE wanted AND may_begin AND NOT called AND elsewhere IS NULL AND NOT has_lost AND taken_back IS NULL
        ON CONFLICT DO NOTHING RETURNING order_id
    )
    UPDATE payment_orders AS o SET
        due_at = CASE WHEN due.wanted OR due.called THEN now() + $3::float8 * interval '1 second' END,
        lease_token = CASE WHEN due.wanted OR due.called THEN $2 END,
        attempts = o.attempts + 1
    FROM due LEFT JOIN begun ON begun.order_id = due.id CROSS JOIN LATERAL (
        SELECT coalesce(payees.payee_id, c.freelancer_id) AS payee, coalesce(payees.can_be_paid, false) AS payee_can_be_paid,
            coalesce(payees.missing, '{{}}') AS payee_misses
        FROM contracts AS c LEFT JOIN payees ON payees.account_id = c.freelancer_id AND payees.provider = {_PAYEES_OF}
        WHERE c.id = due.contract_id) AS paid
    WHERE (o.contract_id, o.id) = (due.contract_id, due.id)
    RETURNING o.id, o.contract_id, o.kind, o.state, o.amount_minor, o.currency, o.deposit_id, o.payment_token, o.next_action,
        o.attempts, o.lease_token, o.due_at, o.is_stuck, o.known_as, o.trace, due.wanted, due.elsewhere, due.has_lost,
        due.taken_back,
        (SELECT extract(epoch FROM now() - min(coalesce(kept_at, o.created_at)))::float8 FROM log_cuts
            WHERE first_position > 1 AND (cut_at > o.created_at OR o.known_as IS NOT NULL)) AS lost_for_seconds,
        (SELECT extract(epoch FROM now() - max(cut_at))::float8 FROM log_cuts
            WHERE cut_at > o.created_at OR o.known_as IS NOT NULL) AS cut_seconds_ago,
        o.seen_uncalled_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM log_cuts WHERE cut_at > o.seen_uncalled_at) AS is_known_as_uncalled,
        begun.order_id IS NOT NULL AS is_fresh,
        ARRAY(SELECT ROW(step, attempt, extract(epoch FROM now() - called_at)::float8, provider_id, is_over)
            FROM provider_calls AS one WHERE (one.contract_id, one.order_id) = (o.contract_id, o.id)) AS calls,
        CASE WHEN o.kind = 'REFUND' THEN (
            SELECT one.provider_id FROM deposits AS d
            JOIN provider_calls AS one ON (one.contract_id, one.order_id) = (d.contract_id, d.order_id)
            WHERE (d.contract_id, d.id) = (o.contract_id, o.deposit_id) AND one.step = 'PREPARE' AND one.provider_id IS NOT NULL
            ORDER BY one.attempt DESC LIMIT 1) END AS charge_id,
        CASE WHEN o.kind = 'PAYOUT' THEN ARRAY(
            SELECT one.provider_id FROM payment_orders AS charge
            JOIN provider_calls AS one ON (one.contract_id, one.order_id) = (charge.contract_id, charge.id)
            WHERE charge.contract_id = o.contract_id AND charge.kind = 'DEPOSIT' AND charge.state = 'PAID'
            AND one.step = 'PREPARE' AND one.provider_id IS NOT NULL
            ORDER BY one.called_at DESC LIMIT 100) ELSE '{{}}' END AS charge_ids,
        (SELECT c.client_id FROM contracts c WHERE c.id = o.contract_id) AS client_id,
        paid.payee, paid.payee_can_be_paid, paid.payee_misses
"""  # noqa: S608 - a constant

_NOTE: Final = """
    noted AS (
        UPDATE provider_calls AS one SET
            provider_id = coalesce({provider_id}, one.provider_id), is_over = one.is_over OR {is_over}
        FROM mine
        WHERE one.contract_id = mine.contract_id AND one.order_id = mine.id AND one.step = {step} AND one.attempt = {attempt}
    )"""

_GO_ON: Final = f"""
    WITH mine AS MATERIALIZED (
        SELECT contract_id, id, (state, is_stuck) = ($9, $10) AS is_as_claimed
        FROM payment_orders WHERE contract_id = $12 AND id = $1 AND lease_token = $2 FOR UPDATE
    ), {_NOTE.format(step="$3", attempt="$4", provider_id="$5", is_over="$6")}, begun AS (
        INSERT INTO provider_calls (contract_id, order_id, step, attempt, provider)
        SELECT contract_id, id, $7, $8, $11 FROM mine
        WHERE $7::text IS NOT NULL AND is_as_claimed
        ON CONFLICT DO NOTHING RETURNING order_id
    )
    SELECT id, EXISTS (SELECT FROM begun) AS has_begun FROM mine
"""  # noqa: S608 - numbers of parameters

# A person's word and the payment that follows from it stand side by side in the log.
_SAID_TO_BE_PAID: Final = """
    WITH told AS (
        SELECT sequence, type, body::json->'data'->>'outcome' AS outcome FROM events
        WHERE stream_id = $1 AND type IN ('order.resolved', 'payout.paid', 'refund.paid')
            AND body::json->'data'->>'orderId' = $2
    ), paid AS (SELECT max(sequence) AS sequence FROM told WHERE type <> 'order.resolved')
    SELECT count(*) AS times FROM told, paid
    WHERE type = 'order.resolved' AND outcome = $3 AND told.sequence >= paid.sequence - 1
        AND EXISTS (SELECT FROM told AS word WHERE word.type = 'order.resolved' AND word.sequence = paid.sequence - 1)
"""

_WHAT_MOVED: Final = """
    SELECT source_id FROM provider_movements
    WHERE contract_id = $2 AND order_id = $1 AND kind = $3 AND source_id IS NOT NULL GROUP BY source_id ORDER BY min(at)
"""

_EXPLAIN: Final = """
    UPDATE payment_orders SET explanation = $3 WHERE contract_id = $4 AND id = $1 AND lease_token = $2 RETURNING id
"""

_HAND_BACK: Final = f"""
    WITH mine AS (
        UPDATE payment_orders SET
            due_at = now() + CASE WHEN $11 AND NOT is_stuck OR due_at <> $12 THEN 0 ELSE $3::float8 END * interval '1 second',
            last_error = $4, explanation = CASE WHEN $6 THEN explanation END,
            next_action = CASE WHEN $5 THEN next_action END, lease_token = NULL
        WHERE contract_id = $13 AND id = $1 AND lease_token = $2
        RETURNING contract_id, id
    ), {_NOTE.format(step="$7", attempt="$8", provider_id="$9", is_over="$10")}
    SELECT id FROM mine
"""  # noqa: S608 - numbers of parameters
