"""Carries out orders to the payment provider: leases what is due, brings it forward, and reports by the domain's own commands.

What the provider says decides nothing here: a contract's own rules do, by the reports that it gets. What can't be told is left
to a person: the order is stuck, which is told by an event, a line of the log and a metric, until the operator resolves it.
Everything here runs on real time. Calls happen outside of transactions.
"""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from escrow import pipeline
from escrow.access import PROVIDER
from escrow.agreement.commands import (
    ConfirmDeposit,
    ConfirmOrder,
    EndAction,
    FailDeposit,
    FailOrder,
    MarkStuck,
    Report,
    RequireAction,
    ReverseDeposit,
)
from escrow.database import fetch
from escrow.payments import leases, lost, overtaken, payer_actions
from escrow.payments.calls import Step
from escrow.payments.flow import TRY_AGAIN_SECONDS, Uncertain, Work
from escrow.payments.leases import Call, Claimed, Learned, LeaseLost, claim
from escrow.payments.provider import Provider
from escrow.payments.results import (
    Failed,
    Found,
    Hint,
    NeedsAction,
    NotYet,
    Pending,
    Prepared,
    ProviderError,
    ReversalStage,
    Reversed,
    Succeeded,
    Unknown,
)
from escrow.states import OrderKind, OrderState, ReversalOutcome, ReversalState

__all__ = ["Claimed", "attend", "claim", "nudge", "reconcile"]

LOOK_AGAIN_SECONDS: Final = 0.5
"""The first wait for a result; each next one is twice as long, up to `LOOK_AGAIN_SECONDS_MAX`."""

LOOK_AGAIN_SECONDS_MAX: Final = 6 * 3600.0

PATIENCE: Final = timedelta(days=14)
"""What the provider doesn't do, or tell of, for so long is left to a person; what nobody waits for is looked up no more."""

REFUNDS_MAX: Final = 10
"""How many attempts at a refund may fail before it is left to a person: some hours' worth."""

TRY_AGAIN_SECONDS_MAX: Final = 3600.0
"""What can't be done yet is tried as often at least, unless a date was named: nobody tells us of a balance that was filled up."""

ACTION_SECONDS_MAX: Final = 300.0
"""How long a payer who has done their part waits at most, if no notice of it comes."""

RECONCILE_SPREAD_SECONDS: Final = 300.0
"""Orders of one reconciliation come due within this time, so that the provider isn't asked about all of them at once."""

PLACES_MAX: Final = 6
"""Of the way to an error, the innermost steps that the log tells."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """When to look at the order again."""

    again_seconds: float | None = None
    """`None`: the books know the result, and only a notice of the provider makes anybody look at the order again."""
    error: str | None = None
    """What went wrong, for whoever runs the deployment."""
    keeps_words: bool = False
    """Whether what the provider said of it holds still."""
    waits_for_payer: bool = False
    is_left: bool = False
    """Whether a person was asked just now: one who answers before the order is handed back has it looked at again at once."""


FINISHED: Final = Verdict()


async def attend(order: Claimed, provider: Provider) -> bool:
    """Bring one claimed order as far as it goes now and hand it back; whether the lease was still ours then.

    Raises nothing that the provider or the books raise: what failed is looked at again later.
    """
    work = Work(order, provider)
    try:
        verdict = await _carry_out(work)
    except LeaseLost:
        return False
    except Exception as error:  # noqa: BLE001 - whatever it was: the outcome is unknown, so it is looked up later
        verdict = await _after_error(work, error)
    return await leases.hand_back(
        order,
        verdict.again_seconds,
        learned=work.learned,
        error=verdict.error,
        keeps_words=verdict.keeps_words,
        keeps_action=verdict.waits_for_payer or verdict.error is not None,
        was_stuck=order.is_stuck or verdict.is_left,
    )


async def nudge(hints: Sequence[Hint]) -> None:
    """Have these orders looked up now, finished ones too, or once who holds them hands them back: the provider has news of
    them."""
    order_ids = [hint.order_id for hint in hints if hint.order_id is not None]
    provider_ids = [hint.provider_id for hint in hints if hint.order_id is None and hint.provider_id is not None]
    if order_ids or provider_ids:
        await fetch(_NUDGE, order_ids, provider_ids)


async def reconcile(*, held: bool = False) -> int:
    """Have every unsettled order looked up at the provider soon, however long its next turn was put off; answers how many.

    Unsettled is what the books wait for, unless it was refused for now and is called again at its own time, a refund that failed
    and is tried again, what a person looks into, and what was given up after it may have been called. With `held` also the
    deposits whose money a milestone still holds, since a reversal may have gone unheard, and those that are argued about.
    """
    return len(await fetch(_RECONCILE, held, RECONCILE_SPREAD_SECONDS))


async def _carry_out(work: Work) -> Verdict:
    if work.order.elsewhere is not None:
        return await _leave_elsewhere(work, work.order.elsewhere)
    if work.order.has_lost and work.order.wanted:
        if not work.order.calls and await lost.take_up(work.order, work.provider):
            return Verdict(0.0)
        work.is_held_up = await lost.is_held_up(work.order)
    if work.is_held_up and not work.order.calls:
        return await _report(work, NotYet(lost.WAITS))
    try:
        if (verdict := await _hold_back(work)) is not None:
            return verdict
        found = await work.carry_out()
        return await _report(work, NotYet(lost.WAITS) if _waits(work, found) else found)
    except Uncertain as uncertain:
        return await _leave_to_a_person(work, str(uncertain), uncertain.call, said=uncertain.said)


async def _hold_back(work: Work) -> Verdict | None:
    """No refund is asked for while the bank may have given the client the money, nor if it did for good. `None` if the order is
    carried out as any other."""
    order, is_held_up = work.order, work.is_held_up
    if order.taken_back is None or not order.wanted:
        return None
    work.is_held_up = True
    found = await work.carry_out() if order.calls else Unknown()
    if not _waits(work, found):
        return await _report(work, found)
    if order.taken_back is not ReversalState.LOST:
        await leases.explain(order, overtaken.WAITS)
        return Verdict(_wait(LOOK_AGAIN_SECONDS, order.attempts), error=overtaken.WAITS, keeps_words=True)
    if await overtaken.give_up(order, found):
        return FINISHED
    work.is_held_up = is_held_up
    return None


def _waits(work: Work, found: Found | NotYet) -> bool:
    """Whether another call would come now, if it weren't held up."""
    has_failed = isinstance(found, Failed) and work.order.state is OrderState.FAILED
    return work.is_held_up and (has_failed or isinstance(found, Unknown))


async def _report(work: Work, found: Found | NotYet) -> Verdict:
    order = work.order
    match found:
        case Unknown() | Prepared() | Pending():
            return await _wait_for(work, found)
        case NotYet():
            return await _put_off(work, found)
        case NeedsAction() if not order.wanted:
            return await _wait_for(work, found)
        case NeedsAction():
            return await _ask_the_payer(order, found)
        case Succeeded(amount) if order.kind is not OrderKind.DEPOSIT and amount != order.amount:
            # Only of a deposit do the books know what to do with another sum.
            return await _leave_to_a_person(work, f"paid {amount} instead of {order.amount}", None)
        case Succeeded():
            await pipeline.run(_result(order, found), by=PROVIDER)
            return FINISHED
        case Reversed():
            await _report_reversal(order, found)
            return FINISHED
        case Failed() if order.is_stuck and order.state is OrderState.FAILED and _is_used_up(work, found):
            return Verdict(keeps_words=True)  # that is what the person was told
        case Failed(reason) if order.state is OrderState.PAID and (times := await leases.said_to_be_paid(order)):
            return await _against_a_persons_word(work, reason, times)
        case Failed(reason):
            await leases.explain(order, reason)
            await pipeline.run(_result(order, found), by=PROVIDER)
            return await _after_failure(work, found)


async def _put_off(work: Work, found: NotYet) -> Verdict:
    """Until the date that was named, however far that is; without one, or where it is past, ever longer and for weeks at most."""
    order, again_seconds = work.order, _seconds_until(found.again_at)
    if again_seconds is None and _is_too_long(order, since_the_first=True):
        reason = "the provider can't do it yet, and that for weeks"
        return await _leave_to_a_person(work, reason, None, said=found.reason)
    await leases.explain(order, found.reason)
    again_seconds = again_seconds or min(_wait(TRY_AGAIN_SECONDS, order.attempts), TRY_AGAIN_SECONDS_MAX)
    return Verdict(again_seconds, error=found.reason, keeps_words=True)


async def _wait_for(work: Work, found: Found) -> Verdict:
    order = work.order
    if order.is_stuck and isinstance(found, Unknown):
        # A call that still nobody knows of is over if the person says so.
        newest = order.newest()
        work.learned = Learned(call=newest, is_over=True) if newest is not None else None
        return Verdict(keeps_words=True)
    if isinstance(found, Unknown) and (order.state is OrderState.PAID or _is_forgotten(order)):
        return FINISHED
    if _is_too_long(order):
        return await _leave_to_a_person(work, "the provider has told no result of it for weeks", None)
    if isinstance(found, Pending) and order.next_action is not None and order.deposit_id is not None:
        done = EndAction(contract_id=order.contract_id, deposit_id=order.deposit_id)
        await pipeline.run(done, by=PROVIDER)
    return Verdict(_wait(LOOK_AGAIN_SECONDS, order.attempts))


async def _ask_the_payer(order: Claimed, found: NeedsAction) -> Verdict:
    """What the payer needs is there before the event that tells of it."""
    if order.deposit_id is None:
        raise ProviderError(f"a {order.kind.value.lower()} needs no payer")
    until = await payer_actions.keep(order, found.action)
    required = RequireAction(
        contract_id=order.contract_id, deposit_id=order.deposit_id, kind=found.action.kind, until=until
    )
    await pipeline.run(required, by=PROVIDER)
    return Verdict(min(_wait(LOOK_AGAIN_SECONDS, order.attempts), ACTION_SECONDS_MAX), waits_for_payer=True)


async def _after_failure(work: Work, failed: Failed) -> Verdict:
    """A failed refund gets another attempt some time after the one that failed, and not for ever; anything else is final."""
    order = work.order
    if order.kind is not OrderKind.REFUND or not _attempt(work):
        return Verdict(keeps_words=True)
    if _is_used_up(work, failed) and order.taken_back in (None, ReversalState.LOST):
        return await _leave_to_a_person(work, "the provider doesn't refund it", None, said=failed.reason)
    return Verdict(_wait(TRY_AGAIN_SECONDS, _attempt(work)), error=failed.reason, keeps_words=True)


def _is_used_up(work: Work, failed: Failed) -> bool:
    """Whether another attempt at a refund would come to nothing else."""
    return work.order.kind is OrderKind.REFUND and (not failed.again or _attempt(work) >= REFUNDS_MAX)


def _attempt(work: Work) -> int:
    """The number of the refund's newest attempt, be it this worker's own."""
    last = work.order.last(Step.REFUND)
    return max(work.learned.call.attempt if work.learned else 0, last.attempt if last else 0)


def _is_too_long(order: Claimed, *, since_the_first: bool = False) -> bool:
    """Whether the provider has had the newest attempt at a step, or all of them since the first, for longer than anybody should
    wait without a person. Of deposits the law says when they end."""
    newest = order.newest()
    if order.kind is OrderKind.DEPOSIT or order.is_stuck or newest is None:
        return False
    seconds = order.tried_for_seconds(newest.step) if since_the_first else newest.seconds_ago
    return (order.wanted or newest.step is Step.TAKE_BACK) and seconds > PATIENCE.total_seconds()


def _is_forgotten(order: Claimed) -> bool:
    """Whether nobody waits for the order any more, and what was asked for it long ago has never turned up."""
    newest = order.newest()
    return not order.wanted and newest is not None and newest.seconds_ago > PATIENCE.total_seconds()


async def _leave_to_a_person(work: Work, reason: str, call: Call | None, *, said: str | None = None) -> Verdict:
    """Told first, then noted that the call is over: only the person's word makes anybody use another key."""
    order = work.order
    if said is not None:
        await leases.explain(order, said)
    await pipeline.run(MarkStuck(contract_id=order.contract_id, order_id=order.id, reason=reason), by=PROVIDER)
    _log.error("order left to a person", extra={"order": order.id, "contract": order.contract_id, "error": reason})
    if call is not None:
        work.learned = Learned(call=call, is_over=True)
    return Verdict(None, error=reason, keeps_words=True, is_left=True)


async def _against_a_persons_word(work: Work, reason: str, times: int) -> Verdict:
    """What a person said was paid may have been paid by hand: made payable again by the provider, it would be paid twice.
    So the person is asked once more, and holds to their word or not."""
    if work.order.is_stuck or times > 1:
        return Verdict(keeps_words=True)
    said = "a person said that it was paid, and the provider says that it failed"
    return await _leave_to_a_person(work, said, None, said=reason)


async def _leave_elsewhere(work: Work, where: str) -> Verdict:
    """What was begun at another provider, or whose money is there, is nothing to ask this one about: it knows nothing of it, and
    would move the money once more. If the other one is asked again it goes on by itself, as far as nothing was resolved."""
    order = work.order
    known = where if where != leases.UNKNOWN else "a provider that isn't known any more"
    reason = f"it belongs to {known}, and this deployment asks {order.provider}"
    if order.is_stuck:
        return Verdict(None, error=reason, keeps_words=True)
    if order.kind is OrderKind.DEPOSIT:
        if order.state in (OrderState.PAID, OrderState.FAILED):
            return FINISHED
        if where == leases.UNKNOWN and _is_forgotten(order):
            # Nobody can be asked, now or later, and nobody waits: what was taken all the same differs where it was taken.
            _log.error("a deposit that was given up is looked for no more", extra={"order": order.id, "error": reason})
            return FINISHED
        # Given up or not, and however long ago: the client may have been charged, which only the other one can tell.
        _log.error("deposit belongs to another provider", extra={"order": order.id, "error": reason})
        return Verdict(_wait(LOOK_AGAIN_SECONDS, order.attempts), error=reason, keeps_words=True)
    return await _leave_to_a_person(work, reason, None) if order.wanted else FINISHED


def _result(order: Claimed, result: Succeeded | Failed) -> Report:
    """What the books hear. Why it failed is told by whose bank it was to them alone: both sides read the log."""
    match result:
        case Succeeded(amount) if order.deposit_id is not None and order.kind is OrderKind.DEPOSIT:
            return ConfirmDeposit(contract_id=order.contract_id, deposit_id=order.deposit_id, amount=amount)
        case Failed() if order.deposit_id is not None and order.kind is OrderKind.DEPOSIT:
            return FailDeposit(contract_id=order.contract_id, deposit_id=order.deposit_id, reason="")
        case Succeeded():
            return ConfirmOrder(contract_id=order.contract_id, order_id=order.id)
        case Failed():
            return FailOrder(contract_id=order.contract_id, order_id=order.id, reason="", expected=order.state)


async def _report_reversal(order: Claimed, found: Reversed) -> None:
    """What was taken back had come before: if the books still wait for it they hear of both, in that order. Of what nobody waits
    for they hear once it is there to stay; what came and went before that is nobody's money."""
    if order.kind is not OrderKind.DEPOSIT or order.deposit_id is None:
        raise ProviderError(f"a {order.kind.value.lower()} was reversed")
    every = (*found.others, found.reversal)
    if order.wanted or any(one.stage in (ReversalStage.WON, ReversalStage.WITHDRAWN) for one in every):
        await pipeline.run(_result(order, found.charge), by=PROVIDER)
    for told in every:
        reversal = ReverseDeposit(
            contract_id=order.contract_id,
            deposit_id=order.deposit_id,
            amount=told.amount,
            reason=told.reason,
            reference=told.provider_id,
            outcome=ReversalOutcome(told.stage) if told.stage is not ReversalStage.OPEN else None,
            evidence_due_at=told.evidence_until,
        )
        deposit = (await pipeline.run(reversal, by=PROVIDER)).contract.deposits[order.deposit_id]
        if deposit.reversal is None and deposit.returned:
            # More than one sum came, and was sent back: which of them the provider means takes a person.
            raise ProviderError(f"{told.amount} was taken back of a deposit of which {deposit.returned[0]} came first")


async def _after_error(work: Work, error: Exception) -> Verdict:
    """The outcome is unknown: it is looked up later, and if it stays unknown for long a person hears of it."""
    said = _logged(work.order, error)
    later = Verdict(_wait(LOOK_AGAIN_SECONDS, work.order.attempts), error=said, keeps_words=True)
    if not _is_too_long(work.order):
        return later
    try:
        return await _leave_to_a_person(work, "the provider has told no result of it for weeks", None)
    except Exception:  # noqa: BLE001 - the books can't be asked either: that may be what was wrong in the first place
        return later


def _logged(order: Claimed, error: Exception) -> str:
    """What the log says of an error, in short."""
    # Only our own errors are known to hold no secret; of others the log gets the kind and the place, never the words.
    said = f"{type(error).__name__}: {error}" if isinstance(error, ProviderError) else type(error).__name__
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    _log.warning(
        "order not carried out, its outcome is unknown",
        extra={
            "order": order.id,
            "contract": order.contract_id,
            "attempts": order.attempts,
            "error": said,
            "where": " > ".join(places[-PLACES_MAX:]),
        },
    )
    return said


def _seconds_until(at: datetime | None) -> float | None:
    """`None` where that time is past, too: what can't be done yet all the same waits for something that nobody has told of."""
    seconds = (at - datetime.now(UTC)).total_seconds() if at is not None else 0.0
    return max(seconds, LOOK_AGAIN_SECONDS) if seconds > 0 else None


def _wait(first_seconds: float, attempts: int) -> float:
    """Twice as long for each attempt, up to `LOOK_AGAIN_SECONDS_MAX`, and ±20 % so that many don't come at once."""
    doublings = min(max(attempts, 1) - 1, 30)
    return float(min(first_seconds * 2**doublings, LOOK_AGAIN_SECONDS_MAX) * random.uniform(0.8, 1.2))


_NUDGE: Final = """
    UPDATE payment_orders SET due_at = CASE WHEN lease_token IS NULL THEN now() ELSE due_at + interval '1 microsecond' END
    WHERE id IN (
        SELECT unnest($1::text[]) UNION SELECT id FROM payment_orders WHERE known_as = ANY ($1::text[]) UNION
        SELECT order_id FROM provider_calls WHERE provider_id = ANY ($2::text[]))
"""

# What is about to be tried again keeps its time: looking sooner would call sooner, and there is nothing to look up of a refund or
# a payout whose newest call is over. What was paid lately may come back unheard, a refund for longer than a payout; since when it
# was asked for says nothing, a payout may wait for its payee for weeks.
_RECONCILE: Final = """
    UPDATE payment_orders SET due_at = now() + random() * $2::float8 * interval '1 second'
    WHERE lease_token IS NULL AND (
        (state = 'STARTED' AND (due_at IS NULL OR (due_at > now() + $2::float8 * interval '1 second'
            AND (kind = 'DEPOSIT' OR NOT coalesce((
                SELECT is_over FROM provider_calls AS call
                WHERE (call.contract_id, call.order_id) = (payment_orders.contract_id, payment_orders.id)
                ORDER BY called_at DESC LIMIT 1), false)))))
        OR (state = 'ABANDONED' AND due_at > now() + $2::float8 * interval '1 second'
            AND EXISTS (SELECT FROM provider_calls AS call
                WHERE (call.contract_id, call.order_id) = (payment_orders.contract_id, payment_orders.id)))
        OR (state = 'FAILED' AND kind = 'REFUND' AND due_at IS NULL)
        OR ($1 AND kind <> 'DEPOSIT' AND state = 'PAID' AND due_at IS NULL AND EXISTS (
            SELECT FROM provider_calls AS call
            WHERE (call.contract_id, call.order_id) = (payment_orders.contract_id, payment_orders.id)
            AND call.called_at > now() - CASE call.step WHEN 'REFUND' THEN interval '30 days' ELSE interval '14 days' END))
        OR ($1 AND kind = 'DEPOSIT' AND state = 'PAID' AND due_at IS NULL AND EXISTS (
            SELECT FROM milestones m WHERE m.contract_id = payment_orders.contract_id AND m.held_minor > 0
            AND m.lots @> jsonb_build_array(jsonb_build_object('deposit_id', payment_orders.deposit_id))))
        OR ($1 AND kind = 'DEPOSIT' AND due_at IS NULL AND EXISTS (
            SELECT FROM deposits WHERE deposits.id = payment_orders.deposit_id AND reversal IN ('OPEN', 'FORFEITED'))))
    RETURNING id
"""
