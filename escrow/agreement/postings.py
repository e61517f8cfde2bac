"""Says which transfers an event makes: debit one ledger account, credit another, the same amount.

Ledger accounts are named by what they belong to: a milestone's `escrow:` and held client `fee:`, a contract's two
`payable:` and its `transit:`, and the platform's `clearing:`, `fees:` and `chargeback:` of a currency, which are
never stored as balances; so are its `provider_fees:` and `exchange:`. Legs of zero are not written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from escrow.access import Side
from escrow.agreement import events
from escrow.money import Money
from escrow.states import ReversalOutcome


@dataclass(frozen=True, slots=True)
class Posting:
    """One leg: `amount` leaves `debit` and arrives at `credit`."""

    debit: str
    credit: str
    amount: Money


def escrow_of(milestone_id: str) -> str:
    """What is held for a milestone."""
    return f"escrow:{milestone_id}"


def held_fee_of(milestone_id: str) -> str:
    """The client's fee that lies beside what is held."""
    return f"fee:{milestone_id}"


def payable_to(contract_id: str, side: Side) -> str:
    """What is owed to one party of a contract."""
    return f"payable:{contract_id}:{side.value.lower()}"


def in_transit(contract_id: str) -> str:
    """What the provider was asked to pay out or to send back."""
    return f"transit:{contract_id}"


def clearing(currency: str) -> str:
    """The provider's account: money comes in and goes out through it."""
    return f"clearing:{currency}"


def platform_fees(currency: str) -> str:
    """The operator's revenue."""
    return f"fees:{currency}"


def chargebacks(currency: str) -> str:
    """What the operator lost to reversals and double successes."""
    return f"chargeback:{currency}"


def provider_fees(currency: str) -> str:
    """What the provider took for itself: the operator's cost."""
    return f"provider_fees:{currency}"


def exchange(currency: str) -> str:
    """What the provider changed into this currency, less what it changed out of it."""
    return f"exchange:{currency}"


PLATFORM_PREFIXES: Final = ("clearing:", "fees:", "chargeback:", "provider_fees:", "exchange:")
"""Accounts that every contract shares: sums over transfers, never a row that every transaction fights for."""


def is_stored(account: str) -> bool:
    """Whether the account belongs to one contract, has a stored balance, and may not be negative."""
    return not account.startswith(PLATFORM_PREFIXES)


def postings(contract_id: str, event: events.Event) -> tuple[Posting, ...]:
    """The transfers that this event causes, in order; most events move nothing."""
    rule = _RULES.get(type(event))
    if rule is None:
        return ()
    return tuple(posting for posting in rule(contract_id, event) if posting.amount.minor)


def _funded(contract_id: str, event: events.MilestoneFunded) -> Iterator[Posting]:
    source = clearing(event.amount.currency)
    yield Posting(source, escrow_of(event.milestone_id), event.amount)
    yield Posting(source, held_fee_of(event.milestone_id), event.fee)


def _released(contract_id: str, event: events.MilestoneReleased | events.MilestonePartlyReleased) -> Iterator[Posting]:
    yield from _paid_to_freelancer(
        contract_id, event.milestone_id, event.amount, event.freelancer_fee, earned=event.client_fee
    )


def _paid_to_freelancer(
    contract_id: str, milestone_id: str, amount: Money, freelancer_fee: Money, *, earned: Money
) -> Iterator[Posting]:
    escrow, revenue = escrow_of(milestone_id), platform_fees(amount.currency)
    net = Money(amount.minor - freelancer_fee.minor, amount.currency)
    yield Posting(escrow, payable_to(contract_id, Side.FREELANCER), net)
    yield Posting(escrow, revenue, freelancer_fee)
    yield Posting(held_fee_of(milestone_id), revenue, earned)


def _back_to_client(
    contract_id: str, milestone_id: str, amount: Money, client_fee: Money, returns: Iterable[events.Return]
) -> Iterator[Posting]:
    """A refund is the client's at once; the orders that send it back are written with it."""
    payable = payable_to(contract_id, Side.CLIENT)
    yield Posting(escrow_of(milestone_id), payable, amount)
    yield Posting(held_fee_of(milestone_id), payable, client_fee)
    for one in returns:
        yield Posting(payable, in_transit(contract_id), one.amount)


def _refunded(contract_id: str, event: events.MilestoneRefunded | events.MilestoneUnfunded) -> Iterator[Posting]:
    yield from _back_to_client(contract_id, event.milestone_id, event.amount, event.client_fee, event.returns)
    chargeback = chargebacks(event.amount.currency)
    if event.lost is not None:
        yield Posting(escrow_of(event.milestone_id), chargeback, event.lost)
    if event.lost_fee is not None:
        yield Posting(held_fee_of(event.milestone_id), chargeback, event.lost_fee)


def _partly_refunded(contract_id: str, event: events.MilestonePartlyRefunded) -> Iterator[Posting]:
    yield from _back_to_client(contract_id, event.milestone_id, event.amount, event.client_fee, event.returns)


def _settled(contract_id: str, event: events.MilestoneSettled) -> Iterator[Posting]:
    yield from _back_to_client(contract_id, event.milestone_id, event.refunded, event.refunded_fee, event.returns)
    yield from _paid_to_freelancer(
        contract_id, event.milestone_id, event.released, event.freelancer_fee, earned=event.client_fee
    )


def _rolled_forward(contract_id: str, event: events.MilestoneRolledForward) -> Iterator[Posting]:
    yield Posting(escrow_of(event.milestone_id), escrow_of(event.to_milestone_id), event.amount)
    yield Posting(held_fee_of(event.milestone_id), held_fee_of(event.to_milestone_id), event.fee)


def _bonus_paid(contract_id: str, event: events.BonusPaid) -> Iterator[Posting]:
    yield Posting(clearing(event.amount.currency), payable_to(contract_id, Side.FREELANCER), event.amount)


def _reversed(contract_id: str, event: events.DepositReversed) -> Iterator[Posting]:
    yield Posting(chargebacks(event.amount.currency), clearing(event.amount.currency), event.amount)


def _reversal_resolved(contract_id: str, event: events.DepositReversalResolved) -> Iterator[Posting]:
    """Before what came again had an event of its own, what was won came with this one."""
    if event.outcome is ReversalOutcome.WON and event.outstanding is None:
        yield from _reinstated(contract_id, event)


def _reinstated(
    contract_id: str, event: events.DepositReinstated | events.DepositReversalResolved
) -> Iterator[Posting]:
    currency, payable = event.amount.currency, payable_to(contract_id, Side.CLIENT)
    yield Posting(clearing(currency), chargebacks(currency), event.amount)
    if event.to_client is not None:
        yield Posting(chargebacks(currency), payable, event.to_client)
        yield Posting(payable, in_transit(contract_id), event.to_client)


def _deposit_returned(contract_id: str, event: events.DepositReturned) -> Iterator[Posting]:
    payable = payable_to(contract_id, Side.CLIENT)
    yield Posting(clearing(event.amount.currency), payable, event.amount)
    yield Posting(payable, in_transit(contract_id), event.amount)


def _payout_started(contract_id: str, event: events.PayoutStarted) -> Iterator[Posting]:
    yield Posting(payable_to(contract_id, Side.FREELANCER), in_transit(contract_id), event.amount)


def _paid(side: Side) -> Callable[[str, Any], Iterator[Posting]]:
    def rule(contract_id: str, event: events.RefundPaid | events.PayoutPaid) -> Iterator[Posting]:
        currency = event.amount.currency
        if not event.after_failure:
            yield Posting(in_transit(contract_id), clearing(currency), event.amount)
            return
        covered = Money(event.amount.minor - event.shortfall.minor, currency)
        yield Posting(payable_to(contract_id, side), clearing(currency), covered)
        yield Posting(chargebacks(currency), clearing(currency), event.shortfall)

    return rule


def _failed(side: Side) -> Callable[[str, Any], Iterator[Posting]]:
    def rule(contract_id: str, event: events.RefundFailed | events.PayoutFailed) -> Iterator[Posting]:
        source = clearing(event.amount.currency) if event.after_payment else in_transit(contract_id)
        yield Posting(source, payable_to(contract_id, side), event.amount)

    return rule


def _refund_overtaken(contract_id: str, event: events.RefundOvertaken) -> Iterator[Posting]:
    payable, transit = payable_to(contract_id, Side.CLIENT), in_transit(contract_id)
    yield Posting(payable if event.after_failure else transit, chargebacks(event.amount.currency), event.amount)
    if event.after_failure and event.rest is not None:
        yield Posting(payable, transit, event.rest)


def _cost_booked(contract_id: str, event: events.CostBooked) -> Iterator[Posting]:
    if event.fee is not None:
        costs, at_provider = provider_fees(event.fee.currency), clearing(event.fee.currency)
        sides = (at_provider, costs) if event.is_fee_returned else (costs, at_provider)
        yield Posting(*sides, event.fee)
    if event.given is not None and event.got is not None:
        yield Posting(exchange(event.given.currency), clearing(event.given.currency), event.given)
        yield Posting(clearing(event.got.currency), exchange(event.got.currency), event.got)


_RULES: Final[dict[type[events.Event], Callable[[str, Any], Iterator[Posting]]]] = {
    events.MilestoneFunded: _funded,
    events.MilestoneReleased: _released,
    events.MilestonePartlyReleased: _released,
    events.MilestoneRolledForward: _rolled_forward,
    events.MilestoneRefunded: _refunded,
    events.MilestoneUnfunded: _refunded,
    events.MilestonePartlyRefunded: _partly_refunded,
    events.MilestoneSettled: _settled,
    events.BonusPaid: _bonus_paid,
    events.DepositReversed: _reversed,
    events.DepositReinstated: _reinstated,
    events.DepositReversalResolved: _reversal_resolved,
    events.DepositReturned: _deposit_returned,
    events.CostBooked: _cost_booked,
    events.PayoutStarted: _payout_started,
    events.RefundPaid: _paid(Side.CLIENT),
    events.PayoutPaid: _paid(Side.FREELANCER),
    events.RefundFailed: _failed(Side.CLIENT),
    events.RefundOvertaken: _refund_overtaken,
    events.PayoutFailed: _failed(Side.FREELANCER),
}
