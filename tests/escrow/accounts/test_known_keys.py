"""Keys that are remembered: they cost no statement, and what has ended is served to nobody who asks after that was answered."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow import bell, database
from escrow.access import Actor, ActorKind, Role
from escrow.accounts import authentication, commands, known_keys, tokens
from escrow.accounts.authentication import Found
from escrow.accounts.known_keys import MARGIN_SECONDS, TERM_SECONDS, KnownKeys
from escrow.accounts.tokens import Token
from escrow.pipeline import run
from tests.escrow.accounts.world import World

LONG_SECONDS = 3_600.0
"""A term that no test outlives: what is forgotten within it was told to be."""


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not check():  # noqa: ASYNC110 - there is nothing that tells
            await asyncio.sleep(0.005)


async def test_a_key_that_was_asked_for_a_moment_ago_costs_no_statement(world: World) -> None:
    token, key_id = await world.create_key()
    keys = KnownKeys(term_seconds=LONG_SECONDS)
    with database.counting() as statements:
        actors = [await keys.actor(token.text) for _ in range(3)]
    assert len(statements) == 1
    assert {actor.key_id for actor in actors if actor is not None} == {key_id}
    assert actors[0] == await authentication.authenticate(token.text)


async def test_nobody_is_remembered_who_is_nobody(world: World) -> None:
    assert world.studio
    keys = KnownKeys(term_seconds=LONG_SECONDS)
    with database.counting() as statements:
        for _ in range(2):
            assert await keys.actor(tokens.new().text) is None
            assert await keys.actor("ek_nothing") is None
            assert await keys.actor("ek_\ud800") is None
    assert len(statements) == 2
    assert len(keys) == 0


async def test_what_goes_on_for_long_asks_the_database(world: World) -> None:
    token, _ = await world.create_key()
    keys = KnownKeys(term_seconds=LONG_SECONDS)
    await keys.actor(token.text)
    with database.counting() as statements:
        await keys.actor(token.text, fresh=True)
    assert len(statements) == 1


async def test_a_key_is_not_remembered_beyond_its_expiry(world: World) -> None:
    token, key_id = await world.create_key(expires_in=timedelta(days=1))
    keys = KnownKeys(term_seconds=LONG_SECONDS)
    await database.execute(
        "UPDATE api_keys SET expires_at = clock_timestamp() + interval '30 ms' WHERE id = $1", key_id
    )
    expires_at = await database.fetch_value("SELECT expires_at FROM api_keys WHERE id = $1", key_id)
    asked_at = await database.fetch_value("SELECT clock_timestamp()")
    while await keys.actor(token.text) is not None:
        assert asked_at < expires_at
        asked_at = await database.fetch_value("SELECT clock_timestamp()")
    assert len(keys) == 0


# What changes what keys open


async def test_each_command_that_changes_what_keys_open_is_answered_when_nobody_remembers(world: World) -> None:
    """Each in turn: of this process at once, and of one that heard nothing when the answer comes."""
    member_id = await world.add_member("ben@studio.example", Role.VIEWER)
    of_member, _ = await world.create_key(member_id=member_id)
    of_studio, key_id = await world.create_key()
    here, elsewhere = KnownKeys(), KnownKeys()
    known_keys._here.discard(elsewhere)  # as if in another process, to which no bell rings
    for command, token, expected in (
        (commands.AppointMediator(account_id=world.studio), of_studio, True),
        (commands.DismissMediator(account_id=world.studio), of_studio, False),
        (commands.RemoveMember(member_id=member_id), of_member, None),
        (commands.RevokeApiKey(key_id=key_id), of_studio, None),
    ):
        for keys in (here, elsewhere):
            assert await keys.actor(token.text) is not None
        await run(command, by=world.operator)
        for keys in (here, elsewhere):
            actor = await keys.actor(token.text)
            assert (actor.is_mediator if actor is not None else None) is expected, command


async def test_a_repetition_is_answered_no_sooner_than_the_command_itself(world: World) -> None:
    token, key_id = await world.create_key()
    elsewhere = KnownKeys()
    known_keys._here.discard(elsewhere)  # as if in another process
    assert await elsewhere.actor(token.text) is not None
    here = KnownKeys(term_seconds=LONG_SECONDS)
    assert await here.actor(token.text) is not None
    first = asyncio.create_task(run(commands.RevokeApiKey(key_id=key_id), by=world.owner))
    await until(lambda: not len(here))
    await run(commands.RevokeApiKey(key_id=key_id), by=world.owner)
    assert await elsewhere.actor(token.text) is None
    await first


async def test_commands_on_accounts_without_keys_and_other_commands_wait_for_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse() -> None:
        raise AssertionError("nobody remembers anything")

    monkeypatch.setattr(known_keys, "outlive", refuse)
    await run(commands.AppointMediator(account_id=world.studio), by=world.operator)
    await world.create_key()
    await run(commands.DisableAccount(account_id=world.studio), by=world.operator)


# Between processes


@pytest.fixture
async def rung(redis_url: str) -> AsyncIterator[str]:
    await bell.connect(redis_url)
    yield redis_url
    await bell.disconnect()


async def test_the_bell_has_it_forgotten_long_before_its_term(world: World, rung: str) -> None:
    assert rung
    token, _ = await world.create_key()
    keys = KnownKeys(term_seconds=LONG_SECONDS)
    known_keys._here.discard(keys)  # as if in another process
    with keys.listening():
        while not len(keys):  # subscribing itself counts as a ring
            await keys.actor(token.text)
            await asyncio.sleep(0.05)
        await bell.ring(bell.Topic.KEYS)
        await until(lambda: not len(keys))


async def test_what_is_being_asked_when_the_bell_rings_is_not_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = await world.create_key()
    keys = KnownKeys(term_seconds=LONG_SECONDS)
    find = authentication.find

    async def slow(token: Token) -> Found | None:
        found = await find(token)
        keys.forget()  # it was read before whatever made the bell ring
        return found

    monkeypatch.setattr(authentication, "find", slow)
    assert await keys.actor(token.text) is not None
    assert len(keys) == 0


async def test_without_redis_a_revoked_key_is_refused_to_whoever_asks_after_the_answer(world: World) -> None:
    """Several processes, each in the middle of many requests; nobody is told anything."""
    for _ in range(4):
        token, key_id = await world.create_key()
        processes = [KnownKeys() for _ in range(3)]
        for keys in processes:
            known_keys._here.discard(keys)  # as if in another process
        answered = asyncio.Event()
        served: list[bool] = []

        async def ask(keys: KnownKeys) -> None:
            while True:
                is_after = answered.is_set()  # noqa: B023 - it ends within the round
                actor = await keys.actor(token.text)  # noqa: B023 - likewise
                if is_after:
                    assert actor is None
                    return
                served.append(actor is not None)  # noqa: B023 - likewise
                await asyncio.sleep(random.random() * 0.01)

        asking = [asyncio.create_task(ask(keys)) for keys in processes for _ in range(3)]
        await until(lambda: sum(served) > 9)  # noqa: B023 - likewise
        await run(commands.RevokeApiKey(key_id=key_id), by=world.owner)
        answered.set()
        await asyncio.gather(*asking)


# Every order of things, on a clock of the test's own


@dataclass
class Simulated:
    """Two processes that remember keys, one database, and a time that passes as the test says."""

    time: float = 1_000.0
    revoked: bool = False
    answer_at: float | None = None
    """When whoever revoked the key has the answer."""
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    async def find(self, _: bytes) -> Found | None:
        """Travel, read, travel back: each as long as the test says."""
        await self._pass()
        found = None if self.revoked else Found(Actor(ActorKind.ACCOUNT, key_id="key_1"), None)
        await self._pass()
        return found

    async def _pass(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        await turn


some_steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 1)),
        st.tuples(st.just("travel"), st.integers(0, 5)),
        st.tuples(st.just("pass"), st.floats(0.0, TERM_SECONDS * 1.2)),
        st.tuples(st.just("ring"), st.integers(0, 1)),
        st.just(("revoke", 0)),
    ),
    max_size=60,
)


@given(some_steps)
def test_in_no_order_of_events_is_an_ended_key_served_to_who_asks_after_the_answer(
    steps: list[tuple[str, float]],
) -> None:
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[str, float]]) -> None:
    there = Simulated()
    processes = [KnownKeys(), KnownKeys()]
    token = tokens.new().text
    asked: list[tuple[bool, asyncio.Task[Actor | None]]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authentication, "find", there.find)
        patch.setattr(known_keys, "now", lambda: there.time)
        for kind, given in [*steps, ("pass", 10.0), ("ask", 0), ("ask", 1)]:
            if kind == "ask":
                is_after = there.answer_at is not None and there.time >= there.answer_at
                asked.append((is_after, asyncio.create_task(processes[int(given)].actor(token))))
            elif kind == "travel" and len(there.waiting) > given:
                there.waiting.pop(int(given)).set_result(None)
            elif kind == "pass":
                there.time += given
            elif kind == "ring":
                processes[int(given)].forget()
            elif kind == "revoke" and not there.revoked:
                there.revoked, there.answer_at = True, there.time + TERM_SECONDS + MARGIN_SECONDS
            for _ in range(3):
                await asyncio.sleep(0)
        while there.waiting:
            there.waiting.pop().set_result(None)
            for _ in range(3):
                await asyncio.sleep(0)
        for is_after, task in asked:
            actor = await task
            assert actor is None or not is_after


# Bounds


async def test_only_so_many_are_remembered_and_none_beyond_its_term(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_keys, "KEPT_MAX", 3)
    time = 1_000.0
    monkeypatch.setattr(known_keys, "now", lambda: time)

    async def find(_: bytes) -> Found:
        return Found(Actor(ActorKind.ACCOUNT), None)

    monkeypatch.setattr(authentication, "find", find)
    keys = KnownKeys()
    for _ in range(5):
        await keys.actor(tokens.new().text)
    assert len(keys) == 3
    time += TERM_SECONDS
    await keys.actor(tokens.new().text)
    assert len(keys) == 1


async def test_an_answer_that_is_older_takes_the_place_of_none_that_is_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    first: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
    older, newer = (Actor(ActorKind.ACCOUNT, is_mediator=is_mediator) for is_mediator in (True, False))

    async def find(_: bytes) -> Found:
        if not first.done() and not asking:
            asking.append(True)
            return await first
        return Found(newer, None)

    asking: list[bool] = []
    monkeypatch.setattr(authentication, "find", find)
    keys, token = KnownKeys(term_seconds=LONG_SECONDS), tokens.new().text
    slow = asyncio.create_task(keys.actor(token))
    await asyncio.sleep(0)
    assert await keys.actor(token, fresh=True) == newer  # who needs it fresh waits for nobody else's question
    first.set_result(Found(older, None))
    assert await slow == older
    assert await keys.actor(token) == newer


async def test_those_who_come_while_a_key_is_asked_for_ask_for_it_no_second_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, key_id = await world.create_key()
    keys = KnownKeys(term_seconds=LONG_SECONDS)
    asked, may_answer, find = 0, asyncio.Event(), authentication.find

    async def slowly(shown: Token) -> Found | None:
        nonlocal asked
        asked += 1
        await may_answer.wait()
        return await find(shown)

    monkeypatch.setattr(authentication, "find", slowly)
    first = asyncio.create_task(keys.actor(token.text))
    await until(lambda: asked == 1)
    others = [asyncio.create_task(keys.actor(token.text)) for _ in range(5)]
    await asyncio.sleep(0)
    fresh = asyncio.create_task(keys.actor(token.text, fresh=True))
    await until(lambda: asked == 2)
    may_answer.set()
    actors = await asyncio.gather(first, *others, fresh)
    assert {actor.key_id for actor in actors if actor is not None} == {key_id}
    assert asked == 2, "whoever needs it fresh asks in any case"


@pytest.mark.parametrize("how", ["cancelled", "forgotten", "failed"])
async def test_what_comes_of_somebody_elses_question_is_never_taken_for_an_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    token, key_id = await world.create_key()
    keys = KnownKeys(term_seconds=LONG_SECONDS)
    asked, may_answer, find = 0, asyncio.Event(), authentication.find

    async def slowly(shown: Token) -> Found | None:
        nonlocal asked
        asked += 1
        if asked > 1:
            return await find(shown)
        found = await find(shown)
        await may_answer.wait()
        if how == "failed":
            raise OSError("PostgreSQL is away")
        return found

    monkeypatch.setattr(authentication, "find", slowly)
    first = asyncio.create_task(keys.actor(token.text))
    await until(lambda: asked == 1)
    other = asyncio.create_task(keys.actor(token.text))
    await asyncio.sleep(0)
    if how == "cancelled":
        first.cancel()
    elif how == "forgotten":
        keys.forget()
    may_answer.set()
    actor = await other
    await asyncio.gather(first, return_exceptions=True)
    assert actor is not None
    assert actor.key_id == key_id
    assert asked == 2
