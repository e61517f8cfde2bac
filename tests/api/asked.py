"""For every mutation of the schema something that somebody may ask, and the same said differently."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from escrow import cursors, database
from escrow.access import Scope
from tests.api.client import PARTY_SCOPES, Caller, People, with_key
from tests.api.test_disputes import usd
from tests.api.test_journey import proposal
from tests.api.test_orders import stuck
from tests.api.test_references import row

Given = tuple[Caller, dict[str, Any]]
Case = Callable[[People], Awaitable[Given]]


async def propose(people: People) -> Given:
    return people.client, proposal(people, "10.00")


async def revise(people: People) -> Given:
    deal = await people.deployment.propose("10.00")
    plan = proposal(people, "11.00")["milestones"]
    return people.freelancer, {"contractId": deal.id, "milestones": plan}


async def accept(people: People) -> Given:
    return people.freelancer, {"contractId": (await people.deployment.propose("10.00")).id, "revision": 1}


async def decline(people: People) -> Given:
    return people.freelancer, {"contractId": (await people.deployment.propose("10.00")).id}


async def withdraw(people: People) -> Given:
    return people.client, {"contractId": (await people.deployment.propose("10.00")).id}


async def add_milestone(people: People) -> Given:
    deal = await people.deployment.activate("10.00")
    return people.client, {"contractId": deal.id, "milestone": proposal(people, "5.00")["milestones"][0]}


async def edit_milestone(people: People) -> Given:
    deal = await people.deployment.activate("10.00")
    return people.client, {"milestoneId": deal.milestone(), "title": "Another"}


async def move_milestone(people: People) -> Given:
    deal = await people.deployment.activate("10.00", "20.00")
    return people.client, {"milestoneId": deal.milestone(), "position": 2}


async def remove_milestone(people: People) -> Given:
    return people.client, {"milestoneId": (await people.deployment.activate("10.00", "20.00")).milestone()}


async def import_milestones(people: People) -> Given:
    deal = await people.deployment.activate("10.00")
    return people.client, {"contractId": deal.id, "system": "jira", "rows": [row("EA-1")]}


async def fund(people: People) -> Given:
    return people.client, {"milestoneId": (await people.deployment.activate("10.00")).milestone()}


async def cancel_funding(people: People) -> Given:
    deal = await people.deployment.activate("10.00")
    await deal.fund()
    return people.client, {"milestoneId": deal.milestone()}


async def submit(people: People) -> Given:
    return people.freelancer, {"milestoneId": (await people.deployment.fund("10.00")).milestone(), "message": "Here"}


async def approve(people: People) -> Given:
    return people.client, {"milestoneId": (await people.deployment.fund("10.00")).milestone()}


async def request_changes(people: People) -> Given:
    deal = await people.deployment.fund("10.00")
    await deal.submit()
    return people.client, {"milestoneId": deal.milestone(), "note": "Bluer"}


async def request_payout(people: People) -> Given:
    deal = await people.deployment.fund("10.00")
    await deal.approve()
    return people.freelancer, {"contractId": deal.id}


async def fund_contract(people: People) -> Given:
    return people.client, {"contractId": (await people.deployment.activate("10.00", "20.00")).id}


async def set_payouts(people: People) -> Given:
    deal = await people.deployment.fund("10.00")
    await deal.approve()
    return people.freelancer, {"contractId": deal.id, "automatic": True}


async def resolve_reversal(people: People) -> Given:
    deal = await people.deployment.fund("10.00")
    (deposit_id,) = deal.deposits
    await deal.reverse(deposit_id)
    return people.operator, {"depositId": deposit_id, "outcome": "WON"}


async def resolve_order(people: People) -> Given:
    return people.operator, {"orderId": await stuck(people), "outcome": "NEVER_HAPPENED", "message": "I asked the bank"}


async def post_update(people: People) -> Given:
    deal = await people.deployment.fund("10.00")
    return people.freelancer, {"contractId": deal.id, "milestoneId": deal.milestone(), "message": "Half way"}


async def file_changes(people: People) -> Given:
    deal = await people.deployment.fund("10.00", "20.00")
    changes = [{"edit": {"milestoneId": deal.milestone(2), "title": "Less"}}]
    return people.freelancer, {"contractId": deal.id, "changes": changes, "message": "It turned out otherwise"}


async def filed(people: People) -> dict[str, Any]:
    """A change request of the freelancer's, which waits for the client."""
    return {"changeRequestId": await (await people.deployment.fund("10.00", "20.00")).file()}


async def answer_changes(people: People) -> Given:
    return people.client, await filed(people)


async def withdraw_changes(people: People) -> Given:
    return people.freelancer, await filed(people)


async def on_held(people: People) -> dict[str, Any]:
    """A milestone that holds 10.00 for work that was handed in."""
    deal = await people.deployment.fund("10.00", "20.00")
    await deal.submit()
    return {"milestoneId": deal.milestone()}


async def request_refund(people: People) -> Given:
    return people.client, await on_held(people) | {"amount": usd("4.00"), "message": "It is late"}


async def give_refund(people: People) -> Given:
    return people.freelancer, await on_held(people) | {"amount": usd("4.00"), "message": "Sorry"}


async def withdraw_refund(people: People) -> Given:
    caller, given = await request_refund(people)
    asked = await caller.done("requestRefund", given, "refundRequest { id }")
    return caller, {"refundId": asked["refundRequest"]["id"]}


async def accept_refund(people: People) -> Given:
    return people.freelancer, (await withdraw_refund(people))[1]


async def decline_refund(people: People) -> Given:
    return people.freelancer, (await withdraw_refund(people))[1] | {"reason": "It was done in time"}


async def end(people: People) -> Given:
    return people.client, {"contractId": (await people.deployment.fund("10.00")).id}


async def withdraw_end(people: People) -> Given:
    caller, given = await end(people)
    await caller.done("endContract", given, "__typename")
    return caller, given


async def open_dispute(people: People) -> Given:
    return people.client, await on_held(people) | {"claim": usd("4.00"), "reason": "Half of it is missing"}


async def withdraw_dispute(people: People) -> Given:
    caller, given = await open_dispute(people)
    return caller, {"disputeId": (await caller.done("openDispute", given, "dispute { id }"))["dispute"]["id"]}


async def answer_claim(people: People) -> Given:
    return people.freelancer, (await withdraw_dispute(people))[1]


async def add_evidence(people: People) -> Given:
    caller, given = await answer_claim(people)
    return caller, given | {"text": "See for yourself"}


async def offer_settlement(people: People) -> Given:
    caller, given = await answer_claim(people)
    return caller, given | {"toFreelancer": usd("6.00")}


async def accept_settlement(people: People) -> Given:
    caller, given = await offer_settlement(people)
    await caller.done("offerSettlement", given, "__typename")
    return people.client, given


async def withdraw_settlement(people: People) -> Given:
    _, given = await accept_settlement(people)
    return people.freelancer, {"disputeId": given["disputeId"]}


async def decide(people: People) -> Given:
    caller, given = await answer_claim(people)
    await caller.done("rejectClaim", given, "__typename")
    return people.operator, given | {"toFreelancer": usd("3.33"), "reason": "A third was done"}


async def set_reference(people: People) -> Given:
    deal = await people.deployment.propose("10.00")
    return people.client, {"subjectId": deal.id, "system": "jira", "externalId": "EA-1"}


async def remove_reference(people: People) -> Given:
    caller, given = await set_reference(people)
    await caller.done("setExternalReference", given, "__typename")
    return caller, {"subjectId": given["subjectId"], "system": "jira"}


async def create_account(people: People) -> Given:
    return people.operator, {"name": "New", "type": "COMPANY"}


async def whole_account(people: People) -> Given:
    return people.operator, {"accountId": (await people.stranger()).account_id}


async def dismiss_mediator(people: People) -> Given:
    return people.operator, {"accountId": people.mediator.account_id}


async def add_member(people: People) -> Given:
    person = {"person": "ada@example.com", "name": "Ada", "role": "MEMBER"}
    return people.client, {"accountId": people.client.account_id} | person


async def remove_member(people: People) -> Given:
    caller, given = await add_member(people)
    return caller, {"memberId": (await caller.done("addMember", given, "member { id }"))["member"]["id"]}


async def create_key(people: People) -> Given:
    given = {"accountId": people.client.account_id, "name": "Sync", "scopes": ["CONTRACTS_READ"]}
    return people.client, given


async def revoke_key(people: People) -> Given:
    caller, given = await create_key(people)
    return caller, {"keyId": (await caller.done("createApiKey", given, "apiKey { id }"))["apiKey"]["id"]}


async def create_session(people: People) -> Given:
    return people.client, {"scopes": ["CONTRACTS_READ"]}


async def revoke_session(people: People) -> Given:
    caller, given = await create_session(people)
    return caller, {"sessionId": (await caller.done("createSession", given, "session { id }"))["session"]["id"]}


async def open_session(people: People) -> Given:
    caller, given = await create_session(people)
    link = await caller.done("createSessionLink", given, "url")
    return people.nobody, {"code": link["url"].partition("#")[2]}


async def set_fees(people: People) -> Given:
    return people.operator, {"clientBasisPoints": 1, "freelancerBasisPoints": 2}


async def create_calendar(people: People) -> Given:
    return people.client, {}


async def manager(people: People) -> Caller:
    """A program of the client's that manages webhooks, too."""
    there = people.deployment
    return await with_key(people.client.http, there.client, there.operator, (*PARTY_SCOPES, Scope.WEBHOOKS_MANAGE))


async def create_endpoint(people: People) -> Given:
    return await manager(people), {"url": "https://hooks.example.com/earnest"}


async def on_endpoint(people: People) -> Given:
    caller, given = await create_endpoint(people)
    made = await caller.done("createWebhookEndpoint", given, "webhookEndpoint { id }")
    return caller, {"endpointId": made["webhookEndpoint"]["id"]}


async def update_endpoint(people: People) -> Given:
    caller, given = await on_endpoint(people)
    return caller, given | {"description": "For the books"}


async def enable_endpoint(people: People) -> Given:
    caller, given = await on_endpoint(people)
    await caller.done("disableWebhookEndpoint", given, "__typename")
    return caller, given


async def replay_events(people: People) -> Given:
    caller, given = await on_endpoint(people)
    return caller, given | {"after": cursors.print_cursor(cursors.BEGINNING)}


async def redeliver(people: People) -> Given:
    caller, given = await on_endpoint(people)
    await caller.done("sendTestEvent", given, "delivery { id }")
    sent = await caller.done("sendTestEvent", given, "delivery { id }")
    return caller, {"deliveryId": sent["delivery"]["id"]}


async def advance_clock(people: People) -> Given:
    return people.operator, {"by": "PT1H"}


CASES: Final[dict[str, Case]] = {
    "proposeContract": propose,
    "reviseContract": revise,
    "acceptContract": accept,
    "declineContract": decline,
    "withdrawContract": withdraw,
    "addMilestone": add_milestone,
    "editMilestone": edit_milestone,
    "moveMilestone": move_milestone,
    "removeMilestone": remove_milestone,
    "importMilestones": import_milestones,
    "fundMilestone": fund,
    "cancelFunding": cancel_funding,
    "submitMilestone": submit,
    "approveMilestone": approve,
    "requestChanges": request_changes,
    "requestPayout": request_payout,
    "fundContract": fund_contract,
    "setPayouts": set_payouts,
    "resolveReversal": resolve_reversal,
    "resolveOrder": resolve_order,
    "postUpdate": post_update,
    "fileChangeRequest": file_changes,
    "acceptChangeRequest": answer_changes,
    "declineChangeRequest": answer_changes,
    "withdrawChangeRequest": withdraw_changes,
    "requestRefund": request_refund,
    "withdrawRefund": withdraw_refund,
    "acceptRefund": accept_refund,
    "declineRefund": decline_refund,
    "giveRefund": give_refund,
    "endContract": end,
    "withdrawEnd": withdraw_end,
    "openDispute": open_dispute,
    "addEvidence": add_evidence,
    "acceptClaim": answer_claim,
    "rejectClaim": answer_claim,
    "offerSettlement": offer_settlement,
    "withdrawSettlement": withdraw_settlement,
    "acceptSettlement": accept_settlement,
    "withdrawDispute": withdraw_dispute,
    "decideDispute": decide,
    "setExternalReference": set_reference,
    "removeExternalReference": remove_reference,
    "createAccount": create_account,
    "disableAccount": whole_account,
    "enableAccount": whole_account,
    "appointMediator": whole_account,
    "setRate": whole_account,
    "connectPayee": whole_account,
    "dismissMediator": dismiss_mediator,
    "addMember": add_member,
    "removeMember": remove_member,
    "createApiKey": create_key,
    "revokeApiKey": revoke_key,
    "createSession": create_session,
    "createSessionLink": create_session,
    "openSession": open_session,
    "revokeSession": revoke_session,
    "setFees": set_fees,
    "createCalendarToken": create_calendar,
    "revokeCalendarToken": create_calendar,
    "createWebhookEndpoint": create_endpoint,
    "updateWebhookEndpoint": update_endpoint,
    "enableWebhookEndpoint": enable_endpoint,
    "disableWebhookEndpoint": on_endpoint,
    "deleteWebhookEndpoint": on_endpoint,
    "rotateWebhookSecret": on_endpoint,
    "sendTestEvent": on_endpoint,
    "replayEvents": replay_events,
    "redeliver": redeliver,
    "advanceTestClock": advance_clock,
}
"""For each mutation what somebody may ask, after what it needs was made."""


FOR_ANYBODY: Final = frozenset({"openSession"})
"""Mutations that need no credentials, and so take no idempotency key: keys belong to accounts."""


async def changed(mutation: str, given: dict[str, Any]) -> dict[str, Any]:
    """Something of the input, said differently."""
    if mutation == "redeliver":
        other = "SELECT id FROM deliveries WHERE id <> $1 LIMIT 1"
        return {"deliveryId": await database.fetch_value(other, given["deliveryId"])}
    special: dict[str, dict[str, Any]] = {
        "advanceTestClock": {"by": "PT2H"},
        "createCalendarToken": {"contractIds": []},
        "revokeCalendarToken": {"everybodys": True},
        "createSession": {"lifetimeSeconds": 60},
        "createSessionLink": {"lifetimeSeconds": 60},
        "createWebhookEndpoint": {"description": "Another"},
        "rotateWebhookSecret": {"overlap": "PT1H"},
        "sendTestEvent": {"eventType": "contract.accepted"},
        "replayEvents": {"after": cursors.print_cursor(1)},
        "resolveOrder": {"message": "The bank called back"},
    }
    if mutation in special:
        return special[mutation]
    others = {
        "revision": 2,
        "position": 1,
        "clientBasisPoints": 5,
        "system": "other",
        "automatic": False,
        "outcome": "LOST",
    }
    for name, value in others.items():
        if name in given:
            return {name: value}
    for name in ("message", "note", "text", "reason", "title", "name", "description"):
        if name in given:
            return {name: "Something else"}
    (name,) = (name for name in given if name.endswith("Id"))
    return {name: given[name][:-1] + ("0" if given[name][-1] != "0" else "1")}
