"""Erasing people's words: they are gone from everywhere, the chain stays whole, and the audit stays clean."""

from __future__ import annotations

import asyncio

import pytest

from escrow import database, ids
from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.commands import run
from escrow.erasure import erase
from escrow.errors import IdempotencyKeyReused, InvalidState, NotFound
from escrow.idempotency import idempotency
from escrow.ids import Kind
from tests.factories import Deal, Deployment, usd

pytestmark = pytest.mark.usefixtures("database")

WORDS = (
    "A website", "With a shop", "Shall we?", "Milestone", "So that everybody sees", "One page", "Here it is",
    "example.com/work", "work.pdf", "Bluer", "tok_visa",
)  # fmt: skip
TABLES = ("contracts", "milestones", "submissions", "payment_orders", "deposits", "events", "texts", "idempotency_keys")


async def everything_said() -> str:
    """All rows of all tables as one text."""
    found = []
    for table in TABLES:
        found += [str(dict(row)) for row in await database.fetch(f"SELECT * FROM {table}")]
    return "\n".join(found)


async def differences() -> list[str]:
    return [str(difference) async for difference in audit()]


async def wordy() -> Deal:
    there = await Deployment.make()
    deal = await there.fund()
    await deal.submit()
    await deal.request_changes()
    return deal


async def test_erased_words_are_nowhere_any_more() -> None:
    deal = await wordy()
    said = await everything_said()
    assert [words for words in WORDS if words not in said] == []
    texts = await database.fetch_value(
        "SELECT count(*) FROM texts JOIN events ON id = event_id WHERE stream_id = $1", deal.id
    )
    assert await erase(deal.id) == texts
    said = await everything_said()
    assert [words for words in WORDS if words in said] == []
    assert await erase(deal.id) == 0


async def test_erased_words_cannot_be_guessed_from_the_input_of_an_idempotency_key() -> None:
    deal = await wordy()
    edit = c.EditMilestone(milestone_id=deal.milestone(2), title="Guess me")
    given = idempotency("once", operation="editMilestone", given={"title": "Guess me"})
    await run(edit, by=deal.client, idempotency=given)
    digests = "SELECT input_sha256 FROM idempotency_keys WHERE key = 'once'"
    assert await database.fetch_value(digests) == given.input_sha256
    await erase(deal.id)
    assert await database.fetch_value(digests) != given.input_sha256
    with pytest.raises(IdempotencyKeyReused):
        await run(edit, by=deal.client, idempotency=given)
    assert "Guess me" not in await everything_said()


async def test_chain_and_audit_stay_clean_after_an_erasure() -> None:
    deal = await wordy()
    bodies = await database.fetch("SELECT body, hash FROM events ORDER BY stream_id, sequence")
    await erase(deal.id)
    assert await database.fetch("SELECT body, hash FROM events ORDER BY stream_id, sequence") == bodies
    assert await differences() == []


async def test_one_event_alone_can_be_erased() -> None:
    deal = await wordy()
    event_id = await database.fetch_value(
        "SELECT id FROM events WHERE stream_id = $1 AND type = 'milestone.submitted'", deal.id
    )
    assert await erase(deal.id, event_id=event_id) == 3
    said = await everything_said()
    assert "Here it is" not in said
    assert "Bluer" in said
    assert await differences() == []


async def test_a_contract_goes_on_without_its_words() -> None:
    deal = await wordy()
    await erase(deal.id)
    await deal.submit()
    await deal.approve()
    edit = c.EditMilestone(milestone_id=deal.milestone(2), amount=usd("1.00"), title="Anew")
    outcome = await run(edit, by=deal.client)
    assert [milestone.title for milestone in outcome.contract.milestones] == ["", "Anew"]
    assert await differences() == []


async def test_what_is_not_there_is_not_found() -> None:
    deal = await wordy()
    with pytest.raises(NotFound):
        await erase(ids.new(Kind.CONTRACT))
    with pytest.raises(NotFound):
        await erase(deal.id, event_id=ids.new(Kind.EVENT))
    assert "A website" in await everything_said()


async def test_a_payment_token_that_the_provider_needs_is_not_erased() -> None:
    there = await Deployment.make()
    deal = await there.activate()
    await deal.fund()
    with pytest.raises(InvalidState):
        await erase(deal.id)
    assert "tok_visa" in await everything_said()
    await run(c.CancelFunding(milestone_id=deal.milestone()), by=there.client)
    await erase(deal.id)
    assert "tok_visa" not in await everything_said()
    assert await differences() == []


async def test_commands_under_way_do_not_write_erased_words_again() -> None:
    there = await Deployment.make()
    deal = await there.activate("1.00", "2.00", "3.00")
    moves = [
        run(c.MoveMilestone(milestone_id=deal.milestone(1), position=1 + n % 3), by=there.client) for n in range(20)
    ]
    await asyncio.gather(*moves[:10], erase(deal.id), *moves[10:])
    said = await everything_said()
    assert [words for words in WORDS if words in said] == []
    assert await differences() == []
