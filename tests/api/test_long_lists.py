"""Lists that have no pages: what one operation may have of them, and that long plans say what the law says of each milestone."""

from __future__ import annotations

import pytest

from escrow import database
from escrow.access import Actor, Role
from escrow.agreement import commands as c
from escrow.agreement.permit import permit
from escrow.pipeline import run
from escrow.queries.contracts import standings
from schema.engine import context
from schema.engine.limits import LISTED_MAX
from schema.error_codes import coded
from schema.types.standing import ON_MILESTONES, Outlook
from tests.api.client import People
from tests.factories import Deployment, advance_past_deadlines

PLAN_MAX = 200
ACTIONS = "allowedActions { action allowed reason { code message } }"


async def test_an_operation_that_lists_too_many_milestones_is_told_to_ask_for_fewer_contracts(people: People) -> None:
    fitting = LISTED_MAX // PLAN_MAX
    for _ in range(fitting + 1):
        await people.deployment.propose(*["1.00"] * PLAN_MAX)
    query = f"query ($first: Int!) {{ contracts(first: $first) {{ nodes {{ milestones {{ {ACTIONS} }} }} }} }}"
    (error, *_) = await people.client.errors(query, {"first": fitting + 1})
    assert error["extensions"] == coded("QUERY_TOO_COMPLEX")
    assert f"have {(fitting + 1) * PLAN_MAX} entries; at most {LISTED_MAX}" in error["message"]
    assert "fewer contracts" in error["message"]
    answer = await people.client.ask(query, {"first": fitting})
    assert [len(node["milestones"]) for node in answer["contracts"]["nodes"]] == [PLAN_MAX] * fitting
    summary = await people.client.ask("{ contracts { nodes { progress { total } currentMilestone { position } } } }")
    assert len(summary["contracts"]["nodes"]) == fitting + 1


async def test_the_same_plan_under_another_name_counts_again(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = await people.deployment.propose("1.00", "2.00", "3.00")
    monkeypatch.setattr(context, "LISTED_MAX", 5)
    twice = f'{{ contract(id: "{deal.id}") {{ milestones {{ id }} again: milestones {{ id }} }} }}'
    (error, *_) = await people.client.errors(twice)
    assert error["extensions"] == coded("QUERY_TOO_COMPLEX")
    around = "{ milestones(first: 3) { nodes { contract { milestones { id } } } } }"
    (error, *_) = await people.client.errors(around)
    assert error["extensions"] == coded("QUERY_TOO_COMPLEX")
    assert await people.client.ask("{ milestones { nodes { id } } contracts { nodes { milestones { id } } } }")


async def test_members_and_keys_count_too(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "LISTED_MAX", 3)
    (error, *_) = await people.operator.errors("{ accounts { nodes { members { id } apiKeys { id } } } }")
    assert error["extensions"] == coded("QUERY_TOO_COMPLEX")
    assert await people.client.ask("{ accounts { nodes { members { id } apiKeys { id } } } }")


async def test_each_milestone_of_a_plan_says_what_the_law_says_of_it(people: People) -> None:
    there = people.deployment
    deal = await there.fund(*["1.00"] * 6)
    await deal.approve()
    await deal.confirm(await deal.fund(2))
    await deal.submit(2)
    await _compare(there, deal.id)
    await deal.request_refund(2, amount="0.40")
    await _compare(there, deal.id)
    await run(c.WithdrawRefund(refund_id=await _open_request(deal.id)), by=deal.client)
    await _compare(there, deal.id)  # the client is barred now
    dispute_id = await deal.open_dispute(2, claim="1.00", by=deal.freelancer)
    await run(c.WithdrawDispute(dispute_id=dispute_id), by=deal.freelancer)
    await _compare(there, deal.id)  # and so is the freelancer
    await deal.request_changes(2)
    await deal.fund(3)
    await _compare(there, deal.id)
    await deal.submit(2)
    await advance_past_deadlines()
    await _compare(there, deal.id)


async def _open_request(contract_id: str) -> str:
    sql = "SELECT id FROM refund_requests WHERE contract_id = $1 AND state = 'OPEN'"
    return str(await database.fetch_value(sql, contract_id))


async def _compare(there: Deployment, contract_id: str) -> None:
    """What the API says of each milestone, against the law asked about that milestone alone."""
    standing = (await standings(there.client, [contract_id]))[contract_id]
    state = standing.now
    assert len({milestone.state for milestone in state.milestones}) > 1
    viewer = Actor(there.client.kind, there.client.account_id, role=Role.VIEWER)
    for actor in (there.client, there.freelancer, there.operator, viewer):
        outlook = Outlook(standing, actor)
        for milestone in standing.stored.milestones:
            expected = []
            for action in ON_MILESTONES:
                refusal = permit(state, action, milestone.id, actor=actor, around=standing.around)
                expected.append((action, refusal is None, refusal and (refusal.code, refusal.message)))
            found = outlook.allowed_on(milestone)
            assert [
                (one.action, one.allowed, one.reason and (one.reason.code, one.reason.message)) for one in found
            ] == expected
