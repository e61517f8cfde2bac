"""The log: what is sealed can be checked by anybody, opens to what it was, and gets one place, in order."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import random
import typing
from datetime import UTC, date, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow import codec, database, log
from escrow.access import CLOCK, Actor, ActorKind, Role, Scope
from escrow.agreement import commands as c
from escrow.agreement.events import ContractAccepted, DepositStarted, Event, MilestoneSubmitted, Recorded
from escrow.agreement.state import Attachment
from escrow.currencies import EXPONENTS
from escrow.money import Money
from escrow.pipeline import run
from tests.factories import Deal, Deployment

NOON = datetime(2026, 3, 2, 12, 0, 0, 5, tzinfo=UTC)
ACTOR = Actor(ActorKind.ACCOUNT, "acc_1", "key_1", "mem_1", Role.MEMBER, frozenset({Scope.MONEY_WRITE}))
SUBMITTED = MilestoneSubmitted(
    milestone_id="mil_1",
    submission_id="sub_1",
    number=1,
    review_due_at=NOON,
    message="Fertig – 工房",
    links=("https://example.com/ü",),
    attachments=(Attachment("a.pdf", "0" * 64),),
)


def row(event: log.Sealed) -> dict[str, Any]:
    return {"body": event.body}


def words(event: log.Sealed) -> dict[str, str]:
    return {text.field: text.body for text in event.texts}


def test_anybody_can_check_the_chain_and_the_words() -> None:
    sealed = log.seal("ctr_1", version=4, last_hash="f" * 64, recorded=[Recorded(SUBMITTED, NOON, ACTOR)] * 3)
    last = "f" * 64
    for number, event in enumerate(sealed, start=5):
        body = json.loads(event.body)
        assert (body["sequence"], body["previousHash"]) == (number, last) == (event.sequence, event.previous_hash)
        assert json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False) == event.body
        last = hashlib.sha256(event.body.encode()).hexdigest()
        assert event.hash == last
        for text in event.texts:
            digest = hashlib.sha256(text.salt + text.body.encode()).hexdigest()
            assert body["data"]["texts"][text.field] == digest
    assert len({text.salt for event in sealed for text in event.texts}) == 9


def test_an_event_says_who_when_where_and_what_in_its_own_words() -> None:
    (event,) = log.seal("ctr_1", version=0, last_hash=None, recorded=[Recorded(SUBMITTED, NOON, ACTOR)])
    body = json.loads(event.body)
    assert body.pop("data").keys() == {"milestoneId", "submissionId", "number", "reviewDueAt", "texts"}
    assert body == {
        "id": event.id,
        "type": "milestone.submitted",
        "version": 1,
        "occurredAt": "2026-03-02T12:00:00.000005Z",
        "actor": {"kind": "ACCOUNT", "account": "acc_1", "member": "mem_1", "key": "key_1"},
        "stream": "ctr_1",
        "sequence": 1,
        "previousHash": None,
    }
    assert "Fertig" not in event.body


def test_an_event_without_words_has_no_texts() -> None:
    (event,) = log.seal(
        "ctr_1",
        version=0,
        last_hash=None,
        recorded=[Recorded(ContractAccepted(revision=1, accepted_by=_side()), NOON, CLOCK)],
    )
    assert event.texts == ()
    assert "texts" not in json.loads(event.body)["data"]


def _side() -> Any:
    return typing.get_type_hints(ContractAccepted)["accepted_by"]("CLIENT")


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of this type may have."""
    if typing.get_origin(hint) is typing.Annotated:
        return values(typing.get_args(hint)[0])
    if typing.get_origin(hint) is tuple:
        return st.lists(values(typing.get_args(hint)[0]), max_size=3).map(tuple)
    options = [one for one in typing.get_args(hint) if one is not type(None)]
    if options:
        return st.none() | values(options[0])
    if hint is Money:
        return st.builds(Money, st.integers(0, 10**15), st.sampled_from(sorted(EXPONENTS)))
    if hint is str:
        return st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
    if hint is int:
        return st.integers(0, 2**31)
    if hint is datetime:
        return st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year >= 1000)
    if hint is date:
        return st.dates()
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return payloads(hint)
    return st.from_type(hint)


def payloads(kind: type) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{field.name: values(hints[field.name]) for field in dataclasses.fields(kind)})


@pytest.mark.parametrize("kind", log.CATALOGUE.values(), ids=lambda kind: kind.type)
@settings(max_examples=25)
@given(data=st.data())
def test_every_event_opens_to_what_was_sealed(kind: type[Event], data: st.DataObject) -> None:
    actor = Actor(ActorKind.ACCOUNT, "acc_1", "key_1", "mem_1")
    recorded = Recorded(data.draw(payloads(kind)), NOON, actor)
    (event,) = log.seal("ctr_1", version=0, last_hash=None, recorded=[recorded])
    assert log.open_(row(event), words(event)) == as_kept(recorded)


def as_kept(recorded: Recorded) -> Recorded:
    """What the log keeps of it: of a payment token nothing."""
    withheld = {"payment_token": None} if hasattr(recorded.event, "payment_token") else {}
    return dataclasses.replace(recorded, event=dataclasses.replace(recorded.event, **withheld))


def test_a_text_that_is_withheld_is_in_nothing_that_is_stored() -> None:
    started = DepositStarted(
        deposit_id="dep_1", order_id="pay_1", revision=1, charge=Money(100, "EUR"), milestone_ids=("mil_1",), due_at=NOON,
        payment_token="card_4242",
    )  # fmt: skip
    (event,) = log.seal("ctr_1", version=0, last_hash=None, recorded=[Recorded(started, NOON, ACTOR)])
    (text,) = event.texts
    assert "card_4242" not in f"{event.body}{text}"
    hashed = json.loads(event.body)["data"]["texts"]["paymentToken"]
    assert log.text_hash(text.salt, text.body) != hashed
    assert log.text_hash(text.salt, '"card_4242"') != hashed, "the salt of the hash is thrown away"


def test_erased_words_open_as_empty_ones() -> None:
    (event,) = log.seal("ctr_1", version=0, last_hash=None, recorded=[Recorded(SUBMITTED, NOON, ACTOR)])
    opened = log.open_(row(event), dict.fromkeys(words(event))).event
    assert isinstance(opened, MilestoneSubmitted)
    assert (opened.message, opened.links, opened.attachments) == ("", (), ())
    assert opened.number == 1


def test_an_event_of_a_later_release_is_refused_by_name() -> None:
    (event,) = log.seal("ctr_1", version=0, last_hash=None, recorded=[Recorded(SUBMITTED, NOON, ACTOR)])
    body = json.loads(event.body) | {"version": 99}
    with pytest.raises(log.UnknownEvent, match=r"milestone\.submitted of version 99"):
        log.open_({"body": log.canonical(body)}, {})


async def positions() -> list[tuple[int, str, int]]:
    rows = await database.fetch(
        "SELECT position, log_positions.stream_id, sequence FROM log_positions JOIN events ON events.id = event_id "
        "ORDER BY position"
    )
    return [tuple(found) for found in rows]


def assert_dense_and_in_order(found: list[tuple[int, str, int]], events: int) -> None:
    assert [position for position, _, _ in found] == list(range(1, events + 1))
    last: dict[str, int] = {}
    for _, stream, sequence in found:
        assert sequence == last.get(stream, 0) + 1
        last[stream] = sequence


@pytest.mark.usefixtures("database")
async def test_sequencing_places_everything_once_in_the_order_of_its_stream() -> None:
    there = await Deployment.make()
    await there.fund()
    events = await database.fetch_value("SELECT count(*) FROM events")
    assert await log.waiting() == events
    placed = []
    while count := await log.sequence(limit=4):
        placed.append(count)
    assert (sum(placed), max(placed)) == (events, 4)
    assert await log.waiting() == 0
    assert await log.last_position() == events
    assert_dense_and_in_order(await positions(), events)


@pytest.mark.usefixtures("database")
async def test_what_is_done_with_a_batch_stands_or_falls_with_it() -> None:
    await Deployment.make()
    seen: list[list[str]] = []

    async def fail(connection: database.Connection, rows: list[database.Record]) -> None:
        seen.append([found["type"] for found in rows])
        await connection.execute("CREATE TABLE never (x INT)")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await log.sequence(limit=2, on_batch=fail)
    assert seen == [["account.created", "account.created"]]
    assert await positions() == []
    assert await database.fetch_value("SELECT to_regclass('never')") is None


@pytest.mark.usefixtures("database")
async def test_eight_writers_and_two_sequencers_lose_double_and_reorder_nothing() -> None:
    there = await Deployment.make()
    deals = [await there.activate("1.00", "2.00", "3.00") for _ in range(8)]
    done, placed = asyncio.Event(), asyncio.Event()
    delivered: list[int] = []

    async def write(deal: Deal, chance: random.Random) -> None:
        for _ in range(20):
            move = c.MoveMilestone(milestone_id=deal.milestone(chance.randint(1, 3)), position=chance.randint(1, 3))
            await run(move, by=there.client)

    async def place() -> None:
        async def deliver(connection: database.Connection, rows: list[database.Record]) -> None:
            delivered.extend([found["position"] for found in rows])

        while not done.is_set() or await log.waiting():
            await log.sequence(limit=7, on_batch=deliver)

    async def follow() -> list[int]:
        seen: list[int] = []
        while not placed.is_set() or len(seen) < await log.last_position():
            seen += [entry.position for entry in await log.read(after=seen[-1] if seen else 0, limit=5)]
            await asyncio.sleep(0)
        return seen

    sequencers = [asyncio.create_task(place()) for _ in range(2)]
    follower = asyncio.create_task(follow())
    await asyncio.gather(*(write(deal, random.Random(n)) for n, deal in enumerate(deals)))
    done.set()
    await asyncio.gather(*sequencers)
    placed.set()
    events = await database.fetch_value("SELECT count(*) FROM events")
    assert events > 60
    assert_dense_and_in_order(await positions(), events)
    assert delivered == list(range(1, events + 1))
    assert await follower == delivered


@pytest.mark.usefixtures("database")
async def test_reading_goes_on_from_any_cursor_and_through_some_streams_only() -> None:
    there = await Deployment.make()
    deal, other = await there.propose(), await there.propose()
    await log.sequence()
    everything = await log.read(after=0, limit=1000)
    assert [entry.position for entry in everything] == list(range(1, len(everything) + 1))
    paged: list[log.Entry] = []
    while page := await log.read(after=paged[-1].position if paged else 0, limit=3):
        paged += page
    assert paged == everything
    own = await log.read(after=0, stream_ids=[deal.id])
    assert own == [entry for entry in everything if entry.stream_id == deal.id]
    assert (
        await log.read(after=own[0].position, stream_ids=[deal.id, other.id], limit=2)
        == [entry for entry in everything if entry.stream_id in (deal.id, other.id)][1:3]
    )


@pytest.mark.usefixtures("database")
async def test_words_are_read_beside_their_events() -> None:
    there = await Deployment.make()
    deal = await there.propose("1.00")
    rows = await database.fetch("SELECT id FROM events WHERE stream_id = $1 ORDER BY sequence", deal.id)
    proposed, added = (found["id"] for found in rows)
    await database.execute("UPDATE texts SET body = NULL, salt = NULL, erased_at = now() WHERE field = 'purpose'")
    texts = await log.texts_of([proposed, added])
    assert texts[proposed] == {"title": "A website", "description": "With a shop", "message": "Shall we?"}
    assert texts[added]["purpose"] is None
    assert texts[added]["deliverables"] == ["One page", "Its source"]


def test_numbers_and_texts_are_canonical() -> None:
    assert log.canonical({"b": [1, "é\n"], "a": None}) == '{"a":null,"b":[1,"é\\n"]}'
    assert codec.print_time(NOON) == "2026-03-02T12:00:00.000005Z"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
)


@given(JSON)
def test_the_text_of_a_value_is_the_one_that_rfc_8785_says(value: Any) -> None:
    assert log.canonical(value).encode() == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), 2**70, "\ud800"])
def test_what_has_no_canonical_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        log.canonical(value)
