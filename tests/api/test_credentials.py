"""Who may ask what: without credentials, with bad ones, with too few scopes, and with keys that are limited."""

from __future__ import annotations

import httpx
import pytest
from graphql import GraphQLObjectType, is_required_argument, parse, print_ast

from api.app import create_app
from escrow import database as db
from escrow.access import Scope
from escrow.accounts import known_keys
from escrow.accounts.known_keys import KnownKeys
from escrow.settings import PaymentProvider, Settings
from schema.build import executable
from schema.engine.execution import LONG_BYTES
from schema.error_codes import coded
from tests.api.asked import FOR_ANYBODY
from tests.api.client import Caller, People, door, with_key
from tests.api.test_journey import proposal
from tests.factories import SECRET_KEY

QUERIES = executable().query_type
QUERY_FIELDS = sorted(QUERIES.fields) if QUERIES else []
MUTATIONS = executable().mutation_type
MUTATION_FIELDS = sorted(MUTATIONS.fields) if MUTATIONS else []

THREE = """mutation ($offer: ProposeContractInput!, $revoked: RevokeApiKeyInput!) {
    first: proposeContract(input: $offer) { contract { title } userErrors { code message } }
    revoked: revokeApiKey(input: $revoked) { apiKey { revokedAt } userErrors { code message } }
    second: proposeContract(input: $offer) { contract { title } userErrors { code message } }
    third: proposeContract(input: $offer) { contract { title } userErrors { code message } }
}"""

ONE_OF = {"CommandInput": '{declineContract: {contractId: "x"}}'}
"""Values of inputs of which no field is required, but one must be given."""


def _literal(type_: object) -> str:
    """A value that fits an input type, made of as little as possible."""
    schema = executable()
    text = str(type_)
    text = text.removesuffix("!")
    if text.startswith("["):
        return "[]"
    if text in ONE_OF:
        return ONE_OF[text]
    samples = {
        "ID": '"x"',
        "String": '"x"',
        "Int": "1",
        "Boolean": "true",
        "Date": '"2030-01-01"',
        "CurrencyCode": '"USD"',
        "Decimal": '"1"',
        "Duration": '"P1D"',
    }
    if text in samples:
        return samples[text]
    named = schema.type_map[text]
    values = getattr(named, "values", None)
    if values:
        return str(next(iter(values)))
    fields = getattr(named, "fields", {})
    inner = (f"{name}: {_literal(field.type)}" for name, field in fields.items() if str(field.type).endswith("!"))
    return "{" + ", ".join(inner) + "}"


@pytest.mark.parametrize("name", QUERY_FIELDS)
async def test_every_query_needs_credentials(people: People, name: str) -> None:
    assert isinstance(QUERIES, GraphQLObjectType)
    arguments = QUERIES.fields[name].args.items()
    given = ", ".join(f"{key}: {_literal(one.type)}" for key, one in arguments if is_required_argument(one))
    (error,) = await people.nobody.errors(f"{{ {name}{f'({given})' if given else ''} {{ __typename }} }}")
    assert error["extensions"] == coded("UNAUTHENTICATED")
    assert error["path"] == [name]


@pytest.mark.parametrize("name", [name for name in MUTATION_FIELDS if name not in FOR_ANYBODY])
async def test_every_mutation_needs_credentials_and_writes_nothing_without(people: People, name: str) -> None:
    assert isinstance(MUTATIONS, GraphQLObjectType)
    field = MUTATIONS.fields[name]
    assert [argument for argument in field.args if is_required_argument(field.args[argument])] == ["input"]
    mutation = f"mutation {{ {name}(input: {_literal(field.args['input'].type)}) {{ userErrors {{ code }} }} }}"
    before = await db.fetch_value("SELECT count(*) FROM events")
    (error,) = await people.nobody.errors(print_ast(parse(mutation)))
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert await db.fetch_value("SELECT count(*) FROM events") == before


async def test_without_credentials_typename_and_introspection_answer(people: People) -> None:
    data = await people.nobody.ask('{ __typename __schema { queryType { name } } __type(name: "Money") { name } }')
    assert data == {"__typename": "Query", "__schema": {"queryType": {"name": "Query"}}, "__type": {"name": "Money"}}


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "ek_0000",
        "Bearer ek_" + "0" * 52,
        "Bearer ek_" + "0" * 500,
        "Bearer ek_zażółć",
        "Bearer \x00",
    ],
)
async def test_bad_credentials_are_401_even_for_introspection(people: People, header: str) -> None:
    headers = [(b"authorization", header.encode())]
    answer = await people.nobody.http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_revoked_key_opens_nothing(people: People) -> None:
    key_id = (await people.client.ask("{ viewer { keyId } }"))["viewer"]["keyId"]
    await people.operator.done("revokeApiKey", {"keyId": key_id}, "apiKey { revokedAt }")
    answer = await people.client.post("{ viewer { role } }")
    assert answer.status_code == 401
    assert "data" not in answer.json()


async def test_a_key_that_is_revoked_in_one_process_opens_nothing_in_another(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No bell rings here: whoever asks after the answer is refused all the same."""
    keys = KnownKeys()
    known_keys._here.discard(keys)  # as if in a process of its own
    async with door(keys=keys) as other_process:
        elsewhere = Caller(other_process, people.client.token)
        with monkeypatch.context() as stopped:  # its term is over by itself in a moment, which may be a busy one
            now = known_keys.now()
            stopped.setattr(known_keys, "now", lambda: now)
            key_id = (await elsewhere.ask("{ viewer { keyId } }"))["viewer"]["keyId"]
            with db.counting() as statements:
                await elsewhere.ask("{ viewer { keyId } }")
        assert statements == []
        await people.operator.done("revokeApiKey", {"keyId": key_id}, "apiKey { revokedAt }")
        assert (await elsewhere.post("{ viewer { role } }")).status_code == 401


@pytest.mark.parametrize("length", [0, LONG_BYTES], ids=["at home", "in the annex"])
async def test_of_an_operations_mutations_those_that_have_not_begun_when_its_key_is_revoked_do_not(
    database: str, people: People, length: int
) -> None:
    """Those before are answered."""
    key_id = (await people.client.ask("{ viewer { keyId } }"))["viewer"]["keyId"]
    settings = Settings(
        database_url=database,
        redis_url="",
        secret_keys=(SECRET_KEY,),
        sandbox=True,
        payment_provider=PaymentProvider.SANDBOX,
    )
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.state.door.with_annex(database),
        httpx.AsyncClient(transport=transport, base_url="http://earnest.test") as http,
    ):
        given = {"offer": proposal(people, "10.00"), "revoked": {"keyId": key_id}}
        data = await Caller(http, people.client.token).ask(THREE + " " * length, given)
    refused = "This key has ended since the operation began, so this was not done. Repeat it with one that is good."
    assert data["first"]["contract"]["title"] == given["offer"]["title"]
    assert data["revoked"]["apiKey"]["revokedAt"]
    for name in ("second", "third"):
        assert data[name] == {"contract": None, "userErrors": [{"code": "FORBIDDEN", "message": refused}]}
    assert await db.fetch_value("SELECT count(*) FROM contracts") == 1


async def test_a_key_that_was_not_made_for_reading_is_forbidden_to_read(people: People) -> None:
    writer = await with_key(
        people.client.http, people.deployment.client, people.deployment.operator, (Scope.CONTRACTS_WRITE,)
    )
    for query in ("{ contracts { nodes { id } } }", "{ milestones { nodes { id } } }"):
        (error,) = await writer.errors(query)
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert "contracts:read (CONTRACTS_READ)" in error["message"]
    assert (await writer.ask("{ viewer { scopes } }"))["viewer"]["scopes"] == ["CONTRACTS_WRITE"]


async def test_variables_spell_scopes_either_way_and_a_wrong_one_is_refused(people: People) -> None:
    given = {"accountId": people.deployment.client.account_id, "name": "either"}
    made = "apiKey { scopes }"
    for spelling in ("contracts:read", "CONTRACTS_READ"):
        key = await people.operator.done("createApiKey", given | {"scopes": [spelling]}, made)
        assert key["apiKey"]["scopes"] == ["CONTRACTS_READ"]
    query = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }"
    (error,) = await people.operator.errors(query, {"input": given | {"scopes": ["contracts:burn"]}})
    assert "contracts:burn" in error["message"]


READ_FROM_THE_DATABASE = {
    "contract": {
        "client": "client { id }",
        "freelancer": "freelancer { id }",
        "escrow": "escrow { held { amount } }",
        "transfers": "transfers { nodes { id } }",
        "deposits": "deposits { nodes { id } }",
        "paymentOrders": "paymentOrders { nodes { id } }",
        "submissions": "submissions { nodes { id } }",
        "timeline": "timeline { nodes { body } }",
        "nextDeadline": "nextDeadline { at }",
        "allowedActions": "allowedActions { action }",
    },
    "milestone": {
        "contract": "contract { title }",
        "deposit": "deposit { id }",
        "submissions": "submissions { nodes { id } }",
        "nextDeadline": "nextDeadline { at }",
        "allowedActions": "allowedActions { action }",
    },
}


async def _writer(people: People) -> Caller:
    deployment = people.deployment
    scopes = (Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE)
    return await with_key(people.client.http, deployment.client, deployment.operator, scopes)


async def test_a_key_that_only_writes_is_answered_with_what_it_changed_and_reads_nothing_more(people: People) -> None:
    deal = await people.deployment.fund("10.00", "20.00")
    writer = await _writer(people)
    approve = {"milestoneId": deal.milestone()}
    plain = "contract { title version milestones { title } progress { closed } } milestone { state }"
    assert (await writer.done("approveMilestone", approve, plain))["milestone"] == {"state": "RELEASED"}
    query = """mutation ($input: ApproveMilestoneInput!) {
        approveMilestone(input: $input) { %s { id %s } userErrors { code } } }"""
    for what, fields in READ_FROM_THE_DATABASE.items():
        for name, selection in fields.items():
            answer = (await writer.post(query % (what, selection), {"input": approve})).json()
            (error,) = answer["errors"]
            assert error["extensions"] == coded("FORBIDDEN", scope="contracts:read"), name
            assert error["path"] == ["approveMilestone", what, name]
            shown = answer["data"]["approveMilestone"]
            assert not (shown[what] or {}).get(name)
            assert shown["userErrors"] == []


async def test_every_field_that_reads_needs_the_scope_for_reading(people: People) -> None:
    deal = await people.deployment.fund("10.00")
    reader = people.client
    for what, fields in READ_FROM_THE_DATABASE.items():
        identifier = deal.id if what == "contract" else deal.milestone()
        await reader.ask(f'{{ {what}(id: "{identifier}") {{ {" ".join(fields.values())} }} }}')


async def test_after_a_version_conflict_only_a_key_that_may_read_is_shown_the_object(people: People) -> None:
    deal = await people.deployment.activate("10.00", "20.00")
    edit = {"milestoneId": deal.milestone(2), "title": "Other", "expectedVersion": 99}
    for caller, shown in ((people.client, {"id": deal.milestone(2)}), (await _writer(people), None)):
        conflict = await caller.do("editMilestone", edit, "contract { title } milestone { id }")
        assert [error["code"] for error in conflict["userErrors"]] == ["VERSION_CONFLICT"]
        assert conflict["userErrors"][0]["details"] == {"named": 99, "current": 1}
        assert conflict["milestone"] == shown
        assert (conflict["contract"] is None) == (shown is None)


async def test_a_repeated_submission_by_a_key_that_only_writes_answers_with_what_was_made(people: People) -> None:
    deal = await people.deployment.fund("10.00")
    deployment = people.deployment
    writer = await with_key(people.client.http, deployment.freelancer, deployment.operator, (Scope.CONTRACTS_WRITE,))
    given = {"milestoneId": deal.milestone(), "message": "Here"}
    made = [await writer.done("submitMilestone", given, "submission { id number }", key="s") for _ in range(2)]
    assert made[0] == made[1]


async def test_a_key_that_is_limited_to_contracts_sees_no_others(people: People) -> None:
    first, second = await people.deployment.propose(), await people.deployment.propose()
    limited = await with_key(
        people.client.http, people.deployment.client, people.deployment.operator, contract_ids=(first.id,)
    )
    seen = await limited.ask(
        "query ($id: ID!) { contracts { nodes { id } } contract(id: $id) { id } milestones { nodes { contractId } } }",
        {"id": second.id},
    )
    assert seen["contracts"]["nodes"] == [{"id": first.id}]
    assert seen["contract"] is None
    assert {node["contractId"] for node in seen["milestones"]["nodes"]} == {first.id}


async def test_the_viewer_is_who_the_key_says(people: People) -> None:
    data = await people.operator.ask("{ viewer { kind role account { isOperator } } }")
    assert data["viewer"] == {"kind": "OPERATOR", "role": "OWNER", "account": {"isOperator": True}}
    stranger = Caller(people.nobody.http, people.client.token)
    assert (await stranger.ask("{ viewer { accountId } }"))["viewer"]["accountId"] == people.client.account_id
