"""Races on a real database: whoever wins, the outcome is one of some order, and the books and the log say the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from escrow import database, ids, log, pipeline
from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.errors import DomainError, InvalidState, MilestoneLocked, VersionConflict
from escrow.idempotency import idempotency
from escrow.ids import Kind
from escrow.pipeline import ContractOutcome, run
from escrow.store import read
from escrow.store import write as store_write
from escrow.store.stream import CONTRACTS
from tests.factories import Deal, Deployment, draft, usd
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("database")

ROUNDS = range(6)
GONE_AT_LEAST = 50


async def both(*commands: Coroutine[Any, Any, ContractOutcome]) -> list[ContractOutcome | DomainError]:
    """What came of commands that ran at once, in a random order of starting; nothing but outcomes and refusals."""
    order = random.sample(range(len(commands)), len(commands))
    found = await asyncio.gather(*(commands[place] for place in order), return_exceptions=True)
    outcomes = dict(zip(order, found, strict=True))
    assert all(isinstance(one, ContractOutcome | DomainError) for one in found), found
    return [outcomes[place] for place in range(len(commands))]  # type: ignore[misc]


async def assert_sound() -> None:
    """The audit is clean, and every connection is back."""
    while await log.sequence():
        pass
    assert [str(difference) async for difference in audit()] == []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while database.pool_use()[0]:  # noqa: ASYNC110 - of what was cut off it is tidied up behind the scenes
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("round_", ROUNDS)
async def test_approving_twice_releases_once(round_: int) -> None:
    there = await Deployment.make()
    deal = await there.fund("250.00")
    outcomes = await both(*(deal.approve() for _ in range(4)))
    assert all(isinstance(one, ContractOutcome) for one in outcomes)
    assert (await deal.types()).count("milestone.released") == 1
    paid = "SELECT sum(amount_minor) FROM transfers WHERE debit = $1"
    assert await database.fetch_value(paid, f"escrow:{deal.milestone()}") == 25_000
    await assert_sound()


@pytest.mark.parametrize("round_", ROUNDS)
async def test_approval_and_a_request_for_changes_both_find_their_order(round_: int) -> None:
    there = await Deployment.make()
    deal = await there.fund("250.00")
    await deal.submit()
    approved, changes = await both(deal.approve(), deal.request_changes())
    assert isinstance(approved, ContractOutcome)  # also after a request for changes
    assert await deal.states() == ["RELEASED"]
    types = await deal.types()
    if isinstance(changes, DomainError):
        assert isinstance(changes, InvalidState)
        assert "milestone.changes_requested" not in types
    else:
        assert types.index("milestone.changes_requested") < types.index("milestone.released")
    await assert_sound()


@pytest.mark.parametrize("round_", ROUNDS)
async def test_what_is_funded_is_what_was_agreed_when_it_was(round_: int) -> None:
    there = await Deployment.make()
    deal = await there.activate("250.00")
    edit = c.EditMilestone(milestone_id=deal.milestone(), amount=usd("100.00"))
    funded, edited = await both(_fund(deal), run(edit, by=there.client))
    assert isinstance(funded, ContractOutcome)
    charged = 25_625 if isinstance(edited, DomainError) else 10_250
    assert isinstance(edited, ContractOutcome | MilestoneLocked)
    assert await database.fetch_value("SELECT charge_minor FROM deposits") == charged
    await assert_sound()


async def _fund(deal: Deal) -> ContractOutcome:
    command = c.Fund(milestone_id=deal.milestone(), deposit_id=ids.new(Kind.DEPOSIT), order_id=ids.new(Kind.ORDER))
    return await run(command, by=deal.client)


@pytest.mark.parametrize("round_", ROUNDS)
async def test_nobody_accepts_terms_that_were_just_replaced(round_: int) -> None:
    there = await Deployment.make()
    deal = await there.propose("250.00")
    revise = c.Revise(contract_id=deal.id, terms=c.Terms(title="Other"), plan=(draft(),))
    accepted, revised = await both(deal.accept(), run(revise, by=there.freelancer))
    assert isinstance(accepted, ContractOutcome) is not isinstance(revised, ContractOutcome)
    if isinstance(accepted, DomainError):
        assert isinstance(accepted, VersionConflict | DomainError)
        assert "contract.accepted" not in await deal.types()
    else:
        assert isinstance(revised, InvalidState)
        assert "contract.revised" not in await deal.types()
    await assert_sound()


@pytest.mark.parametrize("round_", ROUNDS)
async def test_a_confirmation_and_a_cancellation_leave_no_money_without_an_owner(round_: int) -> None:
    there = await Deployment.make()
    deal = await there.activate("250.00")
    deposit_id = await deal.fund()
    cancel = c.CancelFunding(milestone_id=deal.milestone())
    confirmed, cancelled = await both(deal.confirm(deposit_id), run(cancel, by=there.client))
    assert isinstance(confirmed, ContractOutcome)
    if isinstance(cancelled, DomainError):
        assert await deal.states() == ["ACTIVE"]
    else:
        assert await deal.states() == ["PLANNED"]
        assert (await deal.types())[-1] == "deposit.returned"
    await assert_sound()


async def test_one_confirmation_that_comes_twenty_times_books_once() -> None:
    there = await Deployment.make()
    deal = await there.activate("250.00")
    deposit_id = await deal.fund()
    outcomes = await both(*(deal.confirm(deposit_id) for _ in range(20)))
    assert sum(len(one.recorded) for one in outcomes if isinstance(one, ContractOutcome)) == 3
    await assert_sound()


async def test_fifty_commands_at_once_on_one_contract_equal_some_serial_order() -> None:
    there = await Deployment.make()
    deal = await there.activate("1.00", "2.00", "3.00", "4.00", "5.00")
    chance = random.Random(3)

    def command(number: int) -> c.Command:
        milestone_id = deal.milestone(chance.randint(1, 5))
        if number % 3 == 0:
            return c.MoveMilestone(milestone_id=milestone_id, position=chance.randint(1, 5))
        if number % 3 == 1:
            return c.EditMilestone(milestone_id=milestone_id, amount=usd(f"{number + 1}.00"))
        return c.AddMilestone(contract_id=deal.id, milestone=draft(str(number), "1.00"), position=1)

    outcomes = await both(*(run(command(number), by=there.client) for number in range(50)))
    assert all(isinstance(one, ContractOutcome) for one in outcomes)
    written = sorted(
        (event.sequence, event.previous_hash, event.hash)
        for one in outcomes
        if isinstance(one, ContractOutcome)
        for event in one.recorded
    )
    assert [sequence for sequence, _, _ in written] == list(range(written[0][0], written[0][0] + len(written)))
    assert [hash_ for _, _, hash_ in written[:-1]] == [previous for _, previous, _ in written[1:]]
    rows = await database.fetch("SELECT sequence, previous_hash, hash FROM events WHERE stream_id = $1", deal.id)
    assert {tuple(row) for row in rows} >= set(written)
    await assert_sound()


async def test_many_commands_on_many_contracts_hardly_meet() -> None:
    there = await Deployment.make()
    deals = [await there.activate("1.00", "2.00") for _ in range(20)]
    moves = [c.MoveMilestone(milestone_id=deal.milestone(1), position=2) for deal in deals]
    with database.counting() as statements:
        await both(*(run(move, by=there.client) for move in moves))
    assert len(statements) == 2 * len(moves)
    await assert_sound()


async def test_one_key_from_twenty_tasks_runs_once() -> None:
    there = await Deployment.make()
    key = idempotency("new", operation="proposeContract", given={})
    outcomes = await both(*(run(there.proposal(), by=there.client, idempotency=key) for _ in range(20)))
    results = [one for one in outcomes if isinstance(one, ContractOutcome)]
    assert len(results) == 20
    assert sorted(one.replayed for one in results) == [False] + [True] * 19
    assert len({one.contract.id for one in results}) == 1
    assert await database.fetch_value("SELECT count(*) FROM contracts") == 1
    deal = await there.fund()
    key = idempotency("approve", operation="approveMilestone", given={})
    approve = c.Approve(milestone_id=deal.milestone())
    outcomes = await both(*(run(approve, by=there.client, idempotency=key) for _ in range(20)))
    assert sorted(one.replayed for one in outcomes if isinstance(one, ContractOutcome)) == [False] + [True] * 19
    await assert_sound()


async def test_one_key_with_two_inputs_at_once_runs_one_and_refuses_the_other() -> None:
    there = await Deployment.make()
    first, second = await there.activate("1.00", "2.00"), await there.activate("1.00", "2.00")
    for number in range(10):
        outcomes = await both(
            *(
                run(
                    c.MoveMilestone(milestone_id=deal.milestone(1), position=1 + (number + 1) % 2),
                    by=there.client,
                    idempotency=idempotency(f"key {number}", operation="moveMilestone", given={"contract": deal.id}),
                )
                for deal in (first, second)
            )
        )
        assert sorted(type(one).__name__ for one in outcomes) == ["ContractOutcome", "IdempotencyKeyReused"]
        moved = next(one for one in outcomes if isinstance(one, ContractOutcome))
        other = second if moved.contract.id == first.id else first
        await run(c.MoveMilestone(milestone_id=other.milestone(1), position=1 + (number + 1) % 2), by=there.client)
    await assert_sound()


async def test_cancelled_requests_leave_nothing_half_done_and_no_connection_behind() -> None:
    there = await Deployment.make()
    deals = [await there.activate("1.00", "2.00", "3.00") for _ in range(4)]
    chance = random.Random(5)
    round_ = gone = 0
    while round_ < 160 or gone < GONE_AT_LEAST:  # a quick machine is done with most of them before they are cancelled
        round_ += 1
        deal = deals[round_ % 4]
        move = c.MoveMilestone(milestone_id=deal.milestone(chance.randint(1, 3)), position=chance.randint(1, 3))
        tasks = [asyncio.create_task(run(move, by=there.client)) for _ in range(2)]
        await asyncio.sleep(chance.random() * 0.006)
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        gone += sum(isinstance(one, asyncio.CancelledError) for one in outcomes)
    if database._kept:  # what began to be written is written to its end
        await asyncio.wait(database._kept)
    await assert_sound()
    for deal in deals:
        await run(c.RemoveMilestone(milestone_id=deal.milestone(1)), by=there.client)


async def test_a_write_that_began_is_finished_and_rung_although_the_caller_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = await Deployment.make()
    deal = await there.fund("250.00")
    rung, reached = asyncio.Event(), asyncio.Event()
    write = store_write.write

    async def slow(*args: Any, **options: Any) -> bool:
        reached.set()
        await asyncio.sleep(0.05)
        written: bool = await write(*args, **options)
        return written

    async def ring(*topics: object) -> None:
        rung.set()

    monkeypatch.setattr("escrow.store.write.write", slow)
    monkeypatch.setattr("escrow.bell.ring", ring)
    task = asyncio.create_task(deal.approve())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(PATIENCE_SECONDS):
        await rung.wait()
    assert await deal.states() == ["RELEASED"]
    await assert_sound()


async def test_a_command_that_keeps_losing_takes_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await Deployment.make()
    deal = await there.activate("1.00", "2.00")
    load = read.load
    locked: list[read.Subject] = []

    async def overtaken(*args: Any, **options: Any) -> read.Loaded:
        """Somebody else changes the contract after each read that holds no lock."""
        found = await load(*args, **options)
        if not locked:
            await database.execute("UPDATE contracts SET erasures = erasures + 1")
        return found

    async def lock(subject: read.Subject) -> None:
        locked.append(subject)
        await database.fetch("SELECT FROM contracts WHERE id = $1 FOR NO KEY UPDATE", deal.id)

    monkeypatch.setattr("escrow.store.read.load", overtaken)
    monkeypatch.setattr("escrow.store.read.lock", lock)
    with database.counting() as statements:
        await run(c.MoveMilestone(milestone_id=deal.milestone(1), position=2), by=there.client)
    assert len(locked) == 1
    assert [statements[-1], statements[-5]] == ["COMMIT;", "BEGIN;"]
    assert sum(statement.startswith("WITH contract AS") for statement in statements) == CONTRACTS.races_max + 1
    monkeypatch.undo()
    assert await deal.states() == ["PLANNED", "PLANNED"]
    await assert_sound()


async def test_refused_and_replayed_commands_work_under_the_lock_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "CONTRACTS", replace(CONTRACTS, races_max=0))
    there = await Deployment.make()
    deal = await there.fund("250.00")
    with pytest.raises(InvalidState):
        await deal.request_changes()
    key = idempotency("approve", operation="approveMilestone", given={})
    approve = c.Approve(milestone_id=deal.milestone())
    outcomes = await both(*(run(approve, by=there.client, idempotency=key) for _ in range(10)))
    assert sorted(one.replayed for one in outcomes if isinstance(one, ContractOutcome)) == [False] + [True] * 9
    key = idempotency("new", operation="proposeContract", given={})
    outcomes = await both(*(run(there.proposal(), by=there.client, idempotency=key) for _ in range(10)))
    assert sorted(one.replayed for one in outcomes if isinstance(one, ContractOutcome)) == [False] + [True] * 9
    await assert_sound()
