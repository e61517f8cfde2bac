"""A former member can be forgotten; the log stays whole, and the audit agrees."""

from __future__ import annotations

import pytest

from escrow import database, ids
from escrow.access import Role
from escrow.accounts import commands
from escrow.accounts.erasure import erase_member
from escrow.audit import audit
from escrow.errors import InvalidState, NotFound
from escrow.idempotency import idempotency
from escrow.pipeline import run
from tests.escrow.accounts.world import World


async def everything(world: World) -> str:
    """All that is written of the studio, as one text."""
    rows = [
        *await database.fetch("SELECT members::text AS whole FROM members WHERE account_id = $1", world.studio),
        *await database.fetch("SELECT events::text AS whole FROM events WHERE stream_id = $1", world.studio),
        *await database.fetch("SELECT texts::text AS whole FROM texts"),
    ]
    return "\n".join(row["whole"] for row in rows)


async def test_a_removed_member_is_forgotten_and_the_audit_stays_clean(world: World) -> None:
    member_id = await world.add_member("forget-me@studio.example", Role.MANAGER)
    await run(commands.RemoveMember(member_id=member_id), by=world.owner)
    assert "forget-me" in await everything(world)
    assert await erase_member(member_id)
    assert not await erase_member(member_id)
    assert "forget-me" not in await everything(world)
    assert "ana@studio.example" in await everything(world)
    assert [difference async for difference in audit()] == []
    # The person may come back, as somebody new.
    await world.add_member("forget-me@studio.example", Role.MEMBER)


async def test_who_a_member_was_cannot_be_guessed_from_an_idempotency_key(world: World) -> None:
    member_id = ids.new(ids.Kind.MEMBER)
    person = "forget-me@studio.example"
    given = idempotency("once", operation="addMember", given={"person": person})
    adding = commands.AddMember(
        account_id=world.studio, member_id=member_id, person=person, name="Eva", role=Role.MEMBER
    )
    await run(adding, by=world.owner, idempotency=given)
    await run(commands.RemoveMember(member_id=member_id), by=world.owner)
    digests = "SELECT input_sha256 FROM idempotency_keys WHERE key = 'once'"
    assert await database.fetch_value(digests) == given.input_sha256
    await erase_member(member_id)
    assert await database.fetch_value(digests) != given.input_sha256


async def test_a_present_member_is_not_forgotten(world: World) -> None:
    member_id = await world.add_member("ben@studio.example", Role.MANAGER)
    with pytest.raises(InvalidState):
        await erase_member(member_id)
    assert "ben@studio.example" in await everything(world)


@pytest.mark.parametrize("strange", ["mem_" + "0" * 26, "mem_\0", "", "\ud800"])
async def test_nobody_is_not_forgotten(world: World, strange: str) -> None:
    assert world.studio
    with pytest.raises(NotFound):
        await erase_member(strange)
