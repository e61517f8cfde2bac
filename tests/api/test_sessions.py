"""Sessions over the API: a browser's token that a server's key made, what it may read, from which pages, and links to it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from api.rates.budgets import Rates
from escrow import database, log
from escrow.access import Role, Scope
from escrow.accounts.authentication import authenticate
from schema.engine import costs
from schema.mutations.sessions import WRONG_CODE
from tests.api.client import PARTY_SCOPES, Caller, People, door, with_key

FRIEND = "https://shop.example.com"
STRANGER = "https://elsewhere.example"
READS: dict[str, Any] = {"scopes": ["CONTRACTS_READ"]}
FIELDS = "token session { id accountId memberId scopes contractIds origins hint isWaiting createdBy expiresAt endedAt }"


async def session(people: People, by: Caller, **given: Any) -> Caller:
    made = await by.done("createSession", READS | given, FIELDS)
    return Caller(people.client.http, made["token"], made["session"]["accountId"])


async def own_id(browser: Caller) -> str:
    found: str = (await browser.ask("{ viewer { sessionId } }"))["viewer"]["sessionId"]
    return found


# Making one


async def test_a_session_is_shown_to_whoever_made_it_and_knows_itself(people: People) -> None:
    key_id = (await people.client.ask("{ viewer { keyId } }"))["viewer"]["keyId"]
    deal = await people.deployment.propose()
    made = await people.client.done("createSession", READS | {"contractIds": [deal.id], "origins": [FRIEND]}, FIELDS)
    shown = made["session"]
    assert made["token"].startswith("es_")
    assert made["token"].endswith(shown["hint"])
    assert (shown["contractIds"], shown["origins"], shown["createdBy"]) == ([deal.id], [FRIEND], key_id)
    assert (shown["accountId"], shown["memberId"], shown["isWaiting"]) == (people.client.account_id, None, False)
    browser = Caller(people.client.http, made["token"])
    viewer = (
        await browser.ask(
            "{ viewer { keyId sessionId role scopes session { id scopes } account { id sessions { nodes { id } } } } }"
        )
    )["viewer"]
    assert viewer["account"] == {"id": people.client.account_id, "sessions": None}, "it sees its contracts alone"
    assert (viewer["keyId"], viewer["sessionId"], viewer["role"]) == (None, shown["id"], "OWNER")
    assert viewer["session"] == {"id": shown["id"], "scopes": ["CONTRACTS_READ"]}
    assert (await browser.ask("query ($id: ID!) { node(id: $id) { id } }", {"id": shown["id"]}))["node"] == {
        "id": shown["id"]
    }


async def test_a_token_is_shown_once(people: People) -> None:
    first = await people.client.done("createSession", READS, "token session { id }", key="k")
    again = await people.client.done("createSession", READS, "token session { id }", key="k")
    assert first["token"] is not None
    assert again == {"token": None, "session": first["session"], "userErrors": []}
    link = await people.client.done("createSessionLink", READS, "url session { id isWaiting }", key="l")
    repeated = await people.client.done("createSessionLink", READS, "url session { id isWaiting }", key="l")
    assert link["session"]["isWaiting"]
    assert repeated == {"url": None, "session": link["session"], "userErrors": []}


async def test_the_sessions_of_an_account_are_listed_while_they_live_page_by_page_and_to_nobody_else(
    people: People,
) -> None:
    ids = [await own_id(await session(people, people.client)) for _ in range(3)]
    waiting = (await people.client.done("createSessionLink", READS, "session { id }"))["session"]["id"]
    await people.client.done("revokeSession", {"sessionId": ids[1]}, "session { endedAt }")
    expected = [ids[0], ids[2], waiting]
    page = "nodes { id isWaiting } totalCount pageInfo { hasNextPage endCursor }"
    query = f"query ($after: Cursor) {{ viewer {{ account {{ sessions(first: 2, after: $after) {{ {page} }} }} }} }}"
    first = (await people.client.ask(query))["viewer"]["account"]["sessions"]
    rest = (await people.client.ask(query, {"after": first["pageInfo"]["endCursor"]}))["viewer"]["account"]["sessions"]
    assert [one["id"] for one in (*first["nodes"], *rest["nodes"])] == expected
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (3, True, False)
    last = await people.client.ask("{ viewer { account { sessions(last: 1) { nodes { id isWaiting } } } } }")
    assert last["viewer"]["account"]["sessions"]["nodes"] == [{"id": waiting, "isWaiting": True}]
    everywhere = await people.operator.ask("{ accounts { nodes { sessions { nodes { id } } } } }")
    assert sum(len(one["sessions"]["nodes"]) for one in everywhere["accounts"]["nodes"]) == 3
    deal = await people.deployment.propose()
    theirs = await people.freelancer.ask(
        "query ($id: ID!) { contract(id: $id) { client { sessions { nodes { id } } } } }", {"id": deal.id}
    )
    assert theirs["contract"]["client"] == {"sessions": None}
    assert (await people.freelancer.ask("query ($id: ID!) { node(id: $id) { id } }", {"id": ids[0]}))["node"] is None
    assert (await people.client.ask("query ($id: ID!) { node(id: $id) { id } }", {"id": ids[1]}))["node"] is None


async def test_the_operator_makes_a_session_for_a_member_of_any_account(people: People) -> None:
    added = await people.operator.done(
        "addMember",
        {"accountId": people.freelancer.account_id, "person": "mia@example.com", "name": "Mia", "role": "VIEWER"},
        "member { id }",
    )
    browser = await session(people, people.operator, memberId=added["member"]["id"])
    viewer = (await browser.ask("{ viewer { accountId memberId role } }"))["viewer"]
    assert viewer == {
        "accountId": people.freelancer.account_id, "memberId": added["member"]["id"], "role": Role.VIEWER.value,
    }  # fmt: skip
    deal = await people.deployment.propose()
    refused = await browser.do("acceptContract", {"contractId": deal.id, "revision": 1}, "contract { id }")
    assert [error["code"] for error in refused["userErrors"]] == ["FORBIDDEN"]


async def test_events_name_the_session_that_did_it(people: People) -> None:
    scopes = ["CONTRACTS_READ", "CONTRACTS_WRITE"]
    browser = await session(people, people.freelancer, scopes=scopes)
    deal = await people.deployment.propose()
    await browser.done("acceptContract", {"contractId": deal.id, "revision": 1}, "contract { id }")
    seen = await people.client.ask(
        "query ($id: ID!) { contract(id: $id) { timeline(last: 1) { nodes { type actor { keyId sessionId } } } } }",
        {"id": deal.id},
    )
    assert seen["contract"]["timeline"]["nodes"] == [
        {"type": "contract.accepted", "actor": {"keyId": None, "sessionId": await own_id(browser)}}
    ]


async def test_a_session_draws_from_its_accounts_bucket(people: People) -> None:
    rates = Rates(20_000)
    by_key = await authenticate(people.client.token or "")
    by_session = await authenticate((await session(people, people.client)).token or "")
    other = await authenticate((await session(people, people.freelancer)).token or "")
    budgets = [rates.budget(actor, "203.0.113.9") for actor in (by_key, by_session, other)]
    clients = [budget.client for budget in budgets if budget is not None]
    assert clients == [people.client.account_id, people.client.account_id, people.freelancer.account_id]


# Its bounds

EVERYTHING = """query ($other: ID!, $milestone: ID!, $party: ID!) {
    contract(id: $other) { id }
    milestone(id: $milestone) { id }
    nodes(ids: [$other, $milestone]) { id }
    byExternalId(system: "jira", id: "B-1") { id }
    contracts { nodes { id } totalCount }
    found: contracts(filter: { title: "Website" }, orderBy: DEADLINE) { nodes { id } totalCount }
    of: contracts(filter: { party: $party }) { nodes { id } totalCount }
    milestones { nodes { contract { id } } totalCount }
    changes { nodes { event { body } contract { id } milestones { id } } }
    disputes { nodes { milestone { contract { id } } } totalCount }
    deliveries { nodes { id } totalCount }
    stuckOrders { nodes { id } totalCount }
    preview(command: { postUpdate: { contractId: $other, message: "Hello" } }) { refusal { code } }
    webhookEndpoints { id }
    accounts { nodes {
        id members { id } apiKeys { id } sessions { nodes { id } } timeline { nodes { id } } payee { canBePaid }
    } }
}"""


SEEN_TWICE = ("contracts", "found", "of", "disputes", "milestones")
"""What has an entry for each of the two contracts."""


async def test_no_query_shows_a_session_more_than_its_contracts(people: People) -> None:
    """Whatever names the other contract, or counts it, is null, empty, or one less."""
    mine, other = await people.deployment.fund("10.00"), await people.deployment.fund("10.00")
    for deal in (mine, other):
        await deal.submit()
        given = {
            "milestoneId": deal.milestone(),
            "claim": {"amount": "4.00", "currency": "USD"},
            "reason": "Half of it",
        }
        await people.client.done("openDispute", given, "dispute { id }")
    for deal, name in ((mine, "A-1"), (other, "B-1")):
        await people.client.done(
            "setExternalReference", {"subjectId": deal.id, "system": "jira", "externalId": name}, "__typename"
        )
    there = people.deployment
    manager = await with_key(people.client.http, there.client, there.operator, (*PARTY_SCOPES, Scope.WEBHOOKS_MANAGE))
    await manager.done("createWebhookEndpoint", {"url": "https://hooks.example.com/x"}, "webhookEndpoint { id }")
    await log.sequence()
    variables = {"other": other.id, "milestone": other.milestone(), "party": people.freelancer.account_id}
    whole = await manager.ask(EVERYTHING, variables)
    assert whole["contract"] == {"id": other.id}, "the questions find what there is"
    counted = {name: whole[name]["totalCount"] for name in SEEN_TWICE}
    assert set(counted.values()) == {2}, counted
    assert len(whole["webhookEndpoints"]) == 1
    scopes = ["CONTRACTS_READ", "CONTRACTS_WRITE", "MONEY_WRITE", "WEBHOOKS_MANAGE"]
    browser = await session(people, manager, scopes=scopes, contractIds=[mine.id])
    seen = await browser.ask(EVERYTHING, variables)
    assert other.id not in str(seen)
    assert other.milestone() not in str(seen)
    assert (seen["contract"], seen["milestone"], seen["nodes"], seen["byExternalId"]) == (
        None,
        None,
        [None, None],
        None,
    )
    for listed in ("contracts", "found", "of"):
        assert seen[listed] == {"nodes": [{"id": mine.id}], "totalCount": 1}, listed
    assert {seen[listed]["totalCount"] for listed in SEEN_TWICE} == {1}
    assert {change["contract"]["id"] for change in seen["changes"]["nodes"]} == {mine.id}
    assert seen["preview"]["refusal"]["code"] == "NOT_FOUND"
    assert (seen["webhookEndpoints"], seen["deliveries"]["totalCount"]) == ([], 0)
    (account,) = seen["accounts"]["nodes"]
    assert account == {
        "id": people.client.account_id, "members": None, "apiKeys": None, "sessions": None, "timeline": None, "payee": None,
    }  # fmt: skip


async def test_a_session_is_shown_the_reversals_of_its_contracts_alone(people: People) -> None:
    mine, other = await people.deployment.fund("10.00"), await people.deployment.fund("10.00")
    for deal in (mine, other):
        await deal.reverse(*deal.deposits)
    query = "{ reversedDeposits { nodes { contractId } totalCount } }"
    assert (await people.client.ask(query))["reversedDeposits"]["totalCount"] == 2
    browser = await session(people, people.client, contractIds=[mine.id])
    shown = {"nodes": [{"contractId": mine.id}], "totalCount": 1}
    assert (await browser.ask(query))["reversedDeposits"] == shown


async def test_a_session_reads_only_with_the_scope_for_it(people: People) -> None:
    browser = await session(people, people.client, scopes=["CONTRACTS_WRITE"])
    (error,) = await browser.errors("{ contracts { nodes { id } } }")
    assert error["extensions"]["code"] == "FORBIDDEN"


# From which pages


async def test_a_page_whose_origin_the_session_names_asks_and_reads_as_browsers_do_it(people: People) -> None:
    browser = await session(people, people.client, origins=[FRIEND])
    asked = {
        "origin": FRIEND,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    preflight = await people.client.http.options("/graphql", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == FRIEND
    assert preflight.headers["access-control-allow-headers"] == "authorization"
    answer = await browser.post("{ viewer { accountId } }", origin=FRIEND)
    assert answer.json()["data"] == {"viewer": {"accountId": people.client.account_id}}
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert "x-trace-id" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origins", [[], [FRIEND]])
async def test_a_page_whose_origin_it_does_not_name_reads_why_and_does_nothing(
    people: People, origins: list[str]
) -> None:
    browser = await session(people, people.client, origins=origins, scopes=["CONTRACTS_READ", "CONTRACTS_WRITE"])
    deal = await people.deployment.propose()
    for origin in (STRANGER, f"{FRIEND}:8443", f"{FRIEND}.evil.example", "null"):
        answer = await browser.post(
            f'mutation {{ withdrawContract(input: {{contractId: "{deal.id}"}}) {{ userErrors {{ code }} }} }}',
            origin=origin,
        )
        assert answer.status_code == 403
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert origin in error["message"]
        assert "data" not in answer.json()
        assert answer.headers.get("access-control-allow-origin") == (origin if origin != "null" else None)
    assert "contract.withdrawn" not in await deal.types()


async def test_an_origin_that_the_operator_allows_is_still_the_sessions_to_name(people: People) -> None:
    made = await people.client.done("createSession", READS, "token")
    async with door(allowed_origins=frozenset({FRIEND})) as http:
        answer = await Caller(http, made["token"]).post("{ __typename }", origin=FRIEND)
        assert answer.status_code == 403
        assert answer.headers["access-control-allow-origin"] == FRIEND
        assert (await Caller(http, people.client.token).post("{ __typename }", origin=FRIEND)).status_code == 200


async def test_our_own_pages_always_may(people: People) -> None:
    made = await people.client.done("createSession", READS, "token")
    async with door(public_url="https://escrow.example.com/api") as http:
        for said in (
            {},
            {"origin": "http://earnest.test"},
            {"origin": "https://escrow.example.com"},
            {"origin": STRANGER, "sec-fetch-site": "same-origin"},
        ):
            assert (await Caller(http, made["token"]).post("{ __typename }", None, **said)).status_code == 200


async def test_a_session_that_is_over_says_so_to_any_page_so_that_it_can_ask_for_another(people: People) -> None:
    browser = await session(people, people.client, origins=[FRIEND])
    await people.client.done("revokeSession", {"sessionId": await own_id(browser)}, "session { id }")
    answer = await browser.post("{ __typename }", origin=FRIEND)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["message"] == "This session is unknown, expired or revoked."
    assert answer.headers["access-control-allow-origin"] == FRIEND


async def test_a_cookie_is_no_session(people: People) -> None:
    browser = await session(people, people.client)
    for name in ("session", "authorization", "token"):
        answer = await people.nobody.post("{ viewer { accountId } }", cookie=f"{name}={browser.token}")
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert "set-cookie" not in answer.headers


# Links


async def test_a_link_names_the_console_and_its_code_stands_where_no_server_sees_it(people: People) -> None:
    async with door(public_url="https://escrow.example.com/api") as http:
        made = await Caller(http, people.client.token).done("createSessionLink", READS, "url session { hint }")
    url = httpx.URL(made["url"])
    assert made["url"].startswith("https://escrow.example.com/api/console#el_")
    assert url.fragment.endswith(made["session"]["hint"])
    assert "el_" not in url.raw_path.decode()


async def test_a_code_makes_one_session_for_whoever_is_first_and_needs_no_credentials(people: People) -> None:
    made = await people.client.done("createSessionLink", READS | {"lifetimeSeconds": 600}, "url session { id }")
    code = made["url"].partition("#")[2]
    answers = await asyncio.gather(*(people.nobody.do("openSession", {"code": code}, FIELDS) for _ in range(5)))
    (good,) = [one for one in answers if one["token"] is not None]
    assert good["session"]["id"] == made["session"]["id"]
    assert not good["session"]["isWaiting"]
    refused = [one["userErrors"][0]["code"] for one in answers if one["token"] is None]
    assert refused == ["INVALID_STATE"] * 4
    viewer = await Caller(people.client.http, good["token"]).ask("{ viewer { accountId } }")
    assert viewer["viewer"]["accountId"] == people.client.account_id
    assert (await Caller(people.client.http, code).post("{ __typename }")).status_code == 401, "a code is no token"


async def test_whoever_was_first_and_lost_the_answer_gets_it_again_by_their_nonce_and_nobody_else_does(
    people: People,
) -> None:
    made = await people.client.done("createSessionLink", READS, "url session { id }")
    code = made["url"].partition("#")[2]
    mine, others = {"code": code, "nonce": "0" * 32}, {"code": code, "nonce": "1" * 32}
    answers = await asyncio.gather(*(people.nobody.do("openSession", mine, FIELDS) for _ in range(3)))
    tokens = {one["token"] for one in answers}
    assert len(tokens) == 1
    assert {one["session"]["id"] for one in answers} == {made["session"]["id"]}
    for second in (others, {"code": code}):
        refused = await people.nobody.do("openSession", second, FIELDS)
        assert (refused["userErrors"][0]["code"], refused["token"]) == ("INVALID_STATE", None)
    (token,) = tokens
    browser = Caller(people.client.http, token)
    assert await own_id(browser) == made["session"]["id"]
    await browser.done("revokeSession", {"sessionId": made["session"]["id"]}, "session { id }")
    refused = await people.nobody.do("openSession", mine, FIELDS)
    assert (refused["userErrors"][0]["code"], refused["token"]) == ("INVALID_STATE", None), "it has ended"


async def test_a_nonce_that_could_be_guessed_opens_nothing(people: People) -> None:
    made = await people.client.done("createSessionLink", READS, "url")
    code = made["url"].partition("#")[2]
    for nonce in ("", "0" * 31, "0" * 129):
        refused = await people.nobody.do("openSession", {"code": code, "nonce": nonce}, FIELDS)
        assert (refused["userErrors"][0]["code"], refused["userErrors"][0]["field"]) == ("INVALID_INPUT", "nonce")
    assert (await people.nobody.do("openSession", {"code": code}, FIELDS))["token"] is not None


async def test_codes_that_open_nothing_say_why_without_repeating_them(people: People) -> None:
    expired, revoked = [await people.client.done("createSessionLink", READS, "url session { id }") for _ in range(2)]
    await people.client.done("revokeSession", {"sessionId": revoked["session"]["id"]}, "session { id }")
    await database.execute("UPDATE sessions SET expires_at = clock_timestamp() WHERE id = $1", expired["session"]["id"])
    for code, kind, said in (
        (expired["url"].partition("#")[2], "INVALID_STATE", "has expired"),
        (revoked["url"].partition("#")[2], "INVALID_STATE", "was revoked"),
        ("el_" + "0" * 52, "NOT_FOUND", "no such link"),
        (people.client.token or "", "NOT_FOUND", "no such link"),
        ("", "NOT_FOUND", "no such link"),
    ):
        refused = await people.nobody.do("openSession", {"code": code}, "token session { id }")
        (error,) = refused["userErrors"]
        assert (error["code"], error["field"]) == (kind, "code")
        assert said in error["message"]
        assert not code or code not in str(refused)
        assert (refused["token"], refused["session"]) == (None, None)


async def test_a_wrong_code_is_paid_for_by_whoever_shows_it_like_a_wrong_key(people: People) -> None:
    app: Any = people.client.http._transport.app  # type: ignore[attr-defined]
    app.state.door.rates = Rates(1.0)
    query = 'mutation { openSession(input: {code: "el_%s"}) { userErrors { code } } }'
    asked = [
        (await people.nobody.post(query % (digit * 52))).json()["extensions"]["cost"]["requested"] for digit in "012"
    ]
    assert min(asked) >= costs.MUTATION + WRONG_CODE
    while (answer := await people.nobody.post(query % ("3" * 52))).status_code == 200:
        pass
    assert answer.status_code == 429
    assert answer.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
