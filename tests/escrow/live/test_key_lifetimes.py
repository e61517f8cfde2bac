"""Streams of members who came without a key of ours end with their token, and with the member; those of keys as ever."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from escrow import ids, log, pipeline
from escrow.access import Actor, Role, Scope
from escrow.accounts import commands
from escrow.accounts.authentication import authenticate_member
from escrow.ids import Kind
from escrow.live.hub import Hub
from escrow.live.key_lifetimes import Ended, Ending, Keys, Viewer
from tests.factories import Deployment
from tests.patience import PATIENCE_SECONDS
from tests.workers.process import until

pytestmark = pytest.mark.usefixtures("database")

READS = frozenset({Scope.CONTRACTS_READ})


async def member_of(there: Deployment, whose: Actor | None = None) -> Actor:
    """Somebody with a token for an hour: a member of the client, or of another account."""
    account_id = (whose or there.client).account_id or ""
    command = commands.AddMember(
        account_id=account_id, member_id=ids.new(Kind.MEMBER), person="ana", name="Ana", role=Role.VIEWER
    )
    await pipeline.run(command, by=there.operator)
    found = await authenticate_member(account_id, "ana", scopes=READS, until=time.time() + 3_600)
    assert found is not None
    return found


async def test_a_stream_ends_with_the_token_that_opened_it() -> None:
    member = await member_of(await Deployment.make())
    keys, said = Keys(), list[Ending]()
    viewer = Viewer(member, said.append)
    await keys.admit(viewer)
    assert viewer.ends_at is not None
    assert 3_500 < viewer.ends_at - time.monotonic() <= 3_600
    viewer.check()
    viewer.actor = replace(member, until=time.time() - 1)
    await keys.look()
    assert said == [Ending.CREDENTIALS]
    with pytest.raises(Ended):
        viewer.check()
    with pytest.raises(Ended):
        await keys.admit(Viewer(replace(member, until=time.time() - 1), said.append))


async def test_a_stream_ends_when_its_member_is_removed_and_another_goes_on() -> None:
    there = await Deployment.make()
    member = await member_of(there)
    hub = Hub(poll_seconds=0.02, look_seconds=3_600)
    ended, other = asyncio.Event(), list[Ending]()
    by_key = replace(there.client, key_id=None, member_id=None)
    async with hub.connected(member, lambda _: ended.set()), hub.connected(by_key, other.append):
        await pipeline.run(commands.RemoveMember(member_id=member.member_id or ""), by=there.operator)
        await log.sequence()
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
        assert other == []
    with pytest.raises(Ended):
        async with hub.connected(member, lambda _: None):
            pass


async def test_tokens_of_two_people_share_no_answers() -> None:
    """Streams are grouped by the whole actor: who came, and until when."""
    member = await member_of(await Deployment.make())
    assert member.credentials == member.member_id
    assert replace(member, member_id=ids.new(Kind.MEMBER)) != member
    assert replace(member, until=0.0) != member


async def test_whoever_was_dismissed_as_a_mediator_while_connecting_gets_no_stream() -> None:
    there = await Deployment.make()
    mediator = await member_of(there, there.mediator)
    assert mediator.is_mediator
    hub, said = Hub(poll_seconds=0.02, look_seconds=3_600), list[Ending]()
    async with hub.connected(replace(there.client, key_id=None, member_id=None), said.append):
        await pipeline.run(commands.DismissMediator(account_id=mediator.account_id or ""), by=there.operator)
        await log.sequence()
        last = await log.last_position()
        await until(lambda: passed(hub, last))
        with pytest.raises(Ended) as ended:
            async with hub.connected(mediator, said.append):
                pass
        assert ended.value.ending is Ending.RIGHTS
        async with hub.connected(replace(mediator, is_mediator=False), said.append):
            pass
    assert said == []


async def test_a_look_finds_rights_that_changed_without_a_word_of_the_log() -> None:
    there = await Deployment.make()
    mediator, client = await member_of(there, there.mediator), await member_of(there)
    keys, said, others = Keys(), list[Ending](), list[Ending]()
    await keys.admit(Viewer(mediator, said.append))
    await keys.admit(Viewer(client, others.append))
    await pipeline.run(commands.DismissMediator(account_id=mediator.account_id or ""), by=there.operator)
    await keys.look()
    assert (said, others) == ([Ending.RIGHTS], [])


async def passed(hub: Hub, position: int) -> bool:
    return hub.position >= position
