"""Change requests, refunds, endings and disputes over HTTP, each by the people whom the law lets do it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from escrow import database
from escrow.access import Actor, Scope
from escrow.pipeline import run
from escrow.queries.views import Objects
from tests.api.client import People, with_key
from tests.factories import Deal, advance_clock, advance_past_deadlines

DISPUTE = """id state openedBy claim { amount } reason silencePays offers { side toFreelancer { amount } toClient { amount } }
    toFreelancer { amount } explanation nextDeadline { at action inFavourOf }
    evidence(first: 1) { nodes { side number text links attachments { name sha256 } } pageInfo { hasNextPage endCursor } }
    milestone { id state hold holdId }"""
REFUND = (
    "id state amount { amount } byEnding message answer nextDeadline { action inFavourOf } milestone { state hold }"
)
PLAN = "milestoneId position title amount { amount } dueOn deliverables"
CHANGE = f"""id state filedBy message changes {{ kind milestoneId position title amount {{ amount }} deliverables }}
    planBefore {{ {PLAN} }} planAfter {{ {PLAN} }} misfit {{ changeNumber reason {{ code }} }}"""


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def allowed(node: dict[str, Any]) -> set[str]:
    return {one["action"] for one in node["allowedActions"] if one["allowed"]}


async def test_a_change_request_shows_the_plan_before_and_after_and_is_carried_out_as_a_whole(people: People) -> None:
    deal = await people.deployment.fund("100.00", "200.00", "300.00")
    changes = [
        {"edit": {"milestoneId": deal.milestone(2), "amount": usd("150.00"), "title": "Half of it"}},
        {"remove": {"milestoneId": deal.milestone(3)}},
        {"add": {"milestone": {"title": "The rest", "purpose": "It takes longer", "amount": usd("350.00"),
                               "dueOn": "2100-05-01"}}},
        {"amend": {"milestoneId": deal.milestone(1), "dueOn": "2100-02-01"}},
    ]  # fmt: skip
    given = {"contractId": deal.id, "changes": changes, "message": "It turned out larger"}
    payload = await people.freelancer.done("fileChangeRequest", given, f"changeRequest {{ {CHANGE} }}")
    filed = payload["changeRequest"]
    assert [change["kind"] for change in filed["changes"]] == ["EDIT", "REMOVE", "ADD", "AMEND"]
    assert [one["amount"]["amount"] for one in filed["planBefore"]] == ["100.00", "200.00", "300.00"]
    assert [one["amount"]["amount"] for one in filed["planAfter"]] == ["100.00", "150.00", "300.00", "350.00"]
    assert (filed["planAfter"][0]["dueOn"], filed["planAfter"][1]["title"]) == ("2100-02-01", "Half of it")
    query = (
        f'{{ node(id: "{filed["id"]}") {{ ... on ChangeRequest {{ {CHANGE} allowedActions {{ action allowed }} }} }} }}'
    )
    seen = (await people.client.ask(query))["node"]
    assert allowed(seen) == {"ACCEPT_CHANGE_REQUEST", "DECLINE_CHANGE_REQUEST"}
    assert seen["planAfter"] == filed["planAfter"]

    accepted = await people.client.done(
        "acceptChangeRequest",
        {"changeRequestId": filed["id"]},
        f"changeRequest {{ {CHANGE} }} contract {{ milestones {{ title state }} }}",
    )
    assert accepted["changeRequest"]["state"] == "ACCEPTED"
    assert accepted["changeRequest"]["planAfter"] is None
    plan = [(one["title"], one["state"]) for one in accepted["contract"]["milestones"]]
    assert plan == [
        ("Milestone 1", "ACTIVE"),
        ("Half of it", "PLANNED"),
        ("Milestone 3", "CANCELLED"),
        ("The rest", "PLANNED"),
    ]


async def test_a_stale_change_request_says_which_operation_no_longer_fits_and_why(people: People) -> None:
    deal = await people.deployment.fund("100.00", "200.00")
    request_id = await deal.file()
    await people.client.done("removeMilestone", {"milestoneId": deal.milestone(2)}, "milestone { state }")
    listed = f'{{ contract(id: "{deal.id}") {{ changeRequests {{ nodes {{ {CHANGE} }} }} }} }}'
    (seen,) = (await people.client.ask(listed))["contract"]["changeRequests"]["nodes"]
    assert seen["planAfter"] is None
    assert seen["misfit"] == {"changeNumber": 1, "reason": {"code": "MILESTONE_LOCKED"}}
    payload = await people.client.do("acceptChangeRequest", {"changeRequestId": request_id}, "changeRequest { id }")
    (error,) = payload["userErrors"]
    assert error["code"] == "STALE_CHANGE_REQUEST"
    assert error["details"]["changeNumber"] == 1
    (seen,) = (await people.freelancer.ask(listed))["contract"]["changeRequests"]["nodes"]
    assert seen["state"] == "STALE"


async def test_a_wrong_operation_is_named_by_its_place_in_the_input(people: People) -> None:
    deal = await people.deployment.fund("100.00", "200.00")
    changes = [{"edit": {"milestoneId": deal.milestone(2), "title": "x"}}, {"add": {"milestone": {
        "title": "More", "purpose": "So", "amount": usd("0.001"), "dueOn": "2100-01-01"}}}]  # fmt: skip
    given = {"contractId": deal.id, "changes": changes, "message": "Please"}
    (error,) = (await people.freelancer.do("fileChangeRequest", given, "__typename"))["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID_INPUT", "changes.1.add.milestone.amount.amount")


async def test_a_refund_request_is_answered_by_a_dispute_that_a_mediator_decides(people: People) -> None:
    deal = await people.deployment.fund("250.00")
    await deal.submit()
    given = {"milestoneId": deal.milestone(), "amount": usd("200.00"), "message": "Half is missing"}
    asked = (await people.client.done("requestRefund", given, f"refundRequest {{ {REFUND} }}"))["refundRequest"]
    assert (asked["state"], asked["milestone"]) == ("OPEN", {"state": "SUBMITTED", "hold": "REFUND_REQUEST"})
    assert asked["nextDeadline"] == {"action": "milestone.partly_refunded", "inFavourOf": "CLIENT"}

    declined = await people.freelancer.done(
        "declineRefund", {"refundId": asked["id"], "reason": "It is all there", "claim": usd("240.00")},
        f"dispute {{ {DISPUTE} allowedActions {{ action allowed }} }} "
        f"milestone {{ hold refundRequests {{ nodes {{ {REFUND} }} }} }}",
    )  # fmt: skip
    dispute = declined["dispute"]
    assert (dispute["state"], dispute["openedBy"], dispute["claim"]["amount"]) == ("MEDIATION", "FREELANCER", "240.00")
    assert dispute["nextDeadline"]["action"] == "dispute.overdue"
    assert declined["milestone"]["hold"] == "DISPUTE"
    (request,) = declined["milestone"]["refundRequests"]["nodes"]
    assert (request["state"], request["answer"]) == ("DECLINED", "It is all there")
    assert allowed(dispute) == {"ADD_EVIDENCE", "OFFER_SETTLEMENT", "WITHDRAW_DISPUTE"}

    for who, text in ((people.client, "Page 3 is empty"), (people.freelancer, "It is not")):
        piece = {"disputeId": dispute["id"], "text": text, "links": ["https://example.com/3"],
                 "attachments": [{"name": "3.png", "sha256": "A" * 64}]}  # fmt: skip
        await who.done("addEvidence", piece, "dispute { clientEvidenceCount freelancerEvidenceCount }")
    offered = await people.client.done(
        "offerSettlement", {"disputeId": dispute["id"], "toFreelancer": usd("100.00")}, f"dispute {{ {DISPUTE} }}"
    )
    assert offered["dispute"]["offers"] == [
        {"side": "CLIENT", "toFreelancer": {"amount": "100.00"}, "toClient": {"amount": "150.00"}}
    ]

    mediator = await with_key(
        people.client.http,
        people.deployment.mediator,
        people.deployment.operator,
        (Scope.CONTRACTS_READ, Scope.DISPUTES_DECIDE),
    )
    listed = f"{{ disputes(filter: {{state: [MEDIATION]}}) {{ nodes {{ {DISPUTE} allowedActions {{ action allowed }} }} }} }}"
    (seen,) = (await mediator.ask(listed))["disputes"]["nodes"]
    assert allowed(seen) == {"DECIDE_DISPUTE"}
    evidence = seen["evidence"]
    assert [one["text"] for one in evidence["nodes"]] == ["Page 3 is empty"]
    cursor = evidence["pageInfo"]["endCursor"]
    following = f'evidence(after: "{cursor}") {{ nodes {{ side text }} pageInfo {{ hasNextPage }} }}'
    more = f'{{ node(id: "{dispute["id"]}") {{ ... on Dispute {{ {following} }} }} }}'
    rest = (await mediator.ask(more))["node"]["evidence"]
    assert rest == {"nodes": [{"side": "FREELANCER", "text": "It is not"}], "pageInfo": {"hasNextPage": False}}

    decision = {"disputeId": dispute["id"], "toFreelancer": usd("166.67"), "reason": "Two thirds were there"}
    decided = await mediator.done(
        "decideDispute",
        decision,
        f"dispute {{ {DISPUTE} }} milestone {{ state released {{ amount }} refunded {{ amount }} }}",
    )
    assert (decided["dispute"]["state"], decided["dispute"]["explanation"]) == ("RESOLVED", "Two thirds were there")
    assert decided["milestone"] == {
        "state": "SETTLED",
        "released": {"amount": "166.67"},
        "refunded": {"amount": "83.33"},
    }


async def test_mediators_see_what_is_disputed_and_nothing_else(people: People) -> None:
    quiet, deal = await people.deployment.fund("10.00"), await people.deployment.fund("250.00")
    queries = "{ contracts { nodes { id } } milestones { nodes { id } } disputes { nodes { id } } }"
    nothing: dict[str, Any] = {"nodes": []}
    assert await people.mediator.ask(queries) == {"contracts": nothing, "milestones": nothing, "disputes": nothing}
    dispute_id = await deal.open_dispute()
    await run(deal.update(1), by=deal.freelancer)
    found = await people.mediator.ask(queries)
    assert found["contracts"]["nodes"] == [{"id": deal.id}]
    assert found["milestones"]["nodes"] == [{"id": deal.milestone()}]
    assert found["disputes"]["nodes"] == [{"id": dispute_id}]
    whole = f"""{{ contract(id: "{deal.id}") {{
        title client {{ name isMediator members {{ id }} apiKeys {{ id }} timeline {{ nodes {{ id }} }} }} freelancer {{ name }}
        milestones {{ title submissions {{ nodes {{ id }} }} }} updates {{ nodes {{ message }} }} timeline {{ nodes {{ type }} }}
        deposits {{ nodes {{ id }} }} paymentOrders {{ nodes {{ id }} }} transfers {{ nodes {{ id }} }}
        allowedActions {{ action allowed reason {{ code }} }}
    }} other: contract(id: "{quiet.id}") {{ id }} }}"""
    seen = await people.mediator.ask(whole)
    assert seen["other"] is None
    contract = seen["contract"]
    assert contract["client"] == {
        "name": "Corner Shop", "isMediator": None, "members": None, "apiKeys": None, "timeline": None,
    }  # fmt: skip
    assert contract["updates"]["nodes"] == [{"message": "Half way through"}]
    assert contract["timeline"]["nodes"][-1]["type"] == "update.posted"
    assert [contract[name]["nodes"] for name in ("deposits", "paymentOrders", "transfers")] == [[], [], []]
    assert {one["reason"]["code"] for one in contract["allowedActions"]} == {"FORBIDDEN"}
    (deposit_id,) = deal.deposits
    (order_id,) = [
        row["id"] for row in await database.fetch("SELECT id FROM payment_orders WHERE contract_id = $1", deal.id)
    ]
    (transfer_id, *_) = [row["id"] for row in await database.fetch("SELECT id FROM transfers")]
    hidden = f'{{ nodes(ids: ["{deposit_id}", "{order_id}", "{transfer_id}", "{quiet.milestone()}"]) {{ id }} }}'
    assert (await people.mediator.ask(hidden))["nodes"] == [None] * 4
    payload = await people.mediator.do("approveMilestone", {"milestoneId": deal.milestone()}, "__typename")
    assert [error["code"] for error in payload["userErrors"]] == ["FORBIDDEN"]
    payload = await people.mediator.do("approveMilestone", {"milestoneId": quiet.milestone()}, "__typename")
    assert [error["code"] for error in payload["userErrors"]] == ["NOT_FOUND"]
    # What was disputed once stays visible to them.
    await people.freelancer.done("acceptClaim", {"disputeId": dispute_id}, "dispute { state }")
    assert (await people.mediator.ask(queries))["contracts"]["nodes"] == [{"id": deal.id}]
    await people.operator.done("dismissMediator", {"accountId": people.mediator.account_id}, "account { id }")
    assert (await people.mediator.ask(queries))["contracts"]["nodes"] == []


async def test_a_party_that_is_a_mediator_has_a_conflict_of_interest(people: People) -> None:
    deal = await people.deployment.fund("250.00")
    dispute_id = await deal.mediate()
    await people.operator.done("appointMediator", {"accountId": people.freelancer.account_id}, "account { id }")
    judge = await with_key(
        people.client.http, people.deployment.freelancer, people.deployment.operator,
        (Scope.CONTRACTS_READ, Scope.DISPUTES_DECIDE),
    )  # fmt: skip
    decision = {"disputeId": dispute_id, "toFreelancer": usd("250.00"), "reason": "I like it"}
    (error,) = (await judge.do("decideDispute", decision, "__typename"))["userErrors"]
    assert error["code"] == "CONFLICT_OF_INTEREST"
    # It sees its contract once, however many ways lead to it.
    assert (await judge.ask("{ contracts { nodes { id } } }"))["contracts"]["nodes"] == [{"id": deal.id}]


async def test_a_mediator_who_comes_to_share_a_member_with_a_party_decides_no_more(people: People) -> None:
    deal = await people.deployment.fund("250.00")
    dispute_id = await deal.mediate()
    decide = await with_key(
        people.client.http, people.deployment.mediator, people.deployment.operator,
        (Scope.CONTRACTS_READ, Scope.DISPUTES_DECIDE),
    )  # fmt: skip
    query = f'{{ node(id: "{dispute_id}") {{ ... on Dispute {{ allowedActions {{ action allowed reason {{ code }} }} }} }} }}'
    assert allowed((await decide.ask(query))["node"]) == {"DECIDE_DISPUTE"}
    for account_id in (people.mediator.account_id, people.client.account_id):
        member = {"accountId": account_id, "person": "eve@example.com", "name": "Eve", "role": "MEMBER"}
        await people.operator.done("addMember", member, "member { id }")
    (decision,) = [
        one for one in (await decide.ask(query))["node"]["allowedActions"] if one["action"] == "DECIDE_DISPUTE"
    ]
    assert decision == {"action": "DECIDE_DISPUTE", "allowed": False, "reason": {"code": "CONFLICT_OF_INTEREST"}}
    given = {"disputeId": dispute_id, "toFreelancer": usd("0.00"), "reason": "No"}
    (error,) = (await decide.do("decideDispute", given, "__typename"))["userErrors"]
    assert error["code"] == "CONFLICT_OF_INTEREST"
    payload = await people.operator.done("decideDispute", given, "dispute { state } milestone { state }")
    assert payload == {"dispute": {"state": "RESOLVED"}, "milestone": {"state": "REFUNDED"}, "userErrors": []}


async def test_after_a_version_conflict_the_contract_is_there_also_where_the_input_names_what_belongs_to_it(
    people: People,
) -> None:
    deal = await people.deployment.fund("250.00", "100.00")
    dispute_id = await deal.mediate()
    await people.client.done("offerSettlement", {"disputeId": dispute_id, "toFreelancer": usd("90.00")}, "__typename")
    older = {"disputeId": dispute_id, "toFreelancer": usd("80.00")}
    moved_on = {"changeRequestId": await deal.file(), "expectedVersion": 0}
    for who, name, given in (
        (people.freelancer, "acceptSettlement", older),
        (people.client, "acceptChangeRequest", moved_on),
    ):
        payload = await who.do(name, given, "contract { id planVersion }")
        assert [error["code"] for error in payload["userErrors"]] == ["VERSION_CONFLICT"]
        assert payload["contract"] == {"id": deal.id, "planVersion": 1}


async def test_an_offer_leaves_nothing_to_the_client_once_the_dispute_is_over_even_while_it_is_read(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = await people.deployment.fund("250.00")
    dispute_id = await deal.mediate()
    await people.client.done("offerSettlement", {"disputeId": dispute_id, "toFreelancer": usd("90.00")}, "__typename")
    decided = {"disputeId": dispute_id, "toFreelancer": usd("250.00"), "reason": "It is all there"}
    read = Objects.by_id

    async def read_and_then_decided(self: Objects[Any], actor: Actor, named: Collection[str]) -> dict[str, Any]:
        found = await read(self, actor, named)
        monkeypatch.setattr(Objects, "by_id", read)
        await people.operator.done("decideDispute", decided, "__typename")
        return found

    monkeypatch.setattr(Objects, "by_id", read_and_then_decided)
    query = f'{{ node(id: "{dispute_id}") {{ ... on Dispute {{ state offers {{ toClient {{ amount }} }} }} }} }}'
    assert (await people.client.ask(query))["node"] == {"state": "MEDIATION", "offers": [{"toClient": None}]}


async def test_ending_asks_back_what_is_held_and_can_be_taken_back(people: People) -> None:
    deal = await people.deployment.fund("250.00", "100.00")
    ending = """contract { state ending { by moneyWentBack } refundRequests { nodes { state byEnding } }
        milestones { hold state } }"""
    ended = (await people.client.done("endContract", {"contractId": deal.id}, ending))["contract"]
    assert ended["ending"] == {"by": "CLIENT", "moneyWentBack": False}
    assert ended["refundRequests"]["nodes"] == [{"state": "OPEN", "byEnding": True}]
    back = (await people.client.done("withdrawEnd", {"contractId": deal.id}, ending))["contract"]
    assert (back["state"], back["ending"]) == ("ACTIVE", None)
    assert back["milestones"] == [{"hold": "NONE", "state": "ACTIVE"}, {"hold": "NONE", "state": "PLANNED"}]
    wrong = {"contractId": deal.id, "givingUp": usd("249.00")}
    payload = await people.freelancer.do("endContract", wrong, "contract { state }")
    assert [error["code"] for error in payload["userErrors"]] == ["VERSION_CONFLICT"]
    given_up = await people.freelancer.done("endContract", wrong | {"givingUp": usd("250.00")}, ending)
    assert given_up["contract"]["state"] == "ENDED"
    assert [one["state"] for one in given_up["contract"]["milestones"]] == ["REFUNDED", "CANCELLED"]


async def test_an_approval_with_less_and_a_bonus(people: People) -> None:
    deal = await people.deployment.activate("250.00", "100.00")
    funded = await people.client.done(
        "fundContract",
        {"contractId": deal.id},
        "deposit { id charge { amount } parts { amount { amount } } isForEverything }",
    )
    assert funded["deposit"]["isForEverything"]
    assert len(funded["deposit"]["parts"]) == 2
    deal.deposits[funded["deposit"]["id"]] = await _charge(funded["deposit"]["id"])
    await deal.confirm(funded["deposit"]["id"])
    given = {"milestoneId": deal.milestone(), "amount": usd("200.00"), "bonus": usd("10.00"), "paymentToken": "tok_ok"}
    fields = """milestone { state released { amount } rolledForward { amount } bonusPaid { amount } }
        bonus { id isBonus state charge { amount } nextDeadline { action } }"""
    done = await people.client.done("approveMilestone", given, fields)
    assert done["milestone"] == {
        "state": "RELEASED", "released": {"amount": "200.00"}, "rolledForward": {"amount": "50.00"},
        "bonusPaid": {"amount": "0.00"},
    }  # fmt: skip
    assert (done["bonus"]["isBonus"], done["bonus"]["charge"]["amount"]) == (True, "10.00")
    assert done["bonus"]["nextDeadline"] == {"action": "bonus.failed"}


async def _charge(deposit_id: str) -> Any:
    from escrow.money import Money

    row = await database.fetch_row("SELECT charge_minor, currency FROM deposits WHERE id = $1", deposit_id)
    assert row is not None
    return Money(row["charge_minor"], row["currency"])


async def test_a_reversed_deposit_is_the_operators_to_resolve(people: People) -> None:
    deal = await people.deployment.fund("250.00")
    (deposit_id,) = deal.deposits
    await deal.reverse(deposit_id)
    reversal = """deposit { reversal { state reversedAt forfeited { amount } } allowedActions { action allowed } }
        contract { milestones { frozenAt } }"""
    given = {"depositId": deposit_id, "outcome": "WON"}
    payload = await people.client.do("resolveReversal", given, reversal)
    assert [error["code"] for error in payload["userErrors"]] == ["FORBIDDEN"]
    query = f'{{ node(id: "{deposit_id}") {{ ... on Deposit {{ allowedActions {{ action allowed }} }} }} }}'
    assert allowed((await people.operator.ask(query))["node"]) == {"RESOLVE_REVERSAL"}
    payload = await people.operator.done("resolveReversal", given, reversal)
    assert payload["deposit"]["reversal"]["state"] == "WON"
    assert payload["contract"]["milestones"] == [{"frozenAt": None}]


REVERSED = """query ($first: Int, $after: Cursor) { reversedDeposits(first: $first, after: $after) {
    nodes { id contractId reversal { state } } totalCount pageInfo { hasNextPage endCursor } } }"""


async def test_reversals_are_listed_from_all_contracts_page_by_page_until_they_are_resolved(people: People) -> None:
    deals = [await people.deployment.fund("10.00") for _ in range(4)]
    argued = [next(iter(deal.deposits)) for deal in deals[:3]]
    for deal, deposit_id in zip(deals, argued, strict=False):
        await deal.reverse(deposit_id)
    found: list[str] = []
    page: dict[str, Any] = {"pageInfo": {"hasNextPage": True, "endCursor": None}}
    while page["pageInfo"]["hasNextPage"]:
        after = page["pageInfo"]["endCursor"]
        page = (await people.operator.ask(REVERSED, {"first": 1, "after": after}))["reversedDeposits"]
        found += [one["id"] for one in page["nodes"]]
    assert (found, page["totalCount"]) == (sorted(argued), 3)
    for party in (people.client, people.freelancer):
        assert len((await party.ask(REVERSED))["reversedDeposits"]["nodes"]) == 3
    assert (await (await people.stranger()).ask(REVERSED))["reversedDeposits"] == {
        "nodes": [], "totalCount": 0, "pageInfo": {"hasNextPage": False, "endCursor": None},
    }  # fmt: skip
    await people.operator.done("resolveReversal", {"depositId": argued[0], "outcome": "WON"}, "deposit { id }")
    left = (await people.operator.ask(REVERSED))["reversedDeposits"]["nodes"]
    assert [one["id"] for one in left] == sorted(argued[1:])


async def test_a_chargeback_of_what_was_sent_back_is_shown_and_resolved_and_freezes_nothing(people: People) -> None:
    deal = await people.deployment.activate("250.00")
    deposit_id = await deal.fund()
    await people.client.done("cancelFunding", {"milestoneId": deal.milestone()}, "milestone { state }")
    await deal.confirm(deposit_id)
    await deal.reverse(deposit_id)
    query = f"""{{ node(id: "{deposit_id}") {{ ... on Deposit {{
        state reversal {{ state forfeited {{ amount }} }} }} }}
        contract(id: "{deal.id}") {{ milestones {{ state frozenAt }} }} }}"""
    assert await people.client.ask(query) == {
        "node": {"state": "ABANDONED", "reversal": {"state": "OPEN", "forfeited": {"amount": "0.00"}}},
        "contract": {"milestones": [{"state": "PLANNED", "frozenAt": None}]},
    }
    given = {"depositId": deposit_id, "outcome": "WON"}
    payload = await people.operator.done("resolveReversal", given, "deposit { reversal { state } }")
    assert payload["deposit"] == {"reversal": {"state": "WON"}}


async def test_what_a_reversal_took_for_good_is_lost_not_refunded(people: People) -> None:
    deal = await people.deployment.fund("250.00", "100.00")
    await deal.reverse(*deal.deposits)
    given = {"depositId": next(iter(deal.deposits)), "outcome": "LOST"}
    fields = """contract { escrow { held { amount } lost { amount } refunded { amount } bonuses { amount } }
        milestones { state lost { amount } } }"""
    contract = (await people.operator.done("resolveReversal", given, fields))["contract"]
    assert {name: money["amount"] for name, money in contract["escrow"].items()} == {
        "held": "0.00", "lost": "250.00", "refunded": "0.00", "bonuses": "0.00",
    }  # fmt: skip
    assert contract["milestones"][0] == {"state": "REFUNDED", "lost": {"amount": "250.00"}}


async def test_updates_are_part_of_the_record(people: People) -> None:
    deal = await people.deployment.fund("250.00")
    given = {
        "contractId": deal.id, "milestoneId": deal.milestone(), "message": "Half way", "links": ["https://example.com/1"],
        "attachments": [{"name": "1.png", "sha256": "b" * 64}],
    }  # fmt: skip
    fields = "update { number side message links attachments { name } milestone { id } }"
    posted = [
        (await people.freelancer.done("postUpdate", given, fields, key=key))["update"]
        for key in ("once", "once", "twice")
    ]
    assert [update["number"] for update in posted] == [1, 1, 2]
    query = f"""{{ contract(id: "{deal.id}") {{ updates {{ nodes {{ number message }} }} milestones {{ updates(first: 1) {{
        nodes {{ number contractId }} pageInfo {{ hasNextPage }} }} }} }} }}"""
    seen = (await people.client.ask(query))["contract"]
    assert seen["updates"]["nodes"] == [{"number": 1, "message": "Half way"}, {"number": 2, "message": "Half way"}]
    assert seen["milestones"][0]["updates"] == {
        "nodes": [{"number": 1, "contractId": deal.id}],
        "pageInfo": {"hasNextPage": True},
    }


REPEATED = {
    "requestRefund": lambda deal: {"milestoneId": deal.milestone()},
    "openDispute": lambda deal: {"milestoneId": deal.milestone(), "claim": usd("1.00"), "reason": "Because"},
    "endContract": lambda deal: {"contractId": deal.id},
    "fundContract": lambda deal: {"contractId": deal.id},
}
OBJECTS = {
    "requestRefund": "refundRequest { id state }",
    "openDispute": "dispute { id state }",
    "endContract": "contract { id ending { by } }",
    "fundContract": "deposit { id }",
}


@pytest.mark.parametrize("mutation", REPEATED)
async def test_a_repetition_answers_with_the_objects_of_the_first_call(people: People, mutation: str) -> None:
    deal = await people.deployment.fund("250.00", "100.00")
    given = REPEATED[mutation](deal)
    first = await people.client.done(mutation, given, OBJECTS[mutation], key="once")
    again = await people.client.done(mutation, given, OBJECTS[mutation], key="once")
    assert again == first


async def test_every_object_with_a_running_window_shows_it(people: People) -> None:
    deal = await people.deployment.fund("250.00", "100.00")
    refund_id = await deal.request_refund()
    (at,) = await _due(deal, "REFUND")
    query = f"""{{ contract(id: "{deal.id}") {{ nextDeadline {{ at action }} milestones {{ nextDeadline {{ at }} }} }}
        node(id: "{refund_id}") {{ ... on RefundRequest {{ nextDeadline {{ at action inFavourOf }} }} }} }}"""
    seen = await people.client.ask(query)
    assert seen["node"]["nextDeadline"] == {"at": at, "action": "milestone.refunded", "inFavourOf": "CLIENT"}
    assert seen["contract"]["nextDeadline"]["at"] == at
    assert seen["contract"]["milestones"][0]["nextDeadline"]["at"] == at
    listed = f'{{ milestones(filter: {{deadlineBefore: "{at[:-1]}1Z"}}) {{ nodes {{ id }} }} }}'
    assert (await people.client.ask(listed))["milestones"]["nodes"] == []
    after = '{ milestones(filter: {deadlineBefore: "2100-01-01T00:00:00Z"}) { nodes { id } } }'
    assert (await people.client.ask(after))["milestones"]["nodes"] == [{"id": deal.milestone()}]
    await advance_clock(days=1)
    await deal.decline_refund(refund_id)
    (at,) = await _due(deal, "MEDIATION")
    query = f'{{ contract(id: "{deal.id}") {{ disputes {{ nodes {{ nextDeadline {{ at action inFavourOf }} }} }} }} }}'
    (dispute,) = (await people.client.ask(query))["contract"]["disputes"]["nodes"]
    assert dispute["nextDeadline"] == {"at": at, "action": "dispute.overdue", "inFavourOf": None}
    await advance_past_deadlines()


async def _due(deal: Deal, kind: str) -> list[str]:
    rows = await database.fetch("SELECT due_at FROM deadlines WHERE contract_id = $1 AND kind = $2", deal.id, kind)
    return [row["due_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ") for row in rows]


async def test_disputes_are_listed_page_by_page_and_by_state(people: People) -> None:
    for decided in (False, True, False):
        deal = await people.deployment.fund("250.00")
        await deal.mediate()
        if decided:
            await people.freelancer.done("giveRefund", {"milestoneId": deal.milestone()}, "milestone { state }")
    query = """query ($state: [DisputeState!], $first: Int!, $after: Cursor) {
        disputes(filter: {state: $state}, first: $first, after: $after) {
            nodes { id state } pageInfo { hasNextPage endCursor }
        } }"""
    for who in (people.mediator, people.client, people.operator):
        everything = (await who.ask(query, {"first": 100}))["disputes"]["nodes"]
        assert [one["state"] for one in everything] == ["MEDIATION", "RESOLVED", "MEDIATION"]
        waiting = (await who.ask(query, {"first": 1, "state": ["MEDIATION"]}))["disputes"]
        assert waiting["nodes"] == everything[:1]
        more = {"first": 1, "state": ["MEDIATION"], "after": waiting["pageInfo"]["endCursor"]}
        rest = (await who.ask(query, more))["disputes"]
        assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == (everything[2:], False)
        assert (await who.ask(query, {"first": 9, "state": []}))["disputes"]["nodes"] == []
    assert (await (await people.stranger()).ask(query, {"first": 9}))["disputes"]["nodes"] == []
