"""Keys that keys have made: who made which stands in the log, and after a leak they end together, wherever they are."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest
import pytest_asyncio

from escrow import database, ids, lineage
from escrow.access import Actor, Role, Scope
from escrow.accounts import commands
from escrow.accounts.authentication import authenticate, authenticate_member
from escrow.accounts.state.endpoints import Algorithm
from escrow.audit import audit
from escrow.errors import Forbidden, NotFound
from escrow.idempotency import idempotency
from escrow.pipeline import AccountOutcome, run
from tests.escrow.accounts.people import sealed
from tests.escrow.accounts.world import OWN_SCOPES, World

MANAGES = (Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE)


@pytest_asyncio.fixture(loop_scope="session")
async def world(database: str) -> World:
    """The operator, a studio and a shop, on a clean database."""
    assert database
    return await World.make()


async def key_of(world: World, by: Actor, account_id: str | None = None) -> Actor:
    """A key that the actor makes, as whoever shows its token."""
    account_id = account_id or by.account_id
    scopes = (Scope.OPERATOR, *MANAGES) if account_id == world.operator_account else MANAGES
    command = world.key_command(account_id=account_id, scopes=scopes)
    await run(command, by=by)
    made = await authenticate(command.token.text)
    assert made is not None
    return made


async def founder(world: World) -> Actor:
    """A key of the studio that the operator's command line made: nobody's child."""
    return await key_of(world, world.operator, world.studio)


async def revoke(by: Actor, key: Actor, *, everything: bool = True, twice: str | None = None) -> AccountOutcome:
    assert key.key_id is not None
    command = commands.RevokeApiKey(key_id=key.key_id, with_descendants=everything)
    once = idempotency(twice, operation="revokeApiKey", given={"keyId": key.key_id}) if twice is not None else None
    outcome = await run(command, by=by, idempotency=once)
    if everything:
        await lineage.revoke_elsewhere(key.key_id, by=by)
    return outcome


async def living() -> set[str]:
    return {row["id"] for row in await database.fetch("SELECT id FROM api_keys WHERE revoked_at IS NULL")}


async def events() -> object:
    return await database.fetch_value("SELECT count(*) FROM events")


def endpoint_of(world: World) -> commands.CreateEndpoint:
    return commands.CreateEndpoint(
        account_id=world.studio,
        endpoint_id=ids.new(ids.Kind.ENDPOINT),
        address=commands.Address("https://hooks.example.com"),
        secrets=(sealed(Algorithm.HMAC_SHA256, 1),),
    )


async def reasons() -> dict[str, str]:
    rows = await database.fetch(
        "SELECT body::jsonb -> 'data' ->> 'keyId' AS key, body::jsonb -> 'data' ->> 'reason' AS reason "
        "FROM events WHERE type = 'key.revoked'"
    )
    assert len({row["key"] for row in rows}) == len(rows), "no key ends twice"
    return {row["key"]: row["reason"] for row in rows}


async def test_the_maker_of_a_key_is_whoever_the_log_says_and_nobody_for_the_command_line(world: World) -> None:
    first = await founder(world)
    second = await key_of(world, first)
    rows = await database.fetch("SELECT id, created_by FROM api_keys")
    assert {row["id"]: row["created_by"] for row in rows} == {first.key_id: None, second.key_id: first.key_id}
    assert [one async for one in audit()] == []
    await database.execute("UPDATE api_keys SET created_by = NULL")
    assert [one.what async for one in audit()] == ["api_keys.created_by"], "nobody hides a lineage"


async def test_all_that_came_of_a_key_ends_with_it_and_nothing_else(world: World) -> None:
    owner = await founder(world)
    leaked = await key_of(world, owner)
    child = await key_of(world, leaked)
    grandchild = await key_of(world, child)
    bystander, theirs = await key_of(world, owner), await key_of(world, world.operator, world.shop)
    outcome = await revoke(owner, leaked)
    assert await living() == {owner.key_id, bystander.key_id, theirs.key_id}
    assert await reasons() == {
        leaked.key_id: "REVOKED",
        child.key_id: "MAKER_REVOKED",
        grandchild.key_id: "MAKER_REVOKED",
    }
    assert len(outcome.recorded) == 3
    assert [one async for one in audit()] == []


async def test_without_being_asked_for_them_what_a_key_made_goes_on(world: World) -> None:
    owner = await founder(world)
    child = await key_of(world, owner)
    await revoke(world.operator, owner, everything=False)
    assert await living() == {child.key_id}


async def test_what_a_key_made_that_has_ended_already_is_found_behind_it(world: World) -> None:
    owner = await founder(world)
    leaked = await key_of(world, owner)
    between = await key_of(world, leaked)
    last = await key_of(world, between)
    await revoke(owner, between, everything=False)
    assert last.key_id in await living()
    await revoke(owner, leaked, everything=False)
    await revoke(owner, leaked)
    assert await living() == {owner.key_id}, "the way leads through two keys that had ended before"
    assert [one async for one in audit()] == []


async def test_a_key_may_end_itself_with_all_that_it_made(world: World) -> None:
    owner = await founder(world)
    await key_of(world, await key_of(world, owner))
    await revoke(owner, owner)
    assert await living() == set()


async def test_two_at_once_and_repetitions_end_each_key_once(world: World) -> None:
    owner = await founder(world)
    leaked = await key_of(world, owner)
    for _ in range(3):
        await key_of(world, leaked)
    await asyncio.gather(*(revoke(owner, leaked) for _ in range(4)), revoke(owner, leaked, twice="k"))
    assert await living() == {owner.key_id}
    assert len(await reasons()) == 4
    again = await revoke(owner, leaked, twice="k")
    assert (again.replayed, again.recorded) == (True, ())


async def test_the_operators_key_ends_with_what_it_made_in_every_account_also_by_its_own_hand(world: World) -> None:
    leaked = await key_of(world, world.operator)
    second = await key_of(world, leaked, world.operator_account)
    in_studio, in_shop = await key_of(world, leaked, world.studio), await key_of(world, second, world.shop)
    await key_of(world, in_studio)
    await key_of(world, in_shop)
    before = await key_of(world, world.operator, world.studio)
    await revoke(leaked, leaked)
    assert await living() == {before.key_id}
    assert [one async for one in audit()] == []


async def test_what_was_cut_short_in_other_accounts_is_ended_by_asking_again(world: World) -> None:
    leaked = await key_of(world, world.operator)
    await key_of(world, leaked, world.studio)
    assert leaked.key_id is not None
    await run(commands.RevokeApiKey(key_id=leaked.key_id, with_descendants=True), by=world.operator)
    assert len(await living()) == 1
    await revoke(world.operator, leaked)
    assert await living() == set()


async def test_a_key_that_was_revoked_while_its_command_was_under_way_leaves_nothing_behind(world: World) -> None:
    """Whoever was let in at the door a moment before the revocation makes no key, member or endpoint after it."""
    owner = await founder(world)
    scopes = frozenset({*owner.scopes, Scope.MONEY_WRITE})
    await revoke(world.operator, owner, everything=False)
    late = replace(owner, scopes=scopes)
    for command in (world.key_command(), world.member_command("late@studio.example")):
        with pytest.raises(Forbidden, match="was revoked"):
            await run(command, by=late)
    assert await living() == set()


async def test_a_member_who_was_removed_while_a_command_was_under_way_leaves_nothing_behind(world: World) -> None:
    """Who came with an identity provider's token has no key that would have ended."""
    member_id = await world.add_member("ida@studio.example", Role.OWNER)
    late = await authenticate_member(world.studio, "ida@studio.example", scopes=OWN_SCOPES, until=math.inf)
    assert late is not None
    await run(commands.RemoveMember(member_id=member_id), by=world.operator)
    before = await events()
    for command in (world.key_command(), world.member_command("late@studio.example"), endpoint_of(world)):
        with pytest.raises(Forbidden, match="was removed"):
            await run(command, by=late)
    assert await events() == before


async def test_a_key_that_was_revoked_while_its_command_was_under_way_is_shown_nothing_also_for_a_repetition(
    world: World,
) -> None:
    """The page of a payee is made anew for each, and a rotation answers with a secret."""
    late = replace(await founder(world), scopes=OWN_SCOPES)
    made = endpoint_of(world)
    await run(made, by=late)
    secrets = (sealed(Algorithm.HMAC_SHA256, 2),)
    asked = {
        "connectPayee": commands.ConnectPayee(account_id=world.studio, provider="sandbox"),
        "rotateWebhookSecret": commands.RotateSecret(endpoint_id=made.endpoint_id, secrets=secrets),
    }
    for name, command in asked.items():
        await run(command, by=late, idempotency=idempotency(name, operation=name, given={}))
    await revoke(world.operator, late, everything=False)
    before = await events()
    for name, command in asked.items():
        for once in (idempotency(name, operation=name, given={}), None):
            with pytest.raises(Forbidden, match="was revoked"):
                await run(command, by=late, idempotency=once)
    assert await events() == before


async def test_of_making_and_revoking_at_once_no_order_leaves_a_living_child(world: World) -> None:
    for _ in range(5):
        owner = await founder(world)
        leaked = await key_of(world, owner)
        await asyncio.gather(
            *(run(world.key_command(), by=leaked) for _ in range(3)), revoke(owner, leaked), return_exceptions=True
        )
        rows = await database.fetch(
            "SELECT id FROM api_keys WHERE created_by = $1 AND revoked_at IS NULL", leaked.key_id
        )
        assert rows == []
    assert [one async for one in audit()] == []


async def test_a_lineage_of_somebody_else_is_not_found_and_stays(world: World) -> None:
    owner = await founder(world)
    child = await key_of(world, owner)
    stranger = await key_of(world, world.operator, world.shop)
    with pytest.raises(NotFound):
        await revoke(stranger, owner)
    assert await living() == {owner.key_id, child.key_id, stranger.key_id}


async def test_a_loop_of_makers_in_the_table_ends_the_search(world: World) -> None:
    """No command makes one; a table that somebody touched must not hang a process."""
    first, second = await founder(world), await founder(world)
    await database.execute(
        "UPDATE api_keys SET created_by = CASE id WHEN $1 THEN $2 ELSE $1 END", first.key_id, second.key_id
    )
    await revoke(world.operator, first)
    assert await living() == set()


async def test_ending_a_lineage_is_one_read_and_one_write_however_long_it_is(world: World) -> None:
    owner = await founder(world)
    leaked = await key_of(world, owner)
    made = leaked
    for _ in range(8):
        made = await key_of(world, made)
    with database.counting() as statements:
        await revoke(owner, leaked)
    assert len(statements) == 3, "and one look for keys elsewhere"
    assert ids.is_a(ids.Kind.KEY, made.key_id or "")
