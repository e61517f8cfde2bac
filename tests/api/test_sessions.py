"""Sessions over the API: a browser's token, made by a server's key, limited further, from pages that it names."""

from __future__ import annotations

from typing import Any

from tests.api.client import Caller, People

READS: dict[str, Any] = {"scopes": ["CONTRACTS_READ"]}
FIELDS = "token session { id scopes contractIds origins memberId accountId expiresAt isWaiting createdBy }"


async def session(people: People, by: Caller, **given: Any) -> Caller:
    made = await by.done("createSession", READS | given, FIELDS)
    assert made["token"].startswith("es_")
    return Caller(people.client.http, made["token"], made["session"]["accountId"])


async def test_a_session_acts_for_the_account_of_the_key_that_made_it(people: People) -> None:
    browser = await session(people, people.client)
    viewer = (await browser.ask("{ viewer { accountId keyId sessionId scopes session { id origins } } }"))["viewer"]
    assert viewer["accountId"] == people.client.account_id
    assert viewer["keyId"] is None
    assert viewer["session"] == {"id": viewer["sessionId"], "origins": []}
    assert viewer["scopes"] == ["CONTRACTS_READ"]


async def test_a_link_opens_once(people: People) -> None:
    made = await people.client.done("createSessionLink", READS, "url session { id isWaiting }")
    code = made["url"].partition("#")[2]
    opened = await people.nobody.done("openSession", {"code": code}, FIELDS)
    assert opened["session"]["id"] == made["session"]["id"]
    again = await people.nobody.do("openSession", {"code": code}, FIELDS)
    assert [error["code"] for error in again["userErrors"]] == ["INVALID_STATE"]
    browser = Caller(people.client.http, opened["token"])
    assert (await browser.ask("{ viewer { accountId } }"))["viewer"]["accountId"] == people.client.account_id
    listed = await people.client.ask("{ viewer { account { sessions { nodes { id } totalCount } } } }")
    assert listed["viewer"]["account"]["sessions"] == {"nodes": [{"id": made["session"]["id"]}], "totalCount": 1}
    await people.client.done("revokeSession", {"sessionId": made["session"]["id"]}, "session { endedAt }")
    assert (await browser.post("{ viewer { accountId } }")).status_code == 401
