"""Every mutation of the schema, asked with a session: without a limit, limited to the contract at hand, and to another one."""

from __future__ import annotations

from typing import Any, Final

import pytest

from escrow import database
from tests.api.asked import CASES, FOR_ANYBODY
from tests.api.client import Caller, People

HANDS_OUT: Final = {
    "createAccount", "enableAccount", "appointMediator", "addMember", "createApiKey", "createSession",
    "createSessionLink", "createCalendarToken", "createWebhookEndpoint", "updateWebhookEndpoint",
    "enableWebhookEndpoint", "rotateWebhookSecret", "connectPayee",
}  # fmt: skip
"""What gives rights, secrets, dates or events to somebody beyond the moment, or back: no session does it."""

OF_ACCOUNTS: Final = {
    "proposeContract", "disableAccount", "setRate", "dismissMediator", "removeMember",
    "revokeApiKey", "revokeSession", "setFees", "revokeCalendarToken", "disableWebhookEndpoint",
    "deleteWebhookEndpoint", "sendTestEvent", "replayEvents", "redeliver", "advanceTestClock",
}  # fmt: skip
"""What is about the account or the deployment: no session that is limited to contracts does it."""

OF_CONTRACTS: Final = set(CASES) - HANDS_OUT - OF_ACCOUNTS - FOR_ANYBODY

REFUSED: Final = {"FORBIDDEN", "NOT_FOUND"}


async def session(people: People, by: Caller, **given: Any) -> Caller:
    """A session with every scope of the key that makes it."""
    scopes = (await by.ask("{ viewer { scopes } }"))["viewer"]["scopes"]
    made = await by.done("createSession", {"scopes": scopes} | given, "token session { accountId }")
    return Caller(people.client.http, made["token"], made["session"]["accountId"])


async def codes(by: Caller, mutation: str, given: dict[str, Any]) -> set[str]:
    """Why it was refused, if it was."""
    return {error["code"] for error in (await by.do(mutation, given, "__typename"))["userErrors"]}


async def written() -> list[Any]:
    """What a mutation would add to."""
    tables = ("events", "external_references", "deliveries", "replays", "calendar_tokens", "endpoints", "api_keys")
    counts: list[Any] = [await database.fetch_value(f"SELECT count(*) FROM {table}") for table in tables]
    return [*counts, await database.fetch_value("SELECT clock_offset FROM deployment")]


@pytest.mark.parametrize("mutation", [name for name in CASES if name not in FOR_ANYBODY])
async def test_a_session_does_what_its_key_may_within_its_contracts_and_hands_nothing_out(
    people: People, mutation: str
) -> None:
    caller, given = await CASES[mutation](people)
    contracts = [row["id"] for row in await database.fetch("SELECT id FROM contracts")]
    other = (await people.deployment.propose("10.00")).id
    elsewhere = await session(people, caller, contractIds=[other])
    within = await session(people, caller, contractIds=contracts or [other])
    free = await session(people, caller)
    before = await written()
    assert await codes(elsewhere, mutation, given) & REFUSED
    if mutation not in OF_CONTRACTS:
        assert await codes(within, mutation, given) & REFUSED
    if mutation in HANDS_OUT:
        assert await codes(free, mutation, given) == {"FORBIDDEN"}
    assert await written() == before
    if mutation not in HANDS_OUT:
        assert await codes(within if mutation in OF_CONTRACTS else free, mutation, given) == set()
