"""What reads show to whom, asked without the door between: visibility comes before everything else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from escrow import database, ids, log, terms
from escrow.access import CLOCK, PROVIDER, Actor, ActorKind
from escrow.accounts.commands import ConnectPayee
from escrow.ids import Kind
from escrow.payments import payees
from escrow.payments.sandbox import Sandbox
from escrow.pipeline import run
from escrow.queries import contracts, deposits, milestones
from escrow.queries.deposits import DEPOSITS
from escrow.queries.events import EVENTS
from escrow.queries.orders import ORDERS
from escrow.queries.transfers import TRANSFERS
from escrow.queries.work import SUBMISSIONS
from escrow.states import ContractState, MilestoneState
from tests import plans
from tests.factories import Deal, Deployment, advance_clock, party


@pytest.fixture
async def deployment(database: str) -> Deployment:
    return await Deployment.make()


async def _seen(actor: Actor, deal: Deal) -> set[str]:
    """The identifiers of everything of the deal that the actor is shown."""
    transfers = (await TRANSFERS.pages([deal.id], "contract_id", limit=9, after=None)).get(deal.id, [])
    deposits = (await DEPOSITS.pages([deal.id], "contract_id", limit=9, after=None)).get(deal.id, [])
    orders = (await ORDERS.pages([deal.id], "contract_id", limit=9, after=None)).get(deal.id, [])
    events = (await EVENTS.pages([deal.id], "stream_id", order="sequence", limit=99, after=None)).get(deal.id, [])
    work = (await SUBMISSIONS.pages(deal.milestone_ids, "milestone_id", limit=9, after=None)).values()
    found = {
        **await contracts.contracts_by_id(actor, [deal.id]),
        **await milestones.milestones_by_id(actor, deal.milestone_ids),
        **await SUBMISSIONS.by_id(actor, [one.id for page in work for one in page]),
        **await TRANSFERS.by_id(actor, [one.id for one in transfers]),
        **await DEPOSITS.by_id(actor, [one.whole.id for one in deposits]),
        **await ORDERS.by_id(actor, [one.id for one in orders]),
        **await EVENTS.by_id(actor, [one.id for one in events]),
    }
    page = await contracts.contracts_page(actor, states=None, limit=9, after=None)
    plan = await milestones.milestones_page(actor, contract_id=None, states=None, limit=9, after=None)
    assert {view.terms.id for view in page if view.terms.id == deal.id} == {deal.id} & set(found)
    assert {view.milestone.id for view in plan} & set(deal.milestone_ids) == set(deal.milestone_ids) & set(found)
    return set(found)


async def test_parties_and_the_operator_see_everything_and_others_nothing(deployment: Deployment) -> None:
    deal = await deployment.fund("10.00", "20.00")
    await deal.submit()
    everything = await _seen(deployment.client, deal)
    kinds = {ids.kind_of(identifier) for identifier in everything}
    assert kinds == {
        Kind.CONTRACT, Kind.MILESTONE, Kind.SUBMISSION, Kind.TRANSFER, Kind.DEPOSIT, Kind.ORDER, Kind.EVENT,
    }  # fmt: skip
    assert await _seen(deployment.freelancer, deal) == everything
    assert await _seen(deployment.operator, deal) == everything
    assert await _seen(deployment.mediator, deal) == set()
    assert await _seen(party(ids.new(Kind.ACCOUNT)), deal) == set()


async def test_the_other_side_is_not_shown_what_the_client_pays_with(deployment: Deployment) -> None:
    deal = await deployment.activate()
    await deal.fund()
    page = (await EVENTS.pages([deal.id], "stream_id", order="sequence", limit=99, after=None))[deal.id]
    (started,) = (event for event in page if event.type == "deposit.started")
    by_id = (await EVENTS.by_id(deployment.freelancer, [started.id]))[started.id]
    beside = await log.texts_of([started.id])
    assert "paymentToken" in json.loads(started.body)["data"]["texts"]
    assert started.texts == by_id.texts == ()
    assert beside == {started.id: {}}


async def test_a_limited_key_sees_its_contracts_only_the_operators_too(deployment: Deployment) -> None:
    mine, other = await deployment.fund("10.00"), await deployment.fund("10.00")
    for actor in (deployment.client, deployment.operator):
        limited = replace(actor, contract_ids=frozenset({mine.id}))
        assert mine.id in await _seen(limited, mine)
        assert await _seen(limited, other) == set()


async def test_provider_and_clock_see_by_identifier_and_list_nothing(deployment: Deployment) -> None:
    deal = await deployment.propose()
    for actor in (PROVIDER, CLOCK):
        assert set(await contracts.contracts_by_id(actor, [deal.id])) == {deal.id}
        assert await contracts.contracts_page(actor, states=None, limit=9, after=None) == []


async def test_a_former_revisions_milestone_is_found_by_its_id_and_not_in_the_plan(deployment: Deployment) -> None:
    from escrow.agreement import commands
    from escrow.pipeline import run

    deal = await deployment.propose("10.00")
    proposal = deployment.proposal("11.00")
    revision = commands.Revise(contract_id=deal.id, terms=commands.Terms(), plan=proposal.plan)
    await run(revision, by=deployment.freelancer)
    former = (await milestones.milestones_by_id(deployment.client, deal.milestone_ids))[deal.milestone()]
    assert former.milestone.state is MilestoneState.CANCELLED
    plan = (await milestones.milestones_of([deal.id], owner=None))[deal.id]
    assert [milestone.id for milestone in plan] == [proposal.plan[0].id]
    page = await milestones.milestones_page(deployment.client, contract_id=deal.id, states=None, limit=9, after=None)
    assert [view.milestone.id for view in page] == [proposal.plan[0].id]


async def test_a_standing_is_what_a_command_would_decide_on(deployment: Deployment) -> None:
    deal = await deployment.fund("10.00", "20.00")
    freelancer_id = deployment.freelancer.account_id or ""
    await run(ConnectPayee(account_id=freelancer_id, provider=terms.in_force().provider), by=deployment.freelancer)
    await payees.look(Sandbox(), limit=1)
    await deal.submit()
    await advance_clock(days=15)
    standing = (await contracts.standings(deployment.client, [deal.id]))[deal.id]
    assert standing.stored.milestones[0].state is MilestoneState.SUBMITTED
    assert standing.now.milestones[0].state is MilestoneState.RELEASED
    outcome = await deal.approve()
    assert outcome.contract.milestones[0].state is MilestoneState.RELEASED
    after = (await contracts.standings(deployment.client, [deal.id]))[deal.id]
    assert after.stored.milestones == outcome.contract.milestones
    assert after.stored.state is ContractState.ACTIVE
    assert after.around.fees == outcome.around.fees
    assert after.around.client == outcome.around.client
    assert after.around.freelancer == outcome.around.freelancer
    assert after.around.freelancer is not None
    assert after.around.freelancer.can_be_paid
    assert after.around.share_member is outcome.around.share_member
    assert after.around.disputes_can_be_decided is outcome.around.disputes_can_be_decided


async def test_the_books_are_those_of_the_milestones_and_the_balances(deployment: Deployment) -> None:
    deal = await deployment.fund("10.00", "20.00")
    await deal.approve()
    await deal.confirm(await deal.fund(2))
    await deal.pay_out()
    books = (await contracts.books([deal.id]))[deal.id]
    assert (books.held_minor, books.held_fee_minor) == (2000, 50)
    assert (books.released_minor, books.refunded_minor) == (1000, 0)
    assert (books.client_fee_minor, books.freelancer_fee_minor) == (25, 100)
    assert (books.payable_to_client_minor, books.payable_to_freelancer_minor, books.in_transit_minor) == (0, 0, 900)


async def test_nothing_is_asked_of_the_database_for_what_is_no_identifier(deployment: Deployment) -> None:
    with database.counting() as statements:
        for find in (
            contracts.contracts_by_id,
            milestones.milestones_by_id,
            EVENTS.by_id,
            ORDERS.by_id,
        ):
            assert await find(deployment.client, ["", "\0", "ctr_x", "💥"]) == {}
    assert statements == []


@pytest.mark.usefixtures("database", "untouched_database")
async def test_what_was_taken_back_is_found_by_an_index_of_its_own() -> None:
    statement, *given = deposits.reversed_statement(
        Actor(ActorKind.OPERATOR, "acc_op"), limit=51, after=None, backwards=False
    )
    assert await database.fetch_value("SELECT count(*) FROM deposits") == 0
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await plans.explain(statement, *given, run=False)
    assert "deposits_reversed" in plan.indexes
