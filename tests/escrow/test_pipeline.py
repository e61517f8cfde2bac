"""`pipeline.run` on a real database: what it costs, what it stores, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from escrow import database, ids
from escrow.access import PROVIDER, AccountType, ActorKind
from escrow.agreement import commands as c
from escrow.agreement import step
from escrow.agreement.deadlines import Deadline, deadlines
from escrow.agreement.state import Contract, Fees
from escrow.bell import Topic
from escrow.errors import (
    DomainError,
    Forbidden,
    InvalidInput,
    InvalidState,
    MilestoneLocked,
    NotFound,
    StaleChangeRequest,
    VersionConflict,
)
from escrow.idempotency import idempotency
from escrow.ids import Kind
from escrow.log import UnknownEvent
from escrow.money import Money
from escrow.pipeline import run
from escrow.states import DepositState, OrderState, RefundState
from escrow.store import read, write
from escrow.store.read import Subject, load
from tests.escrow.cases import CASES, Case, everything, refused
from tests.factories import Deployment, advance_clock, advance_past_deadlines, draft, party, usd

pytestmark = pytest.mark.usefixtures("database")

READ, WRITE = "SELECT contract.id", "WITH contract AS ("


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
async def test_every_command_takes_two_round_trips(case: Case) -> None:
    command, by = await case.prepare(await Deployment.make())
    with database.counting() as statements:
        outcome = await run(command, by=by)
    if by.kind is ActorKind.OPERATOR:  # whose acts are noted before and after
        assert "operator_acts" in statements.pop(0)
        assert "operator_act_ends" in statements.pop()
    assert [statement.strip()[: len(READ)] for statement in statements[:1]] == [READ]
    assert [statement[: len(WRITE)] for statement in statements[1:]] == [WRITE]
    assert tuple(event.type for event in outcome.recorded) == case.events


async def test_the_clocks_of_a_contract_are_looked_through_once_as_it_was_and_once_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deal = await (await Deployment.make()).fund("250.00")
    looked: list[Contract] = []

    def noting(state: Contract) -> tuple[Deadline, ...]:
        looked.append(state)
        return deadlines(state)

    monkeypatch.setattr(step, "deadlines", noting)
    monkeypatch.setattr(write, "deadlines", noting)
    outcome = await deal.submit()
    before, after = looked
    assert before != after == outcome.contract
    await advance_past_deadlines()  # an approval by silence, and clocks that ran before it stop
    with pytest.raises(InvalidState):
        await deal.request_changes()
    now = (await load(Subject(contract_id=deal.id))).state
    assert now is not None
    kept = await database.fetch_value("SELECT count(*) FROM deadlines WHERE contract_id = $1", deal.id)
    assert kept == len(deadlines(now)) < len(deadlines(after))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
async def test_the_answer_is_what_the_next_command_loads(case: Case) -> None:
    command, by = await case.prepare(await Deployment.make())
    outcome = await run(command, by=by)
    after = outcome.contract
    loaded = (await load(Subject(contract_id=after.id))).state
    assert loaded is not None
    assert loaded.milestones == after.milestones
    assert loaded.deposits == {
        one.id: one for one in after.deposits.values() if one.state is DepositState.STARTED or one.is_argued_about
    }
    assert loaded.orders == {one.id: one for one in after.orders.values() if one.state is OrderState.STARTED}
    assert loaded.refunds == {one.id: one for one in after.refunds.values() if one.state is RefundState.OPEN}
    assert loaded.disputes == {one.id: one for one in after.disputes.values() if one.is_undecided}
    assert loaded.open_change_requests == tuple(loaded.change_requests.values()) == after.open_change_requests
    assert loaded.balances == {account: balance for account, balance in after.balances.items() if balance}
    assert _alone(loaded) == _alone(after)


def _alone(contract: Contract) -> Contract:
    return replace(
        contract,
        former={}, deposits={}, orders={}, balances={}, submissions={}, refunds={}, disputes={}, change_requests={},
        evidence={}, updates={}, costs={},
    )  # fmt: skip


async def test_named_objects_are_loaded_although_they_are_closed() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    await deal.approve()
    order_id = await deal.pay_out()
    await deal.confirm_order(order_id)
    (deposit_id,) = deal.deposits
    for subject in (
        Subject(contract_id=deal.id, deposit_id=deposit_id, order_id=order_id),
        Subject(deposit_id=deposit_id, order_id=order_id),
        Subject(order_id=order_id, deposit_id=deposit_id),
        Subject(milestone_id=deal.milestone(2), order_id=order_id, deposit_id=deposit_id),
    ):
        contract = (await load(subject)).state
        assert contract is not None
        assert (contract.id, set(contract.deposits), set(contract.orders)) == (deal.id, {deposit_id}, {order_id})
    revised = await there.propose("1.00")
    await run(c.Revise(contract_id=revised.id, terms=c.Terms(), plan=(draft(),)), by=there.freelancer)
    former = (await load(Subject(milestone_id=revised.milestone()))).state
    assert former is not None
    assert set(former.former) == {revised.milestone()}


async def test_a_change_request_about_a_milestone_of_an_earlier_revision_finds_it_locked() -> None:
    there = await Deployment.make()
    deal = await there.propose("1.00", "2.00")
    revision = c.Revise(contract_id=deal.id, terms=c.Terms(), plan=(draft(),))
    await run(revision, by=there.freelancer)
    await run(c.Accept(contract_id=deal.id, revision=2), by=there.client)
    for milestone_id, refusal in (
        (deal.milestone(1), MilestoneLocked),
        (ids.new(Kind.MILESTONE), NotFound),
        ("x", NotFound),
    ):
        await refused(deal.filing(c.RemoveChange(milestone_id=milestone_id)), there.freelancer, refusal)


async def test_surroundings_are_those_of_the_database() -> None:
    there = await Deployment.make(client_bps=250, freelancer_bps=1000)
    deal = await there.propose()
    around = (await load(Subject(contract_id=deal.id))).around
    assert around.client is not None
    assert around.freelancer is not None
    assert around.fees == Fees(250, 1000)
    assert (around.client.account_id, around.client.type) == (there.client.account_id, AccountType.COMPANY)
    assert (around.share_member, around.disputes_can_be_decided, around.freelancer.disabled) == (False, True, False)
    await database.execute("UPDATE accounts SET is_mediator = false; UPDATE accounts SET disabled_at = now()")
    for account_id in (there.client.account_id, there.freelancer.account_id):
        await database.execute(
            "INSERT INTO members VALUES ($1, $2, 'ana@example.com', 'Ana', 'OWNER', now())",
            ids.new(Kind.MEMBER),
            account_id,
        )
    around = (await load(Subject(contract_id=deal.id))).around
    assert around.freelancer is not None
    assert (around.share_member, around.disputes_can_be_decided, around.freelancer.disabled) == (True, False, True)


async def test_time_is_the_databases_and_the_test_clocks_and_never_goes_back() -> None:
    there = await Deployment.make()
    deal = await there.propose()
    real = await database.fetch_value("SELECT clock_timestamp()")
    await advance_clock(days=3)
    later = (await load(Subject(contract_id=deal.id))).around.now
    assert timedelta(days=3) <= later - real < timedelta(days=3, minutes=1)
    ahead = later + timedelta(days=30)
    await database.execute("UPDATE contracts SET last_event_at = $1", ahead)
    assert (await load(Subject(contract_id=deal.id))).around.now == ahead


async def test_what_somebody_may_not_see_is_not_found() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    limited = replace(there.client, contract_ids=frozenset({ids.new(Kind.CONTRACT)}))
    approve = c.Approve(milestone_id=deal.milestone())
    for stranger in (party(ids.new(Kind.ACCOUNT)), there.mediator, limited):
        assert (await refused(approve, stranger, NotFound)).field == "milestoneId"
        assert (await refused(c.Decline(contract_id=deal.id), stranger, NotFound)).field == "contractId"
    await refused(c.Approve(milestone_id=ids.new(Kind.MILESTONE)), there.client, NotFound)
    await refused(c.Accept(contract_id="nonsense", revision=1), there.client, NotFound)
    await refused(c.ConfirmOrder(contract_id=deal.id, order_id="nonsense"), PROVIDER, NotFound)


@pytest.mark.parametrize("nonsense", ["", "nonsense", "\0", "\ud800", "mil_" + "z" * 26, "x" * 10_000])
async def test_identifiers_that_nothing_can_have_are_not_found(nonsense: str) -> None:
    there = await Deployment.make()
    deal = await there.fund()
    report = c.ConfirmDeposit(contract_id=deal.id, deposit_id=nonsense, amount=Money(1, "USD"))
    await refused(c.Approve(milestone_id=nonsense), there.client, NotFound)
    await refused(c.Decline(contract_id=nonsense), there.client, NotFound)
    await refused(report, PROVIDER, NotFound)
    await refused(replace(report, contract_id=nonsense), PROVIDER, NotFound)
    await refused(replace(there.proposal(), freelancer_id=nonsense), there.client, DomainError)


async def test_refused_commands_write_nothing_and_keep_no_key() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    key = idempotency("once", operation="approve", given={})
    await refused(c.Approve(milestone_id=deal.milestone()), there.freelancer, Forbidden, key=key)
    await refused(c.Approve(milestone_id=deal.milestone(2)), there.client, InvalidState, key=key)
    edit = c.EditMilestone(milestone_id=deal.milestone(2), amount=usd("1.001"))
    await refused(edit, there.client, InvalidInput, key=key)
    await refused(replace(edit, amount=None, expected_version=99), there.client, VersionConflict, key=key)


async def test_a_refused_command_may_be_tried_again_with_its_key() -> None:
    there = await Deployment.make()
    deal = await there.activate()
    key = idempotency("once", operation="approve", given={})
    await refused(c.Approve(milestone_id=deal.milestone()), there.client, InvalidState, key=key)
    await deal.confirm(await deal.fund())
    outcome = await run(c.Approve(milestone_id=deal.milestone()), by=there.client, idempotency=key)
    assert not outcome.replayed


async def test_a_deadline_that_was_due_stands_although_the_command_is_refused() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    await deal.submit()
    await advance_past_deadlines()
    with pytest.raises(InvalidState):
        await deal.request_changes()
    assert (await deal.types())[-1] == "milestone.released"
    assert await deal.states() == ["RELEASED", "PLANNED"]


async def test_a_change_request_that_is_found_stale_stays_so_although_the_acceptance_is_refused() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    request_id = await deal.file()
    await run(c.RemoveMilestone(milestone_id=deal.milestone(2)), by=there.client)
    accept = c.AcceptChangeRequest(change_request_id=request_id)
    key = idempotency("once", operation="accept", given={})
    with pytest.raises(StaleChangeRequest) as refusal:
        await run(accept, by=there.client, idempotency=key)
    assert (refusal.value.details["changeNumber"], refusal.value.details["code"]) == (1, "MILESTONE_LOCKED")
    assert (await deal.types())[-2:] == ["milestone.removed", "change_request.stale"]
    assert await database.fetch_value("SELECT state FROM change_requests WHERE id = $1", request_id) == "STALE"
    await refused(accept, there.client, InvalidState, key=key)


async def test_a_deadline_that_was_due_waits_if_the_command_is_forbidden() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    await deal.submit()
    await advance_past_deadlines()
    await refused(c.RequestChanges(milestone_id=deal.milestone(), note="No"), there.freelancer, Forbidden)


async def test_what_changes_nothing_writes_nothing() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    await deal.approve()
    before = await everything()
    with database.counting() as statements:
        outcome = await deal.approve()
    assert (len(statements), outcome.recorded) == (1, ())
    assert await everything() == before


async def test_a_log_that_a_later_release_wrote_is_left_alone() -> None:
    there = await Deployment.make()
    deal, other = await there.fund(), await there.fund()
    await database.execute("INSERT INTO event_types VALUES ('milestone.invented', 1)")
    await database.execute("UPDATE deployment SET vocabulary = 'another'")
    await deal.submit()
    await database.execute(
        "INSERT INTO events SELECT $2, stream_id, sequence + 1, 'milestone.invented', 1, now(), body, hash, hash "
        "FROM events WHERE stream_id = $1 ORDER BY sequence DESC LIMIT 1",
        deal.id,
        ids.new(Kind.EVENT),
    )
    before = await everything()
    with pytest.raises(UnknownEvent):
        await deal.approve()
    assert await everything() == before
    await other.approve()


async def test_milestones_swap_places_in_one_statement() -> None:
    there = await Deployment.make()
    deal = await there.activate("1.00", "2.00", "3.00", "4.00")
    outcome = await run(c.MoveMilestone(milestone_id=deal.milestone(4), position=1), by=there.client)
    assert [one.id for one in outcome.contract.milestones] == [deal.milestone(n) for n in (4, 1, 2, 3)]
    await run(c.AddMilestone(contract_id=deal.id, milestone=draft(), position=1), by=there.client)
    rows = await database.fetch("SELECT id, position FROM milestones ORDER BY position")
    assert [row["position"] for row in rows] == [1, 2, 3, 4, 5]


async def test_a_command_that_books_twice_to_one_account_adds_both() -> None:
    there = await Deployment.make(client_bps=250, freelancer_bps=1000)
    deal = await there.fund("250.00")
    await deal.approve()
    (deposit_id,) = deal.deposits
    await deal.confirm(deposit_id, Money(300, "USD"))
    rows = await database.fetch("SELECT split_part(account, ':', 1) AS kind, balance_minor FROM balances")
    assert sorted(tuple(row) for row in rows) == [("escrow", 0), ("fee", 0), ("payable", 22_500), ("transit", 300)]


async def test_a_worker_keeps_its_columns_when_a_command_changes_an_order() -> None:
    there = await Deployment.make()
    deal = await there.activate()
    deposit_id = await deal.fund()
    await database.execute(
        "UPDATE payment_orders SET lease_token = 'mine', attempts = 3, next_action = 'sealed', due_at = now()"
    )
    columns = "lease_token, attempts, due_at, created_at"
    before = await database.fetch(f"SELECT {columns} FROM payment_orders")
    await deal.confirm(deposit_id)
    assert await database.fetch(f"SELECT {columns} FROM payment_orders") == before
    assert await database.fetch_value("SELECT state FROM payment_orders") == "PAID"


def test_the_statements_are_short_enough_for_the_drivers_cache() -> None:
    tables = tuple(write._TABLES)
    shapes = [
        write.Shape(tables, is_new=True, has_key=True),
        write.Shape(tables, has_key=True),
        write.Shape(tables, is_one=False),
    ]
    statements = (*read._LOADS.values(), *map(write.statement_for, shapes))
    assert max(len(statement) for statement in statements) < 15 * 1024


async def test_the_bell_rings_for_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[tuple[Topic, ...]] = []

    async def ring(*topics: Topic) -> None:
        rung.append(topics)

    monkeypatch.setattr("escrow.bell.ring", ring)
    there = await Deployment.make()
    deal = await there.activate()
    rung.clear()
    await deal.fund()
    await run(c.MoveMilestone(milestone_id=deal.milestone(2), position=2), by=there.client)
    await refused(c.Approve(milestone_id=deal.milestone()), there.client, InvalidState)
    assert rung == [(Topic.PENDING, Topic.ORDERS, Topic.DEADLINES)]
