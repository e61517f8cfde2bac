"""`preview` over HTTP: any mutation's own input, and what it would do, without a trace."""

from __future__ import annotations

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type

from escrow import database
from escrow.access import Scope
from schema.build import executable
from schema.previews import COMMANDS
from tests.api.client import People, with_key
from tests.api.test_journey import proposal
from tests.escrow.cases import everything

PREVIEW = """query ($command: CommandInput!) { preview(command: $command) {
    refusal { code message field details }
    events { type actor { kind accountId } data texts }
    transfers { event debit credit amount { amount } }
    fees {
        clientAsked { amount } clientHeld { amount } clientEarned { amount } clientReturned { amount } freelancerEarned { amount }
    }
    contract { before after ending { by } } objects { id before after }
    milestones { milestoneId title before { state hold held { amount } } after { state hold held { amount } } }
    deadlinesStarted { subject at action inFavourOf } deadlinesStopped { subject action }
} }"""


def test_the_input_has_a_member_for_every_mutation_on_contracts_with_its_own_input() -> None:
    mutation, command = executable().mutation_type, executable().type_map["CommandInput"]
    assert mutation is not None
    assert isinstance(command, GraphQLInputObjectType)
    assert len(command.fields) == len(COMMANDS)
    for name, member in command.fields.items():
        assert member.type is get_named_type(mutation.fields[name].args["input"].type), name
    elsewhere = {"AccountPayload", "MemberPayload", "ApiKeyPayload", "ExternalReferencePayload"}
    for name, field in mutation.fields.items():
        payload = get_named_type(field.type)
        assert isinstance(payload, GraphQLObjectType)
        if name not in command.fields:
            assert "contract" not in payload.fields or payload.name in elsewhere, name


async def test_an_approval_tells_what_it_would_release(people: People) -> None:
    deal = await people.deployment.fund("250.00")
    await deal.submit()
    before = await everything()
    command = {"approveMilestone": {"milestoneId": deal.milestone(), "message": "Thank you"}}
    with database.counting() as statements:
        found = (await people.client.ask(PREVIEW, {"command": command}))["preview"]
    assert len(statements) == 2  # the key, the contract
    assert await everything() == before | {"api_keys": (await everything())["api_keys"]}
    assert found["refusal"] is None
    assert [event["type"] for event in found["events"]] == ["milestone.released", "contract.completed"]
    assert found["events"][0]["actor"] == {"kind": "ACCOUNT", "accountId": people.client.account_id}
    assert found["events"][0]["texts"] == {"message": "Thank you"}
    assert found["events"][0]["data"]["amount"] == {"amount": "250.00", "currency": "USD"}
    assert [(leg["event"], leg["amount"]["amount"]) for leg in found["transfers"]] == [
        (0, "225.00"), (0, "25.00"), (0, "6.25"),
    ]  # fmt: skip
    fees = {name: fee["amount"] for name, fee in found["fees"].items()}
    assert fees == {
        "clientAsked": "0.00", "clientHeld": "0.00", "clientEarned": "6.25", "clientReturned": "0.00",
        "freelancerEarned": "25.00",
    }  # fmt: skip
    assert found["contract"] == {"before": "ACTIVE", "after": "COMPLETED", "ending": None}
    assert found["objects"] == []
    (change,) = found["milestones"]
    assert change["before"] == {"state": "SUBMITTED", "hold": "NONE", "held": {"amount": "250.00"}}
    assert change["after"] == {"state": "RELEASED", "hold": "NONE", "held": {"amount": "0.00"}}
    assert found["deadlinesStarted"] == []
    assert [clock["action"] for clock in found["deadlinesStopped"]] == ["milestone.released"]


async def test_a_proposal_can_be_looked_at_before_it_is_made(people: People) -> None:
    command = {"proposeContract": proposal(people, "10.00", "20.00")}
    found = (await people.client.ask(PREVIEW, {"command": command}))["preview"]
    assert [event["type"] for event in found["events"]] == ["contract.proposed", "milestone.added", "milestone.added"]
    assert found["contract"] == {"before": None, "after": "PROPOSED", "ending": None}
    assert [(one["before"], one["after"]["state"]) for one in found["milestones"]] == [(None, "PLANNED")] * 2
    assert [clock["action"] for clock in found["deadlinesStarted"]] == ["contract.expired"]
    assert await database.fetch_value("SELECT count(*) FROM contracts") == 0


async def test_a_quarrel_can_be_looked_at_before_it_begins(people: People) -> None:
    deal = await people.deployment.fund("250.00")
    refund_id = await deal.request_refund()
    claim = {"refundId": refund_id, "reason": "No", "claim": {"amount": "200.00", "currency": "USD"}}
    found = (await people.freelancer.ask(PREVIEW, {"command": {"declineRefund": claim}}))["preview"]
    assert found["refusal"] is None
    (change,) = found["milestones"]
    assert (change["before"]["hold"], change["after"]["hold"]) == ("REFUND_REQUEST", "DISPUTE")
    (request, dispute) = found["objects"]
    assert request == {"id": refund_id, "before": "OPEN", "after": "DECLINED"}
    assert (dispute["id"][:4], dispute["before"], dispute["after"]) == ("dsp_", None, "MEDIATION")
    assert [clock["action"] for clock in found["deadlinesStarted"]] == ["dispute.overdue"]
    assert [clock["action"] for clock in found["deadlinesStopped"]] == ["milestone.refunded"]
    ending = (await people.client.ask(PREVIEW, {"command": {"endContract": {"contractId": deal.id}}}))["preview"]
    assert ending["contract"] == {"before": "ACTIVE", "after": "ACTIVE", "ending": {"by": "CLIENT"}}


async def test_an_import_can_be_looked_at_with_the_names_that_are_known_already(people: People) -> None:
    deal = await people.deployment.activate("250.00")
    known = {"externalId": "T-1", "title": "As the tool has it"}
    name = {"subjectId": deal.milestone(), "system": "jira", "externalId": "T-1"}
    await people.client.done("setExternalReference", name, "__typename")
    new = {"externalId": "T-2", "title": "New", "purpose": "p", "dueOn": "2100-01-01",
           "amount": {"amount": "5.00", "currency": "USD"}}  # fmt: skip
    given = {"contractId": deal.id, "system": "jira", "rows": [known, new]}
    found = (await people.client.ask(PREVIEW, {"command": {"importMilestones": given}}))["preview"]
    assert found["refusal"] is None
    assert [event["type"] for event in found["events"]] == ["milestone.edited", "milestone.added"]
    assert [(one["before"] is None, one["title"]) for one in found["milestones"]] == [
        (False, known["title"]),
        (True, "New"),
    ]
    assert await deal.types() == ["contract.proposed", "milestone.added", "contract.accepted"]


async def test_a_mediator_sees_the_split_and_not_the_ways_of_the_money(people: People) -> None:
    deal = await people.deployment.fund("250.00")
    scopes = (Scope.CONTRACTS_READ, Scope.DISPUTES_DECIDE)
    whose, operator = people.deployment.mediator, people.deployment.operator
    mediator = await with_key(people.client.http, whose, operator, scopes)
    split = {"disputeId": await deal.mediate(), "toFreelancer": {"amount": "100.00", "currency": "USD"}, "reason": "So"}
    for caller, moves in ((mediator, False), (people.operator, True)):
        found = (await caller.ask(PREVIEW, {"command": {"decideDispute": split}}))["preview"]
        assert [event["type"] for event in found["events"]] == [
            "dispute.resolved",
            "milestone.settled",
            "contract.completed",
        ]
        assert (found["milestones"][0]["after"]["state"], bool(found["transfers"])) == ("SETTLED", moves)


async def test_a_payment_token_is_shown_to_nobody(people: People) -> None:
    deal = await people.deployment.activate("250.00")
    command = {"fundMilestone": {"milestoneId": deal.milestone(), "paymentToken": "tok_secret"}}
    answer = await people.client.post(PREVIEW, {"command": command})
    assert answer.json()["data"]["preview"]["fees"]["clientAsked"] == {"amount": "6.25"}
    assert "tok_secret" not in answer.text


async def test_a_refusal_is_the_commands_own(people: People) -> None:
    deal = await people.deployment.fund("250.00", "100.00")
    for given, code, field in (
        ({"approveMilestone": {"milestoneId": deal.milestone(2)}}, "INVALID_STATE", None),
        ({"approveMilestone": {"milestoneId": "nonsense"}}, "NOT_FOUND", "milestoneId"),
        ({"editMilestone": {"milestoneId": deal.milestone(2), "title": "\u200b"}}, "INVALID_INPUT", "title"),
        ({"editMilestone": {"milestoneId": deal.milestone(2), "title": " "}}, "INVALID_INPUT", "title"),
    ):
        found = (await people.client.ask(PREVIEW, {"command": given}))["preview"]
        assert (found["refusal"]["code"], found["refusal"]["field"]) == (code, field)
        assert (found["events"], found["fees"], found["contract"], found["milestones"]) == ([], None, None, [])
        ((name, one),) = given.items()
        payload = await people.client.do(name, one, "__typename")
        assert payload["userErrors"] == [found["refusal"]]


@pytest.mark.parametrize(
    "command",
    [
        {},
        {"acceptContract": None},
        {"acceptContract": {"contractId": "x", "revision": 1}, "declineContract": {"contractId": "x"}},
    ],
)
async def test_exactly_one_command_is_looked_at(people: People, command: dict[str, object]) -> None:
    (error,) = await people.client.errors(PREVIEW, {"command": command})
    assert error["extensions"]["code"] == "BAD_REQUEST"


async def test_looking_ahead_needs_a_key_that_may_read(people: People) -> None:
    deal = await people.deployment.fund("250.00")
    writer = await with_key(
        people.client.http, people.deployment.client, people.deployment.operator, (Scope.MONEY_WRITE,)
    )
    command = {"approveMilestone": {"milestoneId": deal.milestone()}}
    (error,) = await writer.errors(PREVIEW, {"command": command})
    assert error["extensions"]["code"] == "FORBIDDEN"
    reader = await with_key(
        people.client.http, people.deployment.client, people.deployment.operator, (Scope.CONTRACTS_READ,)
    )
    found = (await reader.ask(PREVIEW, {"command": command}))["preview"]
    assert found["refusal"]["code"] == "FORBIDDEN"
