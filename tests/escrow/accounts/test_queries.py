"""What an actor sees of accounts, members and keys, each kind in one statement."""

from __future__ import annotations

import pytest

from escrow import database, ids
from escrow.access import AccountType, Actor, ActorKind, Role, Scope
from escrow.accounts import commands, queries
from escrow.accounts.visibility import visible_arguments
from escrow.errors import InvalidInput
from escrow.pipeline import run
from tests import plans
from tests.escrow.accounts.world import World


async def test_an_account_sees_itself_whole_and_its_counterparties_by_name_and_type(world: World) -> None:
    await world.contract(client=world.studio, freelancer=world.shop, state="ACTIVE")
    with database.counting() as statements:
        seen = await queries.accounts_by_id(world.owner, [world.studio, world.shop, world.operator_account, "acc_\0"])
    assert len(statements) == 1
    assert set(seen) == {world.studio, world.shop}
    assert seen[world.studio].is_whole
    assert seen[world.studio].created_at is not None
    shop = seen[world.shop]
    assert (shop.name, shop.type, shop.is_whole) == ("Shop", AccountType.AGENCY, False)
    assert (shop.is_mediator, shop.disabled_at, shop.created_at) == (None, None, None)


async def test_the_operator_sees_every_account(world: World) -> None:
    seen = await queries.accounts_by_id(world.operator, [world.studio, world.shop, world.operator_account])
    assert len(seen) == 3
    assert all(one.is_whole for one in seen.values())


async def test_a_limited_key_sees_the_other_parties_of_its_contracts_only(world: World) -> None:
    contract_id = await world.contract(client=world.studio, freelancer=world.shop, state="ACTIVE")
    other = ids.new(ids.Kind.CONTRACT)
    everybody = [world.studio, world.shop, world.operator_account]
    for limit, expected in ((contract_id, {world.studio, world.shop}), (other, {world.studio})):
        owner = world.owner_of(world.studio, contracts=frozenset({limit}))
        assert set(await queries.accounts_by_id(owner, everybody)) == expected
    for limit, expected in ((contract_id, set(everybody)), (other, {world.operator_account})):
        limited = Actor(ActorKind.OPERATOR, world.operator_account, contract_ids=frozenset({limit}))
        assert set(await queries.accounts_by_id(limited, everybody)) == expected


async def test_the_operator_pages_through_all_accounts_in_one_statement_each(world: World) -> None:
    for number in range(5):
        creation = commands.CreateAccount(
            account_id=ids.new(ids.Kind.ACCOUNT), name=f"Account {number}", type=AccountType.INDIVIDUAL
        )
        await run(creation, by=world.operator)
    found: list[str] = []
    after = None
    while True:
        with database.counting() as statements:
            page = await queries.accounts_page(world.operator, first=3, after=after)
        assert len(statements) == 1
        found += [one.id for one in page]
        if len(page) < 3:
            break
        after = page[-1].id
    assert len(found) == 8
    assert found == sorted(found)


async def test_everybody_elses_list_is_their_own_account(world: World) -> None:
    await world.contract(client=world.studio, freelancer=world.shop, state="ACTIVE")
    assert [one.id for one in await queries.accounts_page(world.owner, first=101)] == [world.studio]


@pytest.mark.parametrize(("first", "after"), [(0, None), (102, None), (1, "acc_\0"), (1, "nonsense")])
async def test_a_page_has_bounds_and_begins_after_an_account(world: World, first: int, after: str | None) -> None:
    with pytest.raises(InvalidInput):
        await queries.accounts_page(world.operator, first=first, after=after)


async def test_members_and_keys_of_many_accounts_come_in_one_statement_each(world: World) -> None:
    ben = await world.add_member("ben@studio.example", Role.MANAGER)
    gone = await world.add_member("dan@studio.example", Role.MEMBER)
    await run(commands.RemoveMember(member_id=gone), by=world.owner)
    _, kept = await world.create_key(scopes=(Scope.CONTRACTS_READ,), member_id=ben)
    _, revoked = await world.create_key()
    await run(commands.RevokeApiKey(key_id=revoked), by=world.owner)
    with database.counting() as statements:
        members = await queries.members_of(world.operator, [world.studio, world.shop])
        keys = await queries.keys_of(world.operator, [world.studio, world.shop])
    assert len(statements) == 2
    assert [member.name for member in members[world.studio]] == ["Ana", "Somebody"]
    assert [member.name for member in members[world.shop]] == ["Sam"]
    (key,) = keys[world.studio]
    assert (key.id, key.member_id, key.scopes, key.contract_ids) == (kept, ben, (Scope.CONTRACTS_READ,), None)
    assert keys[world.shop] == []


async def test_members_and_keys_of_other_accounts_are_not_shown(world: World) -> None:
    await world.contract(client=world.studio, freelancer=world.shop, state="ACTIVE")
    await world.create_key()
    for actor, expected in (
        (world.owner, {world.studio}),
        (world.owner_of(world.studio, contracts=frozenset({"ctr_1"})), set()),
        (Actor(ActorKind.CLOCK), set()),
    ):
        assert set(await queries.members_of(actor, [world.studio, world.shop])) == expected
        assert set(await queries.keys_of(actor, [world.studio, world.shop])) == expected


async def test_the_operators_account_is_found(world: World) -> None:
    assert await queries.operator_id() == world.operator_account


async def test_seeing_the_other_parties_is_a_look_up_each_however_many_contracts_there_are(
    untouched_database: str,
) -> None:
    world = await World.make()
    await world.many_counterparties(3_000)
    await database.execute("ANALYZE contracts, accounts")
    wanted = [f"acc_{number:026}" for number in range(1, 3_000, 100)]
    assert len(await queries.accounts_by_id(world.owner, wanted)) == len(wanted)
    sql, *arguments = queries.accounts._BY_ID.bind(account_ids=wanted, **visible_arguments(world.owner))
    plan = await plans.explain(sql, *arguments)
    looked_up = [step for step in plan.steps if step.get("Relation Name") == "contracts" and step["Actual Loops"] > 0]
    by = {step.get("Index Name", "none") for step in looked_up}
    assert 1 <= len(by) <= 2, plan.root
    assert all(name.startswith("contracts_") for name in by), plan.root
    # By whichever index: what is looked at and left out again doesn't grow with the contracts.
    assert all(step.get("Rows Removed by Filter", 0) <= 1 for step in plan.steps), plan.root
    assert "hashed" not in str(plan.root)
