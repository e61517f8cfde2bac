"""What money an event moves: debit one ledger account, credit another, the same amount. The table of section 6 as code.

Ledger accounts are named by what they belong to: a milestone's ``escrow:`` and held client ``fee:``, a contract's two
``payable:`` and its ``transit:``, and the platform's ``clearing:``, ``fees:`` and ``chargeback:`` of a currency, which are
never stored as balances. Legs of zero are not written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from escrow.access import Side
from escrow.agreement import events
from escrow.money import Money


@dataclass(frozen=True, slots=True)
class Posting:
    """One leg: ``amount`` leaves ``debit`` and arrives at ``credit``."""

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


PLATFORM_PREFIXES: Final = ("clearing:", "fees:", "chargeback:")
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


def _released(contract_id: str, event: events.MilestoneReleased) -> Iterator[Posting]:
    escrow, revenue = escrow_of(event.milestone_id), platform_fees(event.amount.currency)
    net = Money(event.amount.minor - event.freelancer_fee.minor, event.amount.currency)
    yield Posting(escrow, payable_to(contract_id, Side.FREELANCER), net)
    yield Posting(escrow, revenue, event.freelancer_fee)
    yield Posting(held_fee_of(event.milestone_id), revenue, event.client_fee)


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
        yield Posting(in_transit(contract_id), payable_to(contract_id, side), event.amount)

    return rule


_RULES: Final[dict[type[events.Event], Callable[[str, Any], Iterator[Posting]]]] = {
    events.MilestoneFunded: _funded,
    events.MilestoneReleased: _released,
    events.DepositReturned: _deposit_returned,
    events.PayoutStarted: _payout_started,
    events.RefundPaid: _paid(Side.CLIENT),
    events.PayoutPaid: _paid(Side.FREELANCER),
    events.RefundFailed: _failed(Side.CLIENT),
    events.PayoutFailed: _failed(Side.FREELANCER),
}
