"""Keeps the ledger: transfers that events cause, balances that follow from them, and the laws that the books obey.

Which ledger accounts there are and what an event moves stands in `escrow.agreement.postings`; here is what becomes of it.
The laws are those of docs/law.md, section 6, as far as one contract can keep or break them; `escrow.audit` looks at
the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from escrow import database
from escrow.agreement.postings import escrow_of, held_fee_of, is_stored, postings
from escrow.agreement.state import Contract, Milestone
from escrow.agreement.state.holdings import totals
from escrow.log import Sealed
from escrow.states import CLOSED, HELD, MilestoneState

Account = tuple[str, str]
"""A ledger account's code and a currency: `("escrow:mil_…", "USD")`."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One leg that an event caused, as it is stored for ever."""

    event_id: str
    debit: str
    credit: str
    amount_minor: int
    currency: str
    occurred_at: datetime

    def row(self) -> dict[str, object]:
        """Its columns."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def transfers(contract_id: str, events: Iterable[Sealed]) -> list[Transfer]:
    """What these events move, in order."""
    return [
        Transfer(
            event.id,
            posting.debit,
            posting.credit,
            posting.amount.minor,
            posting.amount.currency,
            event.recorded.at,
        )
        for event in events
        for posting in postings(contract_id, event.recorded.event)
    ]


def balances(moved: Iterable[Transfer]) -> dict[Account, int]:
    """Credits minus debits of each ledger account, the platform's included, in minor units."""
    sums: dict[Account, int] = {}
    for leg in moved:
        for account, change in ((leg.debit, -leg.amount_minor), (leg.credit, leg.amount_minor)):
            key = (account, leg.currency)
            sums[key] = sums.get(key, 0) + change
    return sums


def faults(contract: Contract, moved: Iterable[Transfer]) -> Iterator[str]:
    """Every law of the books that the contract breaks after these transfers, as one line each."""
    legs = list(moved)
    sums = balances(legs)
    taken: dict[str, int] = {}
    for leg in legs:
        taken[leg.debit] = taken.get(leg.debit, 0) + leg.amount_minor
    for account, balance in sorted(sums.items()):
        if is_stored(account[0]) and balance < 0:
            yield f"{account[0]} has {balance} {account[1]}: no escrow, fee, payable or transit is negative"
    for milestone in (*contract.milestones, *contract.former.values()):
        yield from _milestone_faults(milestone, contract.currency, sums)
        out = taken.get(escrow_of(milestone.id), 0)
        told = milestone.released_minor + milestone.refunded_minor + milestone.rolled_minor + milestone.lost_minor
        if out != told:
            ways = "released, refunded, rolled forward or lost"
            yield f"{milestone.id}: {out} left its escrow, {told} was {ways}; each unit leaves once"
    under_way = [milestone for milestone in contract.milestones if milestone.state in _UNDER_WAY]
    if under_way and (len(under_way) > 1 or under_way[0] is not contract.current):
        names = ", ".join(milestone.id for milestone in under_way)
        yield f"{names}: one milestone at most is under way, and it is the first that is not closed"


_UNDER_WAY = HELD - {MilestoneState.FUNDED}


def _milestone_faults(milestone: Milestone, currency: str, sums: Mapping[Account, int]) -> Iterator[str]:
    held = sums.get((escrow_of(milestone.id), currency), 0)
    fee = sums.get((held_fee_of(milestone.id), currency), 0)
    where = f"{milestone.id} is {milestone.state}"
    if held != milestone.held_minor or fee != milestone.held_fee_minor:
        said = f"{milestone.held_minor} and a fee of {milestone.held_fee_minor}"
        yield f"{where} and says that it holds {said}; the books say {held} and {fee}"
    if totals(milestone.lots) != (milestone.held_minor, milestone.held_fee_minor):
        yield f"{where} and says of which deposits its money is, but not of as much as it holds"
    if milestone.state in HELD and held != milestone.amount_minor:
        yield f"{where}: it must hold exactly its amount {milestone.amount_minor}, not {held}"
    if milestone.state not in HELD and (held or fee):
        law = "a closed milestone holds nothing" if milestone.state in CLOSED else "it holds nothing yet"
        yield f"{where} with {held} and a fee of {fee}: {law}"


async def platform_balances() -> dict[Account, int]:
    """What the operator's accounts hold (clearing, fees, chargebacks, costs): sums over all transfers, in minor units."""
    rows = await database.fetch(PLATFORM_SQL)
    return {(row["account"], row["currency"]): int(row["balance"]) for row in rows}


PLATFORM_SQL = """
SELECT account, currency, sum(change) AS balance FROM (
    SELECT credit AS account, currency, amount_minor AS change FROM transfers
    UNION ALL SELECT debit, currency, -amount_minor FROM transfers
) AS leg
WHERE account ~ '^(clearing|fees|chargeback|provider_fees|exchange):' GROUP BY account, currency ORDER BY account, currency
"""
