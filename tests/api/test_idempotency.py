"""Repeating safely: `@idempotent` over HTTP."""

from __future__ import annotations

import asyncio

from escrow import database
from tests.api.client import People
from tests.api.test_journey import proposal

FIELDS = "contract { id version milestones { id } }"


async def test_the_same_key_and_input_answer_with_the_first_contract_and_say_so(people: People) -> None:
    given = proposal(people, "10.00")
    first = await people.client.done("proposeContract", given, FIELDS, key="order 7")
    query = f"""mutation ($input: ProposeContractInput!, $key: String!) {{
        here: proposeContract(input: $input) @idempotent(key: $key) {{ {FIELDS} userErrors {{ code }} }} }}"""
    answer = (await people.client.post(query, {"input": given, "key": "order 7"})).json()
    assert answer["data"]["here"]["contract"] == first["contract"]
    assert answer["extensions"] == {"idempotentReplay": [["here"]]}
    assert await database.fetch_value("SELECT count(*) FROM contracts") == 1


async def test_a_first_call_is_not_told_to_be_a_repetition(people: People) -> None:
    query = f'mutation ($input: ProposeContractInput!) {{ proposeContract(input: $input) @idempotent(key: "a") {{ {FIELDS} }} }}'
    answer = (await people.client.post(query, {"input": proposal(people, "10.00")})).json()
    assert "extensions" not in answer


async def test_the_same_key_with_another_input_or_mutation_is_refused(people: People) -> None:
    made = await people.client.done("proposeContract", proposal(people, "10.00"), FIELDS, key="k")
    other = await people.client.do("proposeContract", proposal(people, "11.00"), FIELDS, key="k")
    assert [error["code"] for error in other["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]
    withdrawal = await people.client.do("withdrawContract", {"contractId": made["contract"]["id"]}, FIELDS, key="k")
    assert [error["code"] for error in withdrawal["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]


async def test_keys_belong_to_the_account(people: People) -> None:
    await people.client.done("proposeContract", proposal(people, "10.00"), FIELDS, key="k")
    await people.freelancer.done("proposeContract", proposal(people, "11.00"), FIELDS, key="k")
    assert await database.fetch_value("SELECT count(*) FROM contracts") == 2


async def test_a_refused_mutation_may_be_tried_again_with_its_key(people: People) -> None:
    deal = await people.deployment.propose()
    early = {"contractId": deal.id, "revision": 1}
    assert (await people.client.do("acceptContract", early, FIELDS, key="k"))["userErrors"]
    await people.freelancer.done("acceptContract", early, FIELDS, key="k")


async def test_two_at_once_under_one_key_run_one(people: People) -> None:
    given = proposal(people, "10.00")
    answers = await asyncio.gather(
        *(people.client.done("proposeContract", given, FIELDS, key="once") for _ in range(8))
    )
    assert len({answer["contract"]["id"] for answer in answers}) == 1
    assert await database.fetch_value("SELECT count(*) FROM contracts") == 1


async def test_a_repeated_submission_and_deposit_answer_with_what_was_made(people: People) -> None:
    deal = await people.deployment.activate("10.00")
    fund = {"milestoneId": deal.milestone()}
    deposits = [
        await people.client.done("fundMilestone", fund, "deposit { id } milestone { id }", key="f") for _ in range(2)
    ]
    assert deposits[0] == deposits[1]
    deal = await people.deployment.fund("10.00")
    submit = {"milestoneId": deal.milestone(), "message": "Here"}
    made = [
        await people.freelancer.done("submitMilestone", submit, "submission { id number }", key="s") for _ in range(2)
    ]
    assert made[0] == made[1] == {"submission": {"id": made[0]["submission"]["id"], "number": 1}, "userErrors": []}


async def test_a_secret_is_not_shown_again(people: People) -> None:
    given = {"accountId": people.client.account_id, "name": "Sync", "scopes": ["CONTRACTS_READ"]}
    first = await people.operator.done("createApiKey", given, "secret apiKey { id }", key="k")
    again = await people.operator.done("createApiKey", given, "secret apiKey { id }", key="k")
    assert first["secret"]
    assert again == {"secret": None, "apiKey": first["apiKey"], "userErrors": []}


async def test_an_empty_or_endless_key_is_refused_as_data(people: People) -> None:
    for key in ("", "x" * 256):
        refused = await people.client.do("proposeContract", proposal(people, "10.00"), FIELDS, key=key)
        assert [error["code"] for error in refused["userErrors"]] == ["INVALID_INPUT"]
    assert await database.fetch_value("SELECT count(*) FROM contracts") == 0
