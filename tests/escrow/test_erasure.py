"""Erasing people's words: they are gone from everywhere, the chain stays whole, and the audit stays clean."""

from __future__ import annotations

import asyncio

import pytest

from escrow import database, ids
from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.erasure import erase
from escrow.errors import IdempotencyKeyReused, NotFound, StaleChangeRequest
from escrow.idempotency import idempotency
from escrow.ids import Kind
from escrow.pipeline import run
from tests.factories import Deal, Deployment, usd

pytestmark = pytest.mark.usefixtures("database")

WORDS = (
    "A website", "With a shop", "Shall we?", "Milestone", "So that everybody sees", "One page", "Here it is",
    "example.com/work", "work.pdf", "Bluer",
)  # fmt: skip
QUARREL_WORDS = (
    "It is late", "It was done in time", "Half of it is missing", "See for yourself", "example.com/proof", "proof.png",
    "Less", "More", "It turned out otherwise", "Half way through", "example.com/draft", "draft.png", "Two thirds", "Sorry",
)  # fmt: skip
TABLES = (
    "contracts", "milestones", "submissions", "payment_orders", "deposits", "events", "texts", "idempotency_keys",
    "refund_requests", "disputes", "evidence", "change_requests", "updates",
)  # fmt: skip


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
    assert "tok_ok" not in said
    texts = await database.fetch_value(
        "SELECT count(*) FROM texts WHERE stream_id = $1 AND erased_at IS NULL",
        deal.id,
    )
    assert await erase(deal.id) == texts
    said = await everything_said()
    assert [words for words in WORDS if words in said] == []
    assert await erase(deal.id) == 0


async def quarrelling() -> Deal:
    """A contract with words of every kind of disagreement."""
    there = await Deployment.make()
    deal = await there.activate("250.00", "100.00", "50.00")
    await deal.fund_all()
    dispute_id = await deal.decline_refund(await deal.request_refund())
    for by in (deal.client, deal.freelancer):
        await run(deal.evidence(dispute_id), by=by)
    decision = c.DecideDispute(dispute_id=dispute_id, to_freelancer=usd("166.00"), reason="Two thirds")
    await run(decision, by=there.mediator)
    await run(c.AcceptClaim(dispute_id=await deal.open_dispute(2, claim="40.00"), message="Sorry"), by=deal.freelancer)
    await run(deal.update(3), by=deal.client)
    plan = await there.activate("250.00", "100.00")
    await plan.file()
    return deal


async def test_words_of_a_quarrel_are_erased_wherever_they_stand() -> None:
    await quarrelling()
    said = await everything_said()
    assert [words for words in QUARREL_WORDS if words not in said] == []
    for row in await database.fetch("SELECT id FROM contracts"):
        await erase(row["id"])
    said = await everything_said()
    assert [words for words in QUARREL_WORDS if words in said] == []
    assert await differences() == []


async def test_a_change_request_without_its_words_can_be_declined_and_not_accepted() -> None:
    there = await Deployment.make()
    deal = await there.activate("250.00", "100.00")
    request_id = await deal.file()
    await erase(deal.id)
    with pytest.raises(StaleChangeRequest):
        await run(c.AcceptChangeRequest(change_request_id=request_id), by=deal.client)
    other = await there.activate("250.00", "100.00")
    request_id = await other.file()
    await erase(other.id)
    outcome = await run(c.DeclineChangeRequest(change_request_id=request_id), by=other.client)
    assert outcome.contract.change_requests[request_id].words == ()
    assert await differences() == []


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


async def test_a_payment_token_is_no_word_of_the_log_and_an_erasure_leaves_its_order_alone() -> None:
    there = await Deployment.make()
    deal = await there.activate()
    await deal.fund()
    assert "tok_ok" not in await everything_said()
    await erase(deal.id)
    assert await database.fetch_value("SELECT payment_token LIKE 'sealed:%' FROM payment_orders")
    await run(c.CancelFunding(milestone_id=deal.milestone()), by=there.client)
    assert await database.fetch_value("SELECT payment_token IS NULL FROM payment_orders")
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
