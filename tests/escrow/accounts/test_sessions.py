"""Sessions on a real database: who makes one, what it may do, what ends it, and links that open once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from escrow import database, ids, lineage
from escrow.access import Actor, ActorKind, Role, Scope
from escrow.accounts import authentication, commands, queries, tokens
from escrow.accounts.authentication import authenticate
from escrow.accounts.decisions import sessions as decisions
from escrow.accounts.known_keys import KnownKeys
from escrow.accounts.tokens import Token
from escrow.audit import audit
from escrow.errors import DomainError, Forbidden, InvalidInput, InvalidState, NotFound
from escrow.idempotency import idempotency
from escrow.pipeline import run
from escrow.queries import views
from tests.escrow.accounts.world import World
from tests.plans import explain

READ, WRITE, MONEY = Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE


@pytest_asyncio.fixture(loop_scope="session")
async def world(database: str) -> World:
    """The operator, a studio and a shop, on a clean database."""
    assert database
    return await World.make()


async def key_of(world: World, account_id: str | None = None, **limits: Any) -> Actor:
    """A key that the operator made, as whoever shows its token."""
    limits.setdefault("scopes", (READ, WRITE, MONEY))
    token, _ = await world.create_key(account_id=account_id, **limits)
    return await found(token)


async def found(token: Token) -> Actor:
    actor = await authenticate(token.text)
    assert actor is not None
    return actor


def command_of(by: Actor, **given: Any) -> commands.CreateSession:
    is_link = given.get("is_link", False)
    return commands.CreateSession(
        **{
            "session_id": ids.new(ids.Kind.SESSION),
            "account_id": by.account_id,
            "member_id": by.member_id,
            "scopes": (READ,),
            "token": tokens.new(tokens.LINK if is_link else tokens.SESSION),
        }
        | given
    )


async def session_of(by: Actor, **given: Any) -> Token:
    command = command_of(by, **given)
    await run(command, by=by)
    return command.token


async def opens(token: Token) -> bool:
    return await authenticate(token.text) is not None


async def differences() -> list[str]:
    return [one.what async for one in audit()]


async def endings() -> dict[str, str]:
    rows = await database.fetch(
        "SELECT body::jsonb -> 'data' ->> 'sessionId' AS session, body::jsonb -> 'data' ->> 'reason' AS reason "
        "FROM events WHERE type = 'session.ended'"
    )
    assert len({row["session"] for row in rows}) == len(rows), "none ends twice"
    return {row["session"]: row["reason"] for row in rows}


# What a session is


async def test_a_session_acts_within_what_its_key_gave_it_and_the_log_names_it(world: World) -> None:
    key = await key_of(world)
    browser = await found(await session_of(key, scopes=(READ, WRITE), origins=("https://app.example.com",)))
    assert (browser.kind, browser.account_id, browser.role) == (ActorKind.ACCOUNT, world.studio, Role.OWNER)
    assert (browser.key_id, browser.made_by) == (None, key.key_id)
    assert (set(browser.scopes), set(browser.origins)) == ({READ, WRITE}, {"https://app.example.com"})
    assert browser.wire() == {"kind": "ACCOUNT", "account": world.studio, "session": browser.session_id}
    assert await differences() == []


async def test_a_session_costs_the_two_statements_of_a_command_and_one_to_be_recognised(world: World) -> None:
    key = await key_of(world)
    with database.counting() as made:
        token = await session_of(key)
    with database.counting() as recognised:
        await found(token)
    assert (len(made), len(recognised)) == (2, 1)


async def test_a_members_session_has_the_members_role(world: World) -> None:
    member_id = await world.add_member("vera@studio.example", Role.VIEWER)
    own = await key_of(world, member_id=member_id)
    assert own.role is Role.VIEWER
    for by in (own, await key_of(world), world.operator):
        browser = await found(await session_of(by, account_id=world.studio, member_id=member_id))
        assert (browser.member_id, browser.role) == (member_id, Role.VIEWER)
    named = await found(await session_of(own, account_id=None, member_id=member_id))
    assert named.account_id == world.studio, "a member says whose account it is"


async def test_the_operator_makes_sessions_of_any_account_and_of_its_own(world: World) -> None:
    operator = await key_of(world, world.operator_account, scopes=(Scope.OPERATOR, READ))
    theirs = await found(await session_of(operator, account_id=world.shop, scopes=(READ, MONEY)))
    assert (theirs.kind, theirs.account_id) == (ActorKind.ACCOUNT, world.shop)
    assert set(theirs.scopes) == {READ, MONEY}
    own = await found(await session_of(operator, scopes=(Scope.OPERATOR, READ)))
    assert own.kind is ActorKind.OPERATOR


async def test_none_has_more_than_its_key(world: World) -> None:
    contract_id = await world.contract(client=world.studio, freelancer=world.shop, state="ACTIVE")
    other_id = await world.contract(client=world.studio, freelancer=world.shop, state="ACTIVE")
    key = await key_of(world, scopes=(READ,))
    with pytest.raises(Forbidden, match="contracts:write") as refused:
        await session_of(key, scopes=(READ, WRITE))
    assert (refused.value.field, refused.value.details) == ("scopes", {"scopes": ["contracts:write"]})
    limited = await key_of(world, scopes=(READ,), contract_ids=(contract_id,))
    assert (await found(await session_of(limited))).contract_ids == frozenset({contract_id}), (
        "its key's, if none are named"
    )
    with pytest.raises(NotFound):
        await session_of(limited, contract_ids=(other_id,))
    with pytest.raises(Forbidden, match="own owners"):
        await session_of(key, account_id=world.shop)
    with pytest.raises(NotFound):
        await session_of(key, contract_ids=(ids.new(ids.Kind.CONTRACT),))
    assert (await found(await session_of(key, contract_ids=(other_id,)))).contract_ids == frozenset({other_id})


async def test_a_member_of_the_operators_account_gives_a_browser_no_more_than_their_key_either(world: World) -> None:
    for role in (Role.VIEWER, Role.MANAGER):
        member_id = await world.add_member(f"{role.value}@earnest.example", role, account_id=world.operator_account)
        own = await key_of(world, world.operator_account, scopes=(Scope.OPERATOR,), member_id=member_id)
        with pytest.raises(Forbidden, match="disputes:decide"):
            await session_of(own, scopes=(Scope.OPERATOR, Scope.DISPUTES_DECIDE))
        assert await opens(await session_of(own, scopes=(Scope.OPERATOR,)))


async def test_only_owners_make_sessions_of_others(world: World) -> None:
    manager_id = await world.add_member("max@studio.example", Role.MANAGER)
    viewer_id = await world.add_member("vera@studio.example", Role.VIEWER)
    manager = await key_of(world, member_id=manager_id)
    assert await opens(await session_of(manager))
    for member_id in (None, viewer_id):
        with pytest.raises(Forbidden, match="OWNER"):
            await session_of(manager, member_id=member_id)


async def test_without_a_key_nobody_makes_one(world: World) -> None:
    member_id = await world.add_member("olga@studio.example", Role.OWNER)
    by_identity = Actor(ActorKind.ACCOUNT, world.studio, member_id=member_id, scopes=frozenset({READ, WRITE}))
    with pytest.raises(Forbidden, match="with a key"):
        await session_of(by_identity)


async def test_a_session_makes_nothing_that_outlives_it(world: World) -> None:
    browser = await found(await session_of(await key_of(world), scopes=(READ, WRITE, MONEY)))
    for command in (world.key_command(), command_of(browser), world.member_command("eve@studio.example")):
        with pytest.raises(Forbidden, match="outlives"):
            await run(command, by=browser)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"scopes": ()}, "scopes"),
        ({"scopes": (Scope.OPERATOR,)}, "scopes"),
        ({"contract_ids": ()}, "contractIds"),
        ({"lifetime": timedelta(seconds=59)}, "lifetimeSeconds"),
        ({"lifetime": timedelta(hours=12, seconds=1)}, "lifetimeSeconds"),
        ({"origins": ("https://app.example.com/",)}, "origins.0"),
        ({"origins": ("https://app.example.com", "null")}, "origins.1"),
        ({"origins": ("https://App.example.com",)}, "origins.0"),
        ({"origins": ("*",)}, "origins.0"),
        ({"origins": ("https://*.example.com",)}, "origins.0"),
        ({"origins": ("javascript:alert(1)",)}, "origins.0"),
        ({"origins": ("https://a@b.example",)}, "origins.0"),
        ({"origins": ("https://b.example\n",)}, "origins.0"),
        ({"origins": tuple(f"https://{number}.example" for number in range(11))}, "origins"),
    ],
)
async def test_what_no_session_could_be_is_refused_by_its_field(
    world: World, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await session_of(world.operator, account_id=world.studio, **given)
    assert refused.value.field == field
    assert await database.fetch_value("SELECT count(*) FROM sessions") == 0


async def test_origins_of_every_kind_that_browsers_have_are_taken_once_each(world: World) -> None:
    origins = ("https://app.example.com", "http://localhost:5173", "http://[::1]:8080", "https://app.example.com")
    browser = await found(await session_of(await key_of(world), origins=origins))
    assert browser.origins == set(origins)


async def test_an_account_has_so_many_sessions_at_a_time_and_those_that_are_over_do_not_count(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "SESSIONS_MAX", 2)
    key = await key_of(world)
    first = await found(await session_of(key))
    await session_of(key, is_link=True)
    with pytest.raises(InvalidState, match="at most 2 sessions"):
        await session_of(key)
    await run(commands.RevokeSession(session_id=first.session_id or ""), by=key)
    await session_of(key)
    await database.execute("UPDATE sessions SET expires_at = clock_timestamp()")
    assert await opens(await session_of(key))


async def test_one_member_shuts_nobody_else_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "SESSIONS_OF_A_MEMBER_MAX", 2)
    viewer = await key_of(world, member_id=await world.add_member("vera@studio.example", Role.VIEWER))
    for _ in range(2):
        await session_of(viewer)
    with pytest.raises(InvalidState, match="A member has at most 2 sessions"):
        await session_of(viewer)
    assert await opens(await session_of(await key_of(world)))


# What ends it


async def test_it_ends_by_itself_and_with_the_end_of_its_key(world: World) -> None:
    key = await key_of(world, expires_in=timedelta(minutes=5))
    token = await session_of(key, lifetime=timedelta(hours=12))
    left = "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM api_keys WHERE id = $1"
    seconds_of_key = await database.fetch_value(left, key.key_id)
    remembered = await authentication.find(token)
    assert remembered is not None
    assert remembered.seconds is not None
    assert remembered.seconds <= seconds_of_key, "what is remembered of it is no longer than its key"
    await database.execute("UPDATE api_keys SET expires_at = clock_timestamp() WHERE id = $1", key.key_id)
    assert not await opens(token)
    assert await queries.sessions_of(world.operator, [world.studio]) == {world.studio: []}
    other = await session_of(await key_of(world))
    await database.execute("UPDATE sessions SET expires_at = clock_timestamp()")
    assert not await opens(other)
    assert await endings() == {}


async def test_whoever_may_end_a_session_ends_it_at_once(world: World) -> None:
    member_id = await world.add_member("vera@studio.example", Role.VIEWER)
    reader = await key_of(world, scopes=(READ,), member_id=member_id)
    owner = await key_of(world)
    for maker, given, by in (
        (owner, {}, owner),
        (owner, {}, await key_of(world)),
        (owner, {}, world.operator),
        (reader, {}, reader),
        (owner, {"member_id": member_id}, reader),
    ):
        token = await session_of(maker, **given)
        browser = await found(token)
        await run(commands.RevokeSession(session_id=browser.session_id or ""), by=by)
        assert not await opens(token)
    own = await session_of(reader)
    browser = await found(own)
    await run(commands.RevokeSession(session_id=browser.session_id or ""), by=browser)
    assert not await opens(own), "a viewer signs out"
    assert set((await endings()).values()) == {"REVOKED"}
    assert await differences() == []


async def test_a_session_that_is_limited_to_contracts_ends_itself_and_no_other_of_its_member(world: World) -> None:
    contract_id = await world.contract(client=world.studio, freelancer=world.shop, state="ACTIVE")
    reader = await key_of(world, scopes=(READ,), member_id=await world.add_member("vera@studio.example", Role.VIEWER))
    wide = await session_of(reader)
    limited = await found(await session_of(reader, contract_ids=(contract_id,)))
    with pytest.raises(Forbidden):
        await run(commands.RevokeSession(session_id=(await found(wide)).session_id or ""), by=limited)
    assert await opens(wide)
    await run(commands.RevokeSession(session_id=limited.session_id or ""), by=limited)


async def test_nobody_else_ends_it(world: World) -> None:
    member_id = await world.add_member("vera@studio.example", Role.VIEWER)
    token = await session_of(await key_of(world))
    session_id = (await found(token)).session_id or ""
    refusals: Sequence[tuple[Actor, type[DomainError]]] = (
        (await key_of(world, member_id=member_id), Forbidden),
        (await key_of(world, scopes=(READ,)), Forbidden),
        (await key_of(world, world.shop), NotFound),
    )
    for by, refusal in refusals:
        with pytest.raises(refusal):
            await run(commands.RevokeSession(session_id=session_id), by=by)
    assert await opens(token)


async def test_it_ends_with_the_key_that_made_it_without_being_asked_for(world: World) -> None:
    key, other = await key_of(world), await key_of(world)
    token, link, stays = await session_of(key), await session_of(key, is_link=True), await session_of(other)
    await run(commands.RevokeApiKey(key_id=key.key_id or ""), by=other)
    assert [await opens(one) for one in (token, stays)] == [False, True]
    assert await authentication.of_link(link) is None
    assert set((await endings()).values()) == {"MAKER_REVOKED"}
    assert await differences() == []


async def test_it_ends_with_all_that_came_of_a_key(world: World) -> None:
    owner = await key_of(world)
    command = world.key_command(scopes=(READ, WRITE))
    await run(command, by=owner)
    token = await session_of(await found(command.token))
    await run(commands.RevokeApiKey(key_id=owner.key_id or "", with_descendants=True), by=world.operator)
    assert not await opens(token)
    assert await differences() == []


async def test_it_ends_with_the_operators_key_in_any_account_at_once_and_its_log_says_so_after(world: World) -> None:
    operator = await key_of(world, world.operator_account, scopes=(Scope.OPERATOR, READ))
    token = await session_of(operator, account_id=world.shop)
    session_id = (await found(token)).session_id
    outcome = await run(commands.RevokeApiKey(key_id=operator.key_id or ""), by=world.operator)
    assert not await opens(token), "before anything was said in the shop's log"
    assert await endings() == {}
    await lineage.end_sessions_elsewhere(outcome, by=world.operator)
    assert await endings() == {session_id: "MAKER_REVOKED"}
    assert await differences() == []


@pytest.mark.parametrize("again", ["a repetition", "another time"])
@pytest.mark.parametrize("ended", ["the key", "its member"])
async def test_what_was_left_of_it_in_other_accounts_is_ended_by_asking_again(
    world: World, ended: str, again: str
) -> None:
    member_id = await world.add_member("olga@earnest.example", Role.OWNER, account_id=world.operator_account)
    await world.add_member("otto@earnest.example", Role.OWNER, account_id=world.operator_account)
    maker = await key_of(world, world.operator_account, scopes=(Scope.OPERATOR, READ), member_id=member_id)
    session_id = (await found(await session_of(maker, account_id=world.shop, member_id=None))).session_id
    command: commands.RevokeApiKey | commands.RemoveMember = (
        commands.RevokeApiKey(key_id=maker.key_id or "")
        if ended == "the key"
        else commands.RemoveMember(member_id=member_id)
    )
    once = idempotency("k", operation="ended", given={}) if again == "a repetition" else None
    await run(command, by=world.operator, idempotency=once)
    assert await endings() == {}
    outcome = await run(command, by=world.operator, idempotency=once)
    assert (outcome.recorded, outcome.replayed) == ((), again == "a repetition")
    await lineage.end_sessions_elsewhere(outcome, by=world.operator)
    assert await endings() == {session_id: "MAKER_REVOKED"}
    assert await differences() == []


async def test_a_leak_of_the_operators_key_ends_sessions_in_every_account(world: World) -> None:
    leaked = await key_of(world, world.operator_account, scopes=(Scope.OPERATOR, READ))
    second = world.key_command(account_id=world.operator_account, scopes=(Scope.OPERATOR, READ))
    await run(second, by=leaked)
    made = [
        await session_of(leaked, account_id=world.shop),
        await session_of(await found(second.token), account_id=world.studio),
    ]
    await run(commands.RevokeApiKey(key_id=leaked.key_id or "", with_descendants=True), by=world.operator)
    await lineage.revoke_elsewhere(leaked.key_id or "", by=world.operator)
    assert [await opens(token) for token in made] == [False, False]
    assert set((await endings()).values()) == {"MAKER_REVOKED"}
    assert len(await endings()) == 2


async def test_it_ends_with_its_member_and_with_the_keys_of_a_member_who_goes(world: World) -> None:
    member_id = await world.add_member("olga@studio.example", Role.OWNER)
    key, own = await key_of(world), await key_of(world, member_id=member_id)
    tokens_of_both = [await session_of(key, member_id=member_id), await session_of(own, member_id=None)]
    stays = await session_of(key)
    await run(commands.RemoveMember(member_id=member_id), by=world.operator)
    assert [await opens(token) for token in (*tokens_of_both, stays)] == [False, False, True]
    assert sorted((await endings()).values()) == ["MAKER_REVOKED", "MEMBER_REMOVED"]
    assert await differences() == []


async def test_it_ends_with_its_account_and_a_key_of_a_disabled_one_makes_none(world: World) -> None:
    key = await key_of(world)
    token, link = await session_of(key), await session_of(key, is_link=True)
    await run(commands.DisableAccount(account_id=world.studio), by=world.operator)
    assert not await opens(token)
    assert set((await endings()).values()) == {"ACCOUNT_DISABLED"}
    with pytest.raises(InvalidState, match="revoked"):
        await opened(link)
    with pytest.raises(Forbidden, match="disabled"):
        await session_of(key)
    assert await opens(await session_of(world.operator, account_id=world.studio)), "the operator lets them look"
    assert await differences() == []


async def test_what_is_remembered_of_a_session_ends_before_its_revocation_is_answered(world: World) -> None:
    key = await key_of(world)
    known = KnownKeys()
    for ending in (commands.RevokeApiKey(key_id=key.key_id or ""), commands.DisableAccount(account_id=world.studio)):
        by = world.operator
        maker = key if isinstance(ending, commands.RevokeApiKey) else by
        token = await session_of(maker, account_id=world.studio)
        assert await known.actor(token.text) is not None
        await run(ending, by=by)
        assert await known.actor(token.text) is None


async def test_a_session_that_ended_while_its_command_was_under_way_does_nothing_more(world: World) -> None:
    operator = await key_of(world, world.operator_account, scopes=(Scope.OPERATOR, READ))
    token = await session_of(operator, scopes=(Scope.OPERATOR, READ))
    late = await found(token)
    await run(commands.RevokeSession(session_id=late.session_id or ""), by=operator)
    with pytest.raises(Forbidden, match="has ended"):
        await run(commands.DisableAccount(account_id=world.studio), by=late)


# Links


async def opened(code: Token) -> Token:
    session = await authentication.of_link(code)
    assert session is not None
    token = tokens.new(tokens.SESSION)
    await run(commands.OpenSession(session_id=session.session_id or "", token=token), by=session)
    return token


async def test_a_code_is_no_token_and_opens_one_session_once_also_for_many_at_once(world: World) -> None:
    code = await session_of(await key_of(world), is_link=True, lifetime=timedelta(hours=12))
    assert not await opens(code)
    assert not await opens(Token(code.text.replace(tokens.LINK, tokens.SESSION)))
    results = await asyncio.gather(*(opened(code) for _ in range(8)), return_exceptions=True)
    (token,) = [one for one in results if isinstance(one, Token)]
    others = [str(one) for one in results if not isinstance(one, Token)]
    assert others == ["This link was opened already; it works once."] * 7
    assert await opens(token)
    assert await database.fetch_value("SELECT count(*) FROM events WHERE type = 'session.opened'") == 1
    recognised = await authentication.find(token)
    assert recognised is not None
    assert recognised.seconds is not None
    assert 11 * 3600 < recognised.seconds <= 12 * 3600, "its time begins when it is opened"
    assert await differences() == []


async def test_a_link_that_has_expired_or_was_revoked_says_so(world: World) -> None:
    key = await key_of(world)
    expired, revoked = await session_of(key, is_link=True), await session_of(key, is_link=True)
    session = await authentication.of_link(revoked)
    assert session is not None
    await run(commands.RevokeSession(session_id=session.session_id or ""), by=key)
    await database.execute("UPDATE sessions SET expires_at = clock_timestamp() WHERE ended_at IS NULL")
    for code, said in ((expired, "has expired"), (revoked, "was revoked")):
        with pytest.raises(InvalidState, match=said):
            await opened(code)


async def test_nobody_but_whoever_shows_its_code_opens_a_link(world: World) -> None:
    key = await key_of(world)
    command = command_of(key, is_link=True)
    await run(command, by=key)
    opening = commands.OpenSession(session_id=command.session_id, token=tokens.new(tokens.SESSION))
    other = await found(await session_of(key))
    for by in (key, world.operator, other, replace(other, session_id=None)):
        with pytest.raises(NotFound):
            await run(opening, by=by)


# What is kept


async def test_no_token_or_code_lies_anywhere_but_as_a_digest(world: World) -> None:
    key = await key_of(world)
    token, code = await session_of(key), await session_of(key, is_link=True)
    second = await opened(code)
    rows = await database.fetch(
        "SELECT (to_jsonb(session) - 'secret_sha256' - 'code_sha256')::text AS text FROM sessions AS session "
        "UNION ALL SELECT body FROM events UNION ALL SELECT body FROM texts UNION ALL SELECT result::text FROM idempotency_keys"
    )
    kept = "".join(row["text"] or "" for row in rows)
    assert key.key_id is not None
    assert key.key_id in kept
    for secret in (token, code, second):
        assert repr(secret) == "Token()"
        assert secret.text not in kept
        assert secret.digest.hex() not in kept, "whoever reads the log can't put a session of theirs in the table"


async def test_a_digest_that_somebody_put_in_place_of_another_is_found_by_the_audit(world: World) -> None:
    await session_of(await key_of(world))
    await database.execute("UPDATE sessions SET secret_sha256 = sha256('mine')")
    assert await differences() == ["sessions.is_recognised"]


_MANY = """
INSERT INTO sessions (
    id, account_id, secret_sha256, hint, fingerprint, scopes, origins, created_at, expires_at, ended_at, created_by)
SELECT 'ses_' || lpad(n::text, 26, '0'), $1, sha256(n::text::bytea), '', '', '{contracts:read}', '{}', now(), now(),
    CASE WHEN n % 3 = 0 THEN now() END, $2
FROM generate_series(1, 20000) AS n
"""


@pytest.mark.usefixtures("untouched_database")
async def test_sessions_that_are_over_are_not_read_again_however_many_there_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await World.make()
    key = await key_of(world)
    await session_of(key)
    await database.execute(_MANY, world.studio, key.key_id)
    await database.execute("ANALYZE sessions, api_keys, accounts")
    asked: list[tuple[Any, ...]] = []
    fetch_row = database.fetch_row

    async def noted(sql: str, *arguments: Any) -> Any:
        asked.append((sql, *arguments))
        return await fetch_row(sql, *arguments)

    monkeypatch.setattr(database, "fetch_row", noted)
    await session_of(key)
    page = views._page(queries.SESSIONS_LIVING.select, "account_id", "id", backwards=False)
    for sql, *arguments in (
        asked[0],
        (page, [world.studio], 51, ""),
        (queries.sessions._OF_ACCOUNTS, [world.studio]),
        (lineage._LIVING, key.key_id),
    ):
        plan = await explain(sql, *arguments)
        assert "sessions" not in plan.read_whole
        assert plan.blocks("sessions") < 100, sql
