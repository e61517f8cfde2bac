"""A contract's whole life as two programs live it: through the API only, but for what the payment provider says."""

from __future__ import annotations

from typing import Any

from escrow import database
from escrow.access import PROVIDER
from escrow.agreement import commands, inputs
from escrow.agreement.state import MILESTONES_MAX
from escrow.money import Money
from escrow.pipeline import run
from tests.api.client import Caller, People
from tests.factories import advance_clock, advance_past_deadlines

ACTIONS = "allowedActions { action allowed reason { code message } }"
CONTRACT = f"""contract {{
    id state revision turn writtenBy planVersion version
    milestones {{ id position state title amount {{ amount currency }} {ACTIONS} nextDeadline {{ at action inFavourOf }} }}
    nextDeadline {{ at action inFavourOf }} {ACTIONS}
    progress {{ total closed released amount {{ amount }} amountReleased {{ amount }} }}
    currentMilestone {{ id }}
    escrow {{ held {{ amount }} released {{ amount }} refunded {{ amount }} clientFeesHeld {{ amount }} clientFees {{ amount }}
        freelancerFees {{ amount }} payable {{ client {{ amount }} freelancer {{ amount }} }} inTransit {{ amount }} }}
}}"""


FUNDED = """
    milestone { state nextDeadline { action } }
    deposit { id state charge { amount currency } parts { fee { amount } } order { kind state } }"""
SUBMITTED = """
    milestone { state reviewDueAt nextDeadline { action inFavourOf } }
    submission { number message attachments { sha256 } }"""
PAID_OUT = "contract { escrow { inTransit { amount } } } paymentOrder { kind state amount { amount } }"


def draft(title: str, amount: str, currency: str = "USD") -> dict[str, Any]:
    return {
        "title": title,
        "purpose": "So that everybody sees where it goes",
        "amount": {"amount": amount, "currency": currency},
        "dueOn": "2100-01-01",
        "deliverables": ["One page"],
    }


def proposal(people: People, *amounts: str, currency: str = "USD") -> dict[str, Any]:
    return {
        "clientId": people.client.account_id,
        "freelancerId": people.freelancer.account_id,
        "title": "A website",
        "currency": currency,
        "milestones": [draft(f"Milestone {n}", amount, currency) for n, amount in enumerate(amounts, start=1)],
    }


def allowed(node: dict[str, Any]) -> set[str]:
    return {one["action"] for one in node["allowedActions"] if one["allowed"]}


async def confirm(payload: dict[str, Any]) -> None:
    """The provider took what it was asked for."""
    charge = Money.from_wire(payload["deposit"]["charge"])
    command = commands.ConfirmDeposit(
        contract_id=payload["contract"]["id"], deposit_id=payload["deposit"]["id"], amount=charge
    )
    await run(command, by=PROVIDER)


async def contract(caller: Caller, contract_id: str) -> dict[str, Any]:
    data = await caller.ask(
        f"query ($id: ID!) {{ node(id: $id) {{ ... on Contract {CONTRACT[9:]} }} }}", {"id": contract_id}
    )
    found: dict[str, Any] = data["node"]
    return found


async def test_from_a_proposal_through_a_counter_offer_to_the_last_payout(people: People) -> None:
    client, freelancer = people.client, people.freelancer

    made = (await freelancer.done("proposeContract", proposal(people, "500.00"), CONTRACT))["contract"]
    assert (made["state"], made["revision"], made["writtenBy"], made["turn"]) == ("PROPOSED", 1, "FREELANCER", "CLIENT")
    assert made["nextDeadline"]["action"] == "contract.expired"
    assert allowed(made) == {"WITHDRAW", "POST_UPDATE", "SET_PAYOUTS"}
    assert allowed(await contract(client, made["id"])) == {
        "REVISE",
        "ACCEPT",
        "DECLINE",
        "FUND_CONTRACT",
        "POST_UPDATE",
    }

    offer = {"contractId": made["id"], "milestones": [draft("Wireframe", "100.00"), draft("Pages", "300.00")]}
    revised = (await client.done("reviseContract", offer, CONTRACT))["contract"]
    assert (revised["revision"], revised["turn"]) == (2, "FREELANCER")
    assert [one["title"] for one in revised["milestones"]] == ["Wireframe", "Pages"]
    first, second = (one["id"] for one in revised["milestones"])

    stale = await freelancer.do("acceptContract", {"contractId": made["id"], "revision": 1}, CONTRACT)
    assert [error["code"] for error in stale["userErrors"]] == ["VERSION_CONFLICT"]
    assert stale["contract"]["revision"] == 2
    active = (await freelancer.done("acceptContract", {"contractId": made["id"], "revision": 2}, CONTRACT))["contract"]
    assert (active["state"], active["turn"], active["nextDeadline"]) == ("ACTIVE", None, None)

    funding = await client.done(
        "fundMilestone",
        {"milestoneId": first, "paymentToken": "tok_visa"},
        CONTRACT + FUNDED,
    )
    assert funding["milestone"] == {"state": "FUNDING", "nextDeadline": {"action": "deposit.abandoned"}}
    assert funding["deposit"]["charge"] == {"amount": "102.50", "currency": "USD"}
    assert funding["deposit"]["order"] == {"kind": "DEPOSIT", "state": "STARTED"}
    await confirm(funding)

    now = await contract(freelancer, made["id"])
    assert now["milestones"][0]["state"] == "ACTIVE"
    assert now["currentMilestone"] == {"id": first}
    assert (now["escrow"]["held"], now["escrow"]["clientFeesHeld"]) == ({"amount": "100.00"}, {"amount": "2.50"})
    assert allowed(now["milestones"][0]) == {"SUBMIT", "GIVE_REFUND", "OPEN_DISPUTE"}

    work = {
        "milestoneId": first,
        "message": "Here it is",
        "links": ["https://example.com"],
        "attachments": [{"name": "a.pdf", "sha256": "A" * 64}],
    }
    submitted = await freelancer.done(
        "submitMilestone",
        work,
        SUBMITTED,
    )
    assert submitted["milestone"]["nextDeadline"] == {"action": "milestone.released", "inFavourOf": "FREELANCER"}
    assert submitted["submission"] == {"number": 1, "message": "Here it is", "attachments": [{"sha256": "a" * 64}]}
    back = await client.done(
        "requestChanges", {"milestoneId": first, "note": "Bluer"}, "milestone { state reviewDueAt }"
    )
    assert back["milestone"] == {"state": "CHANGES_REQUESTED", "reviewDueAt": None}
    await freelancer.done("submitMilestone", work, "milestone { submissionCount }")
    released = await client.done(
        "approveMilestone", {"milestoneId": first}, "milestone { state freelancerFee { amount } }"
    )
    assert released["milestone"] == {"state": "RELEASED", "freelancerFee": {"amount": "10.00"}}
    again = await client.done("approveMilestone", {"milestoneId": first}, "milestone { state }")
    assert again["milestone"] == {"state": "RELEASED"}

    await confirm(
        await client.done(
            "fundMilestone", {"milestoneId": second}, "contract { id } deposit { id charge { amount currency } }"
        )
    )
    done = (await client.done("approveMilestone", {"milestoneId": second}, CONTRACT))["contract"]
    assert done["state"] == "COMPLETED"
    assert done["progress"] == {
        "total": 2,
        "closed": 2,
        "released": 2,
        "amount": {"amount": "400.00"},
        "amountReleased": {"amount": "400.00"},
    }
    escrow = {name: value.get("amount", value) for name, value in done["escrow"].items()}
    assert escrow == {
        "held": "0.00",
        "released": "400.00",
        "refunded": "0.00",
        "clientFeesHeld": "0.00",
        "clientFees": "10.00",
        "freelancerFees": "40.00",
        "payable": {"client": {"amount": "0.00"}, "freelancer": {"amount": "360.00"}},
        "inTransit": "0.00",
    }

    payout = await freelancer.done("requestPayout", {"contractId": made["id"]}, PAID_OUT)
    assert payout["paymentOrder"] == {"kind": "PAYOUT", "state": "STARTED", "amount": {"amount": "360.00"}}
    assert payout["contract"]["escrow"]["inTransit"] == {"amount": "360.00"}

    record = await client.ask(
        """query ($id: ID!) { contract(id: $id) { version
            timeline(first: 100) { nodes { id type sequence hash previousHash } }
            transfers { nodes { debit credit amount { amount } eventId } }
            deposits { nodes { state } } paymentOrders { nodes { kind } }
            milestones { submissions { nodes { number } } } } }""",
        {"id": made["id"]},
    )
    events = record["contract"]["timeline"]["nodes"]
    assert [event["sequence"] for event in events] == list(range(1, record["contract"]["version"] + 1))
    assert [event["previousHash"] for event in events] == [None, *(event["hash"] for event in events[:-1])]
    assert {transfer["eventId"] for transfer in record["contract"]["transfers"]["nodes"]} <= {
        one["id"] for one in events
    }
    assert [one["state"] for one in record["contract"]["deposits"]["nodes"]] == ["CONFIRMED", "CONFIRMED"]
    assert [one["kind"] for one in record["contract"]["paymentOrders"]["nodes"]] == ["DEPOSIT", "DEPOSIT", "PAYOUT"]
    assert [len(one["submissions"]["nodes"]) for one in record["contract"]["milestones"]] == [2, 0]


async def test_the_largest_plan_that_the_limits_allow_can_be_proposed_and_answered(people: People) -> None:
    longest = draft("t" * inputs.TITLE_MAX, "10000000000000.00") | {
        "purpose": "p" * inputs.PURPOSE_MAX,
        "deliverables": ["d" * inputs.DELIVERABLE_MAX] * inputs.DELIVERABLES_MAX,
    }
    plan = [longest] * MILESTONES_MAX
    given = proposal(people) | {"description": "d" * inputs.DESCRIPTION_MAX, "milestones": plan}
    made = (await people.client.done("proposeContract", given, "contract { id }"))["contract"]
    counter = {"contractId": made["id"], "milestones": plan}
    revised = await people.freelancer.done(
        "reviseContract", counter, "contract { progress { total amount { amount } } }"
    )
    assert revised["contract"]["progress"] == {"total": 200, "amount": {"amount": "2000000000000000.00"}}


async def test_a_former_revisions_milestone_says_the_refusals_that_commands_on_it_meet(people: People) -> None:
    client, freelancer = people.client, people.freelancer
    plan = "contract { id milestones { id } }"
    made = (await client.done("proposeContract", proposal(people, "10.00"), plan))["contract"]
    counter = {"contractId": made["id"], "milestones": [draft("Other", "20.00")]}
    await freelancer.done("reviseContract", counter, plan)
    await client.done("acceptContract", {"contractId": made["id"], "revision": 2}, plan)
    former = {"milestoneId": made["milestones"][0]["id"]}
    shown = await client.ask(
        f"query ($id: ID!) {{ milestone(id: $id) {{ {ACTIONS} }} }}", {"id": former["milestoneId"]}
    )
    reasons = {one["action"]: one["reason"]["code"] for one in shown["milestone"]["allowedActions"]}
    for action, name in (
        ("FUND", "fundMilestone"),
        ("APPROVE", "approveMilestone"),
        ("REMOVE_MILESTONE", "removeMilestone"),
    ):
        (refusal,) = (await client.do(name, former, plan))["userErrors"]
        assert reasons[action] == refusal["code"] != "NOT_FOUND"


async def test_the_client_edits_the_plan_and_an_outdated_edit_is_shown_the_plan_as_it_is(people: People) -> None:
    deal = await people.deployment.activate("10.00", "20.00")
    client = people.client
    added = await client.done(
        "addMilestone",
        {
            "contractId": deal.id,
            "milestone": draft("Third", "30.00"),
            "position": 2,
            "message": "One more",
            "expectedVersion": 1,
        },
        "contract { planVersion milestones { title } } milestone { id position }",
    )
    assert [one["title"] for one in added["contract"]["milestones"]] == ["Milestone 1", "Third", "Milestone 2"]
    third = added["milestone"]["id"]
    edit = {
        "milestoneId": third,
        "title": "Quarter",
        "amount": {"amount": "25.00", "currency": "USD"},
        "expectedVersion": 1,
    }
    conflict = await client.do("editMilestone", edit, "contract { planVersion } milestone { id title }")
    assert [error["code"] for error in conflict["userErrors"]] == ["VERSION_CONFLICT"]
    assert conflict["userErrors"][0]["details"] == {"named": 1, "current": 2}
    assert conflict["contract"] == {"planVersion": 2}
    assert conflict["milestone"] == {"id": third, "title": "Third"}
    edited = await client.done(
        "editMilestone", edit | {"expectedVersion": 2}, "milestone { title amount { amount } purpose }"
    )
    assert edited["milestone"] == {
        "title": "Quarter",
        "amount": {"amount": "25.00"},
        "purpose": "So that everybody sees where it goes",
    }
    moved = await client.done(
        "moveMilestone", {"milestoneId": third, "position": 3}, "milestone { position } contract { milestones { id } }"
    )
    assert moved["milestone"] == {"position": 3}
    removed = await client.done(
        "removeMilestone", {"milestoneId": third}, "milestone { state } contract { progress { total cancelled } }"
    )
    assert removed == {
        "milestone": {"state": "CANCELLED"},
        "contract": {"progress": {"total": 2, "cancelled": 1}},
        "userErrors": [],
    }


async def test_a_proposal_is_declined_or_withdrawn(people: People) -> None:
    for mutation, caller, state in (
        ("declineContract", people.freelancer, "DECLINED"),
        ("withdrawContract", people.client, "WITHDRAWN"),
    ):
        deal = await people.deployment.propose()
        payload = await caller.done(mutation, {"contractId": deal.id}, "contract { state milestones { state } }")
        assert payload["contract"]["state"] == state
        assert {one["state"] for one in payload["contract"]["milestones"]} == {"CANCELLED"}


async def test_a_cancelled_deposit_leaves_the_milestone_planned(people: People) -> None:
    deal = await people.deployment.activate()
    await deal.fund()
    payload = await people.client.done(
        "cancelFunding", {"milestoneId": deal.milestone()}, "milestone { state depositId }"
    )
    assert payload["milestone"]["state"] == "PLANNED"


async def test_what_is_due_counts_for_allowed_actions_before_anybody_wrote_it(people: People) -> None:
    deal = await people.deployment.fund("10.00")
    await deal.submit()
    await advance_clock(days=15)
    seen = await people.client.ask(
        f"query ($id: ID!) {{ milestone(id: $id) {{ state nextDeadline {{ action }} {ACTIONS} }} }}",
        {"id": deal.milestone()},
    )
    milestone = seen["milestone"]
    assert milestone["nextDeadline"] == {"action": "milestone.released"}
    by_action = {one["action"]: one for one in milestone["allowedActions"]}
    assert not by_action["REQUEST_CHANGES"]["allowed"]
    refused = await people.client.do(
        "requestChanges", {"milestoneId": deal.milestone(), "note": "Late"}, "milestone { id }"
    )
    assert refused["userErrors"][0]["message"] == by_action["REQUEST_CHANGES"]["reason"]["message"]
    assert await deal.states() == ["RELEASED"]


async def test_a_deposit_whose_time_is_over_counts_as_abandoned_before_anybody_wrote_it(people: People) -> None:
    deal = await people.deployment.activate("10.00")
    await deal.fund()
    await advance_past_deadlines()
    shown = await contract(people.client, deal.id)
    assert allowed(shown["milestones"][0]) >= {"FUND", "EDIT_MILESTONE"}
    assert shown["milestones"][0]["state"] == "FUNDING"


async def test_the_operator_runs_accounts_members_keys_and_fees(people: People) -> None:
    operator, http = people.operator, people.nobody.http
    opened = await operator.done(
        "createAccount",
        {"name": "Studio", "type": "AGENCY", "owner": {"person": "Ada@Example.com", "name": "Ada"}},
        "account { id name type members { id person role } }",
    )
    account = opened["account"]
    assert account["members"][0]["person"] == "ada@example.com"
    made = await operator.done(
        "createApiKey",
        {"accountId": account["id"], "name": "Sync", "scopes": ["CONTRACTS_READ", "CONTRACTS_WRITE"]},
        "secret apiKey { id hint name scopes }",
    )
    studio = Caller(http, made["secret"], account["id"])
    assert made["secret"].endswith(made["apiKey"]["hint"])
    assert (await studio.ask("{ viewer { account { apiKeys { id } } } }"))["viewer"]["account"]["apiKeys"] == [
        {"id": made["apiKey"]["id"]}
    ]
    member = await operator.done(
        "addMember",
        {"accountId": account["id"], "person": "bo@example.com", "name": "Bo", "role": "MEMBER"},
        "member { id role }",
    )
    gone = await operator.done(
        "removeMember", {"memberId": member["member"]["id"]}, "member { removedAt } account { members { name } }"
    )
    assert gone["member"]["removedAt"] is not None
    assert gone["account"]["members"] == [{"name": "Ada"}]
    for mutation, field, value in (
        ("appointMediator", "isMediator", True),
        ("dismissMediator", "isMediator", False),
    ):
        changed = await operator.done(mutation, {"accountId": account["id"]}, f"account {{ {field} }}")
        assert changed["account"] == {field: value}
    disabled = await operator.done("disableAccount", {"accountId": account["id"]}, "account { disabledAt }")
    assert disabled["account"]["disabledAt"] is not None
    enabled = await operator.done("enableAccount", {"accountId": account["id"]}, "account { disabledAt }")
    assert enabled["account"]["disabledAt"] is None
    for rate in (5_000, None):
        given = {"accountId": account["id"], "pointsPerSecond": rate}
        assert (await operator.done("setRate", given, "account { pointsPerSecond }"))["account"] == {
            "pointsPerSecond": rate
        }
    fees = {"clientBasisPoints": 100, "freelancerBasisPoints": 200}
    assert (await operator.done("setFees", fees, "fees { clientBasisPoints freelancerBasisPoints }"))["fees"] == fees
    assert (await studio.ask("{ fees { clientBasisPoints freelancerBasisPoints } }"))["fees"] == fees
    refused = await studio.do("setFees", fees, "fees { clientBasisPoints }")
    assert [error["code"] for error in refused["userErrors"]] == ["FORBIDDEN"]
    timeline = await studio.ask("{ viewer { account { timeline { nodes { type } } } } }")
    assert timeline["viewer"]["account"]["timeline"]["nodes"][0] == {"type": "account.created"}


async def test_members_and_keys_of_others_are_null_and_the_other_party_is_a_name_and_a_type(people: People) -> None:
    deal = await people.deployment.propose()
    seen = await people.client.ask(
        """query ($id: ID!) { contract(id: $id) { freelancer {
            name type isMediator createdAt members { id } apiKeys { id } timeline { nodes { id } } } } }""",
        {"id": deal.id},
    )
    assert seen["contract"]["freelancer"] == {
        "name": "Zoë 工房",
        "type": "AGENCY",
        "isMediator": None,
        "createdAt": None,
        "members": None,
        "apiKeys": None,
        "timeline": None,
    }
    mine = await people.freelancer.ask("{ accounts { nodes { id } } }")
    assert mine["accounts"]["nodes"] == [{"id": people.freelancer.account_id}]
    everybody = await people.operator.ask("{ accounts(first: 2) { nodes { id } pageInfo { hasNextPage } } }")
    assert everybody["accounts"]["pageInfo"] == {"hasNextPage": True}
    assert await database.fetch_value("SELECT count(*) FROM accounts") > len(everybody["accounts"]["nodes"]) == 2
