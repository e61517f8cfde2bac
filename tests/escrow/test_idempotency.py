"""Repeating a command safely: one key, one effect, and the answer of the first time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

import escrow
from escrow import database, ids
from escrow.access import CLOCK, Role, Scope
from escrow.agreement import commands as c
from escrow.errors import Forbidden, IdempotencyKeyReused, InvalidInput, NotFound
from escrow.idempotency import idempotency, retry_on_conflict
from escrow.ids import Kind
from escrow.pipeline import run
from escrow.states import MilestoneState
from tests.escrow.cases import everything, refused
from tests.factories import Deployment

pytestmark = pytest.mark.usefixtures("database")


async def test_a_repetition_answers_with_the_first_result_as_it_is_now() -> None:
    there = await Deployment.make()
    deal = await there.activate()
    key = idempotency("fund-1", operation="fundMilestone", given={"milestone": deal.milestone()})

    def fund() -> c.Fund:
        return c.Fund(milestone_id=deal.milestone(), deposit_id=ids.new(Kind.DEPOSIT), order_id=ids.new(Kind.ORDER))

    first = await run(fund(), by=there.client, idempotency=key)
    await run(c.CancelFunding(milestone_id=deal.milestone()), by=there.client)
    before = await everything()
    with database.counting() as statements:
        again = await run(fund(), by=there.client, idempotency=key)
    assert len(statements) == 1
    assert await everything() == before
    assert (again.replayed, again.recorded) == (True, ())
    assert again.result == first.result
    assert again.result.keys() == {"contract_id", "milestone_id", "deposit_id", "order_id"}
    assert again.contract.milestones[0].state is MilestoneState.PLANNED


async def test_a_repeated_proposal_answers_with_the_contract_that_the_first_one_made() -> None:
    there = await Deployment.make()
    key = idempotency("new", operation="proposeContract", given={})
    first = await run(there.proposal(), by=there.client, idempotency=key)
    again = await run(there.proposal(), by=there.client, idempotency=key)
    assert again.contract == replace(first.contract)
    assert again.result == first.result
    assert await database.fetch_value("SELECT count(*) FROM contracts") == 1


async def test_a_key_with_another_input_is_refused() -> None:
    there = await Deployment.make()
    deal = await there.activate()
    await run(
        c.MoveMilestone(milestone_id=deal.milestone(), position=2),
        by=there.client,
        idempotency=idempotency("move", operation="moveMilestone", given={"position": 2}),
    )
    other = idempotency("move", operation="moveMilestone", given={"position": 1})
    await refused(
        c.MoveMilestone(milestone_id=deal.milestone(), position=1), there.client, IdempotencyKeyReused, key=other
    )


async def test_keys_belong_to_an_account() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    key = idempotency("same", operation="x", given={})
    await run(deal.submission(), by=there.freelancer, idempotency=key)
    outcome = await run(c.Approve(milestone_id=deal.milestone()), by=there.client, idempotency=key)
    assert not outcome.replayed
    with pytest.raises(ValueError, match="account"):
        await run(c.ApplyDeadlines(contract_id=deal.id), by=CLOCK, idempotency=key)


async def test_a_command_that_changes_nothing_keeps_its_key() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    await deal.approve()
    key = idempotency("late", operation="approveMilestone", given={})
    outcomes = [await run(c.Approve(milestone_id=deal.milestone()), by=there.client, idempotency=key) for _ in range(2)]
    assert [outcome.replayed for outcome in outcomes] == [False, True]
    assert await database.fetch_value("SELECT count(*) FROM idempotency_keys") == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
def test_a_key_that_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        idempotency(key, operation="x", given={})
    assert caught.value.field == "idempotencyKey"


async def test_a_repetition_is_answered_only_to_those_who_might_have_given_the_command() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    key = idempotency("once", operation="approve", given={})
    approve = c.Approve(milestone_id=deal.milestone())
    await run(approve, by=there.client, idempotency=key)
    viewer = replace(there.client, role=Role.VIEWER)
    reader = replace(there.client, scopes=frozenset({Scope.CONTRACTS_READ}))
    elsewhere = replace(there.client, contract_ids=frozenset({ids.new(Kind.CONTRACT)}))
    await refused(approve, viewer, Forbidden, key=key)
    await refused(approve, reader, Forbidden, key=key)
    await refused(approve, elsewhere, NotFound, key=key)
    with database.counting() as statements:
        again = await run(approve, by=replace(there.client, role=Role.MANAGER), idempotency=key)
    assert (again.replayed, len(statements)) == (True, 1)


async def test_what_happened_since_is_no_reason_to_refuse_a_repetition() -> None:
    there = await Deployment.make()
    deal = await there.activate()
    key = idempotency("once", operation="fund", given={})
    fund = c.Fund(
        milestone_id=deal.milestone(),
        deposit_id=ids.new(Kind.DEPOSIT),
        order_id=ids.new(Kind.ORDER),
        payment_token="tok_visa",
    )
    await run(fund, by=there.client, idempotency=key)
    await database.execute("UPDATE accounts SET disabled_at = now() WHERE id = $1", there.client.account_id)
    assert (await run(fund, by=there.client, idempotency=key)).replayed


async def test_a_limited_key_that_repeats_a_proposal_is_forbidden_to_propose() -> None:
    there = await Deployment.make()
    key = idempotency("once", operation="propose", given={})
    first = await run(there.proposal(), by=there.client, idempotency=key)
    for contract_id in (first.contract.id, ids.new(Kind.CONTRACT)):
        limited = replace(there.client, contract_ids=frozenset({contract_id}))
        refusal = await refused(there.proposal(), limited, Forbidden, key=key)
        assert "ctr_" not in refusal.message


async def test_what_conflicts_is_read_and_decided_again_and_any_other_fault_is_raised() -> None:
    faults = ["idempotency_keys_pkey", "a_name", "idempotency_keys_pkey"]

    @retry_on_conflict("a_name")
    async def attempt(left: list[str]) -> int:
        if left:
            error = asyncpg.UniqueViolationError("taken")
            error.constraint_name = left.pop()
            raise error
        return 1

    assert await attempt(faults) == 1
    with pytest.raises(asyncpg.UniqueViolationError):
        await attempt(["contracts_pkey"])


def test_keys_are_read_and_stored_by_the_statements_of_one_module() -> None:
    root = Path(escrow.__file__).parents[1]
    sources = [
        path
        for room in ("escrow", "webhooks", "connectors", "schema", "api", "workers")
        for path in (root / room).rglob("*.py")
    ]
    said = {
        path.name
        for path in sources
        if not {"migrations", "models", "audit"} & {*path.parts}
        if any(f"{word} idempotency_keys" in path.read_text() for word in ("INTO", "JOIN", "FROM"))
    }
    assert said == {"idempotency.py"}
