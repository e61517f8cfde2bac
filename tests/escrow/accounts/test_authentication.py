"""Whose key a token is: good ones, ended ones, strange ones; and when a key was last used."""

from __future__ import annotations

from datetime import timedelta

import pytest

from escrow import database, ids
from escrow.access import ActorKind, Role, Scope
from escrow.accounts import commands
from escrow.accounts.authentication import authenticate
from escrow.accounts.usage import KeyUsage
from escrow.pipeline import run
from tests.escrow.accounts.world import World
from tests.workers.process import until
from tests.written import written


async def test_a_key_is_its_account_within_its_scopes_in_one_statement(world: World) -> None:
    token, key_id = await world.create_key(scopes=(Scope.CONTRACTS_READ, Scope.MONEY_WRITE))
    with database.counting() as statements:
        actor = await authenticate(token.text)
    assert len(statements) == 1
    assert actor is not None
    assert (actor.kind, actor.account_id, actor.key_id) == (ActorKind.ACCOUNT, world.studio, key_id)
    assert (actor.role, actor.member_id) == (Role.OWNER, None)
    assert actor.scopes == frozenset({Scope.CONTRACTS_READ, Scope.MONEY_WRITE})
    assert actor.contract_ids is None


async def test_a_members_key_has_the_members_role(world: World) -> None:
    member_id = await world.add_member("cleo@studio.example", Role.VIEWER)
    token, _ = await world.create_key(member_id=member_id)
    actor = await authenticate(token.text)
    assert actor is not None
    assert (actor.role, actor.member_id) == (Role.VIEWER, member_id)


async def test_a_limited_key_reaches_its_contracts_only(world: World) -> None:
    contract_id = await world.contract(client=world.shop, freelancer=world.studio, state="ACTIVE")
    token, _ = await world.create_key(contract_ids=(contract_id,))
    actor = await authenticate(token.text)
    assert actor is not None
    assert actor.contract_ids == frozenset({contract_id})


async def test_the_operators_key_is_the_operator_only_with_the_scope(world: World) -> None:
    for scopes, kind in (
        ((Scope.OPERATOR,), ActorKind.OPERATOR),
        ((Scope.CONTRACTS_READ,), ActorKind.ACCOUNT),
    ):
        token, _ = await world.create_key(account_id=world.operator_account, scopes=scopes)
        actor = await authenticate(token.text)
        assert actor is not None
        assert actor.kind is kind


async def test_a_disabled_accounts_key_stays_good(world: World) -> None:
    token, _ = await world.create_key()
    await run(commands.DisableAccount(account_id=world.studio), by=world.operator)
    actor = await authenticate(token.text)
    assert actor is not None
    assert actor.account_id == world.studio


async def test_an_ended_key_is_nobody(world: World) -> None:
    member_id = await world.add_member("ben@studio.example", Role.OWNER)
    revoked, revoked_id = await world.create_key()
    expired, expired_id = await world.create_key(expires_in=timedelta(days=1))
    removed, _ = await world.create_key(member_id=member_id)
    orphaned, orphaned_id = await world.create_key(member_id=member_id)
    for token in (revoked, expired, removed, orphaned):
        assert await authenticate(token.text) is not None
    await run(commands.RevokeApiKey(key_id=revoked_id), by=world.owner)
    await database.execute("UPDATE api_keys SET expires_at = clock_timestamp() WHERE id = $1", expired_id)
    await run(commands.RemoveMember(member_id=member_id), by=world.owner)
    # Even if the key itself had not ended: without its member it opens nothing.
    await database.execute("UPDATE api_keys SET revoked_at = NULL WHERE id = $1", orphaned_id)
    for token in (revoked, expired, removed, orphaned):
        assert await authenticate(token.text) is None


async def test_the_test_clock_does_not_end_a_key(world: World) -> None:
    token, _ = await world.create_key(expires_in=timedelta(days=1))
    await database.execute("UPDATE deployment SET clock_offset = '400 days'")
    assert await authenticate(token.text) is not None


@pytest.mark.parametrize(
    "strange",
    ["", "ek_", "ek_" + "0" * 51, "ek_" + "0" * 53, "ek_" + "u" * 52, "ek_" + "0" * 51 + "\0", "x" * 100_000, "ek_🦊"],
)
async def test_what_no_key_looks_like_is_nobody_without_a_statement(world: World, strange: str) -> None:
    assert world.studio
    with database.counting() as statements:
        assert await authenticate(strange) is None
    assert statements == []


async def test_an_unknown_key_is_nobody(world: World) -> None:
    assert world.studio
    assert await authenticate("ek_" + "0" * 52) is None


# Last use


async def last_use(key_id: str) -> object:
    return await database.fetch_value("SELECT last_used_at FROM api_keys WHERE id = $1", key_id)


async def test_the_use_of_many_keys_is_written_in_one_statement_off_the_requests_path(world: World) -> None:
    made = [await world.create_key() for _ in range(3)]
    usage = KeyUsage()
    with database.counting() as statements:
        for token, key_id in made:
            await authenticate(token.text)
            usage.note(key_id)
        usage.note(None)
        assert len(statements) == 3
        await usage.flush()
        await usage.flush()
        assert len(statements) == 4
    for _, key_id in made:
        assert await last_use(key_id) is not None


async def test_the_flusher_writes_by_itself_and_once_more_at_its_end(world: World) -> None:
    _, first = await world.create_key()
    _, second = await world.create_key()
    usage = KeyUsage(flush_seconds=0.02)
    usage.start()
    usage.start()
    usage.note(first)

    async def is_noted() -> bool:
        return await last_use(first) is not None

    await until(is_noted)
    usage.note(second)
    await usage.stop()
    await usage.stop()
    assert await last_use(second) is not None


async def test_a_database_that_refuses_fails_nobody_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key_id = await world.create_key()
    usage = KeyUsage()
    usage.note(key_id)

    async def refuse(*_: object) -> str:
        raise OSError("the database is away")

    with monkeypatch.context() as patched, written() as log:
        patched.setattr(database, "execute", refuse)
        await usage.flush()
    (entry,) = log.entries
    assert (entry["keys"], entry["error"]) == (1, "OSError: the database is away")
    assert await last_use(key_id) is None
    await usage.flush()
    assert await last_use(key_id) is not None


async def test_last_use_never_goes_back_and_a_key_that_is_gone_is_passed_over(world: World) -> None:
    _, key_id = await world.create_key()
    await database.execute("UPDATE api_keys SET last_used_at = '2999-01-01' WHERE id = $1", key_id)
    before = await last_use(key_id)
    usage = KeyUsage()
    usage.note(key_id)
    usage.note(ids.new(ids.Kind.KEY))
    await usage.flush()
    assert await last_use(key_id) == before
