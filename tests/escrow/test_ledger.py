"""The ledger: what events move, what balances follow, and how a broken law of the books is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import pytest

from escrow import ledger
from escrow.agreement.state import Contract, Milestone
from escrow.ledger import Transfer
from escrow.states import MilestoneState
from escrow.store.read import Subject, load
from tests.factories import Deal, Deployment

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
IN, OUT = "clearing:USD", "payable:ctr_1:freelancer"


def leg(debit: str, credit: str, minor: int, currency: str = "USD") -> Transfer:
    return Transfer("evt_1", debit, credit, minor, currency, NOON)


def test_balances_are_credits_less_debits_by_account_and_currency() -> None:
    moved = [leg(IN, "escrow:mil_1", 100), leg("escrow:mil_1", OUT, 40), leg(IN, "escrow:mil_1", 7, "JPY")]
    assert ledger.balances(moved) == {
        (IN, "USD"): -100,
        (IN, "JPY"): -7,
        ("escrow:mil_1", "USD"): 60,
        ("escrow:mil_1", "JPY"): 7,
        (OUT, "USD"): 40,
    }


async def real() -> tuple[Deal, Contract, list[Transfer]]:
    """A contract whose first milestone was released and whose second is under way, with its transfers."""
    there = await Deployment.make()
    deal = await there.fund("250.00", "500.00")
    funded = list((await deal.approve()).recorded)
    released = ledger.transfers(deal.id, funded)
    confirmed = (await deal.confirm(await deal.fund(2))).recorded
    contract = (await load(Subject(contract_id=deal.id))).state
    assert contract is not None
    first = [leg(IN, f"escrow:{deal.milestone()}", 25_000), leg(IN, f"fee:{deal.milestone()}", 625)]
    return deal, contract, [*first, *released, *ledger.transfers(deal.id, confirmed)]


@pytest.mark.usefixtures("database")
async def test_books_that_commands_wrote_break_no_law() -> None:
    _, contract, moved = await real()
    assert list(ledger.faults(contract, moved)) == []


@pytest.mark.usefixtures("database")
async def test_each_broken_law_is_named() -> None:
    _deal, contract, moved = await real()
    first, second = contract.milestones
    escrow, other = f"escrow:{first.id}", f"escrow:{second.id}"

    def told(legs: list[Transfer], *milestones: Milestone) -> str:
        changed = {milestone.id: milestone for milestone in milestones}
        plan = tuple(changed.get(milestone.id, milestone) for milestone in contract.milestones)
        return "\n".join(ledger.faults(replace(contract, milestones=plan), [*moved, *legs]))

    assert "is negative" in told([leg(escrow, OUT, 1)])
    assert "each unit leaves once" in told([leg(IN, escrow, 5), leg(escrow, OUT, 5)])
    assert "a closed milestone holds nothing" in told([leg(IN, escrow, 5)])
    assert "the books say 50001" in told([leg(IN, other, 1)])
    assert "must hold exactly its amount" in told([leg(IN, other, 1)], replace(second, held_minor=50_001))
    assert "it holds nothing yet" in told([], replace(second, state=MilestoneState.PLANNED))
    assert "one milestone at most" in told([], replace(first, state=MilestoneState.ACTIVE))
    assert "the first that is not closed" in told([], replace(first, state=MilestoneState.PLANNED))


@pytest.mark.usefixtures("database")
async def test_the_platforms_balances_are_sums_over_its_transfers() -> None:
    there = await Deployment.make(client_bps=250, freelancer_bps=1000)
    deal = await there.fund("250.00")
    await deal.approve()
    assert await ledger.platform_balances() == {("clearing:USD", "USD"): -25_625, ("fees:USD", "USD"): 625 + 2_500}
