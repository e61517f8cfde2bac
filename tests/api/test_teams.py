"""Agencies and teams where people disagree: who of a team may do what, whom events name, and what ends with a membership."""

from __future__ import annotations

from typing import Any

import pytest

from escrow.access import Actor, Scope
from tests.api.client import PARTY_SCOPES, Caller, People, with_key
from tests.factories import Deal

DECIDES = (Scope.CONTRACTS_READ, Scope.DISPUTES_DECIDE)


async def joins(
    people: People, whose: Actor, role: str, *, scopes: tuple[Scope, ...] = PARTY_SCOPES
) -> tuple[str, Caller]:
    """A new member of an account, with a key of their own; gives the member's id, too."""
    given = {"accountId": whose.account_id, "person": f"{role.lower()}@example.com", "name": role.title(), "role": role}
    member = (await people.operator.done("addMember", given, "member { id }"))["member"]["id"]
    return member, await with_key(people.client.http, whose, people.deployment.operator, scopes, member_id=member)


def evidence(dispute_id: str) -> dict[str, Any]:
    return {"disputeId": dispute_id, "text": "See for yourself"}


async def codes(who: Caller, mutation: str, given: dict[str, Any]) -> list[str]:
    return [error["code"] for error in (await who.do(mutation, given, "__typename"))["userErrors"]]


@pytest.fixture
async def deal(people: People) -> Deal:
    return await people.deployment.fund("250.00", "100.00")


async def test_a_member_adds_evidence_and_posts_updates_in_their_own_name_and_decides_nothing(
    people: People, deal: Deal
) -> None:
    dispute_id = await deal.open_dispute()
    member_id, member = await joins(people, people.deployment.freelancer, "MEMBER")
    await member.done("addEvidence", evidence(dispute_id), "dispute { id }")
    await member.done("postUpdate", {"contractId": deal.id, "message": "Half way"}, "update { number }")
    events = f'{{ contract(id: "{deal.id}") {{ timeline(first: 100) {{ nodes {{ type actor {{ accountId memberId }} }} }} }} }}'
    *_, proof, update = (await people.client.ask(events))["contract"]["timeline"]["nodes"]
    assert [proof["type"], update["type"]] == ["dispute.evidence_added", "update.posted"]
    for event in (proof, update):
        assert event["actor"] == {"accountId": people.freelancer.account_id, "memberId": member_id}
    for mutation, given in (
        ("rejectClaim", {"disputeId": dispute_id}),
        ("acceptClaim", {"disputeId": dispute_id}),
        ("offerSettlement", {"disputeId": dispute_id, "toFreelancer": {"amount": "1.00", "currency": "USD"}}),
        ("giveRefund", {"milestoneId": deal.milestone()}),
        ("endContract", {"contractId": deal.id}),
        ("setPayouts", {"contractId": deal.id, "automatic": True}),
    ):
        assert await codes(member, mutation, given) == ["FORBIDDEN"], mutation
    _, viewer = await joins(people, people.deployment.client, "VIEWER")
    assert await codes(viewer, "addEvidence", evidence(dispute_id)) == ["FORBIDDEN"]
    _, manager = await joins(people, people.deployment.freelancer, "MANAGER")
    assert await codes(manager, "setPayouts", {"contractId": deal.id, "automatic": True}) == ["FORBIDDEN"]
    await manager.done("rejectClaim", {"disputeId": dispute_id}, "dispute { state }")


async def test_removing_a_member_ends_their_keys_at_once(people: People, deal: Deal) -> None:
    dispute_id = await deal.open_dispute()
    member_id, member = await joins(people, people.deployment.freelancer, "MEMBER")
    await people.operator.done("removeMember", {"memberId": member_id}, "account { id }")
    (error,) = (await member.post("{ viewer { accountId } }")).json()["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    answer = await member.post(
        f'mutation {{ addEvidence(input: {{disputeId: "{dispute_id}", text: "x"}}) {{ __typename }} }}'
    )
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_of_a_mediators_team_managers_decide(people: People, deal: Deal) -> None:
    dispute_id = await deal.mediate()
    decision = {"disputeId": dispute_id, "toFreelancer": {"amount": "1.00", "currency": "USD"}, "reason": "So"}
    _, member = await joins(people, people.deployment.mediator, "MEMBER", scopes=DECIDES)
    assert await codes(member, "decideDispute", decision) == ["FORBIDDEN"]
    manager_id, manager = await joins(people, people.deployment.mediator, "MANAGER", scopes=DECIDES)
    lacking = await with_key(
        people.client.http, people.deployment.mediator, people.deployment.operator, PARTY_SCOPES, member_id=manager_id
    )
    assert await codes(lacking, "decideDispute", decision) == ["FORBIDDEN"]
    decided = await manager.done("decideDispute", decision, "dispute { state }")
    assert decided["dispute"]["state"] == "RESOLVED"


async def test_a_mediators_key_can_be_limited_to_one_disputed_contract(people: People, deal: Deal) -> None:
    other = await people.deployment.fund("30.00")
    await deal.mediate()
    await other.open_dispute(claim="1.00")
    limited = await with_key(
        people.client.http, people.deployment.mediator, people.deployment.operator, DECIDES, contract_ids=(deal.id,)
    )
    found = await limited.ask("{ contracts { nodes { id client { name } } } disputes { nodes { contractId } } }")
    assert [one["id"] for one in found["contracts"]["nodes"]] == [deal.id]
    assert [one["contractId"] for one in found["disputes"]["nodes"]] == [deal.id]
    assert (await limited.ask(f'{{ contract(id: "{other.id}") {{ id }} }}'))["contract"] is None


async def test_a_disabled_mediator_decides_no_more(people: People, deal: Deal) -> None:
    dispute_id = await deal.mediate()
    judge = await with_key(people.client.http, people.deployment.mediator, people.deployment.operator, DECIDES)
    await people.operator.done("disableAccount", {"accountId": people.mediator.account_id}, "account { id }")
    decision = {"disputeId": dispute_id, "toFreelancer": {"amount": "1.00", "currency": "USD"}, "reason": "So"}
    assert await codes(judge, "decideDispute", decision) == ["FORBIDDEN"]
    await people.operator.done("enableAccount", {"accountId": people.mediator.account_id}, "account { id }")
    await judge.done("decideDispute", decision, "dispute { state }")


async def test_a_disabled_party_gets_and_gives_no_bonus_but_refunds_and_disputes_go_on(
    people: People, deal: Deal
) -> None:
    await people.operator.done("disableAccount", {"accountId": people.freelancer.account_id}, "account { id }")
    bonus = {"milestoneId": deal.milestone(), "bonus": {"amount": "5.00", "currency": "USD"}}
    assert await codes(people.client, "approveMilestone", bonus) == ["INVALID_STATE"]
    assert (await deal.states())[0] == "ACTIVE"
    asked = await people.client.done("requestRefund", {"milestoneId": deal.milestone()}, "refundRequest { id }")
    await people.freelancer.done(
        "declineRefund", {"refundId": asked["refundRequest"]["id"], "reason": "No"}, "dispute { id }"
    )
    assert await codes(people.client, "fundMilestone", {"milestoneId": deal.milestone(2)}) == ["INVALID_STATE"]


async def test_nobody_joins_both_sides_of_a_contract(people: People, deal: Deal) -> None:
    person = {"person": "eve@example.com", "name": "Eve", "role": "MEMBER"}
    await people.operator.done("addMember", person | {"accountId": people.client.account_id}, "member { id }")
    (code,) = await codes(people.operator, "addMember", person | {"accountId": people.freelancer.account_id})
    assert code == "SAME_PARTY"
