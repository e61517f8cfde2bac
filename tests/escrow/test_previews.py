"""A preview is what the command then does, whatever the command, and leaves no trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from escrow import database, ids
from escrow.access import CLOCK, PROVIDER, Role, Scope
from escrow.agreement import commands as c
from escrow.agreement.deadlines import deadlines
from escrow.errors import Forbidden, InvalidState, NotFound
from escrow.ids import Kind
from escrow.log import UnknownEvent
from escrow.pipeline import ContractOutcome, run
from escrow.previews import Fees, preview
from escrow.store import read
from escrow.store.read import Loaded
from tests.escrow.cases import CASES, Case, everything
from tests.factories import Deployment, advance_past_deadlines, party

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Domain time stands still from the first reading on, and every reading makes up the same identifiers."""
    load, new, times = read.load, ids.new, list[datetime]()
    made: Counter[Kind] = Counter()

    async def read_again(*subject: Any, **more: Any) -> Loaded:
        loaded = await load(*subject, **more)
        times.append(loaded.around.now)
        made.clear()
        return replace(loaded, around=replace(loaded.around, now=times[0]))

    def made_up(kind: Kind) -> str:
        if kind in (Kind.EVENT, Kind.TRANSFER):
            return new(kind)
        made[kind] += 1
        return f"{kind.value}_{ids.encode(made[kind])}"

    monkeypatch.setattr("escrow.store.read.load", read_again)
    monkeypatch.setattr("escrow.ids.new", made_up)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
async def test_a_preview_writes_nothing_and_the_command_then_does_just_that(
    case: Case, request: pytest.FixtureRequest
) -> None:
    command, by = await case.prepare(await Deployment.make())
    request.getfixturevalue("still")
    before = await everything()
    with database.counting() as statements:
        foreseen = await preview(command, by=by)
    assert len(statements) == 1
    assert await everything() == before

    outcome = await run(command, by=by)
    assert [one.recorded for one in outcome.recorded] == list(foreseen.recorded)
    assert foreseen.after == outcome.contract
    assert foreseen.refusal is None
    assert [one.event.type for one in foreseen.recorded] == list(case.events)
    assert await _transfers(outcome.contract.id, before) == [
        (leg.debit, leg.credit, leg.amount.minor, leg.amount.currency) for _, leg in foreseen.transfers()
    ]
    states = {change.after.id: change.after.state.value for change in foreseen.milestones()}
    assert states == await _changed_states(outcome.contract.id, before, set(states))
    assert {change.id: change.after for change in foreseen.objects()} == await _object_states(outcome, before)
    running = {
        (row["kind"], row["subject_id"], row["due_at"]) for row in await database.fetch("SELECT * FROM deadlines")
    }
    assert {(one.kind.value, one.subject_id, one.due_at) for one in foreseen.started()} <= running
    assert not {(one.kind.value, one.subject_id) for one in foreseen.stopped()} & {one[:2] for one in running}
    if foreseen.after is not None:
        assert running == {(one.kind.value, one.subject_id, one.due_at) for one in deadlines(foreseen.after)}


async def _transfers(contract_id: str, before: dict[str, list[object]]) -> list[tuple[object, ...]]:
    rows = await database.fetch("SELECT * FROM transfers WHERE contract_id = $1 ORDER BY id", contract_id)
    new = rows[len(before["transfers"]) :]
    return [(row["debit"], row["credit"], row["amount_minor"], row["currency"]) for row in new]


async def _object_states(outcome: ContractOutcome, before: dict[str, list[object]]) -> dict[str, str]:
    """The states of deposits, requests and disputes that were made or changed."""
    found: dict[str, str] = {}
    for table in ("deposits", "refund_requests", "disputes", "change_requests"):
        old = {row[0]: row for row in before[table] if isinstance(row, tuple)}
        rows = await database.fetch(f"SELECT * FROM {table} WHERE contract_id = $1", outcome.contract.id)
        place = list(rows[0].keys()).index("state") if rows else 0
        found |= {
            row["id"]: row["state"] for row in rows if row["id"] not in old or old[row["id"]][place] != row["state"]
        }
    return found


async def _changed_states(contract_id: str, before: dict[str, list[object]], asked: set[str]) -> dict[str, str]:
    """Of the milestones whose rows are others than before; which clock rings next is told by the clocks."""
    rows = await database.fetch("SELECT * FROM milestones WHERE contract_id = $1 ORDER BY 1", contract_id)
    place = list(rows[0].keys()).index("deadline_at") if rows else 0

    def plain(row: Sequence[object]) -> tuple[object, ...]:
        return (*row[:place], *row[place + 1 :])

    old = [plain(row) for row in before["milestones"] if isinstance(row, tuple)]
    same = {str(row["id"]) for row in rows if plain(tuple(row)) in old}
    assert not same & asked
    return {row["id"]: row["state"] for row in rows if row["id"] not in same}


async def test_what_would_be_refused_is_a_refusal_and_what_is_due_still_happens() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    await deal.submit()
    await advance_past_deadlines()
    before = await everything()
    foreseen = await preview(c.RequestChanges(milestone_id=deal.milestone(), note="Bluer"), by=there.client)
    assert isinstance(foreseen.refusal, InvalidState)
    assert [one.event.type for one in foreseen.recorded] == ["milestone.released"]
    assert [one.actor for one in foreseen.recorded] == [CLOCK]
    assert foreseen.fees() == Fees(client_earned_minor=625, freelancer_earned_minor=2_500)
    assert await everything() == before
    with pytest.raises(InvalidState):
        await run(c.RequestChanges(milestone_id=deal.milestone(), note="Bluer"), by=there.client)
    assert (await deal.types())[-1] == "milestone.released"


async def test_who_may_not_do_it_learns_no_more_than_that() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    command = c.Approve(milestone_id=deal.milestone())
    for stranger in (party(ids.new(Kind.ACCOUNT)), there.mediator):
        foreseen = await preview(command, by=stranger)
        assert isinstance(foreseen.refusal, NotFound)
        assert (foreseen.before, foreseen.after, foreseen.recorded) == (None, None, ())
    for lesser in (
        there.freelancer,
        replace(there.client, role=Role.MEMBER),
        replace(there.client, scopes=frozenset({Scope.CONTRACTS_READ})),
    ):
        foreseen = await preview(command, by=lesser)
        assert isinstance(foreseen.refusal, Forbidden)
        assert (foreseen.recorded, list(foreseen.transfers()), foreseen.milestones()) == ((), [], [])


@pytest.mark.parametrize("nonsense", ["", "\0", "x" * 1_000])
async def test_identifiers_that_nothing_can_have_are_not_found(nonsense: str) -> None:
    there = await Deployment.make()
    foreseen = await preview(c.Approve(milestone_id=nonsense), by=there.client)
    assert isinstance(foreseen.refusal, NotFound)


async def test_the_fees_of_a_deposit_are_asked_then_held() -> None:
    there = await Deployment.make(client_bps=250, freelancer_bps=1000)
    deal = await there.activate("250.00")
    asked = c.Fund(milestone_id=deal.milestone(), deposit_id=ids.new(Kind.DEPOSIT), order_id=ids.new(Kind.ORDER))
    assert (await preview(asked, by=there.client)).fees() == Fees(client_asked_minor=625)
    deposit_id = await deal.fund()
    assert (await preview(deal.confirmation(deposit_id), by=PROVIDER)).fees() == Fees(client_held_minor=625)
    await deal.confirm(deposit_id)
    approval = c.Approve(milestone_id=deal.milestone())
    assert (await preview(approval, by=there.client)).fees() == Fees(
        client_earned_minor=625, freelancer_earned_minor=2_500
    )


async def test_the_silence_that_the_operator_is_told_of_is_no_clock_that_starts_or_stops() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    submission = c.Submit(milestone_id=deal.milestone(), submission_id=ids.new(Kind.SUBMISSION), message="Done")
    foreseen = await preview(submission, by=there.freelancer)
    assert [one.action for one in foreseen.started()] == ["milestone.released"]
    assert foreseen.stopped() == []
    await deal.submit()
    foreseen = await preview(c.RequestChanges(milestone_id=deal.milestone(), note="Bluer"), by=there.client)
    assert foreseen.started() == []
    assert [one.action for one in foreseen.stopped()] == ["milestone.released"]


async def test_a_log_of_a_later_release_is_not_foretold() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    await database.execute("UPDATE deployment SET vocabulary = 'later'")
    await database.execute(
        "INSERT INTO events SELECT 'evt_0', stream_id, sequence + 1, 'milestone.sung', 1, occurred_at, body, hash, hash "
        "FROM events WHERE stream_id = $1 ORDER BY sequence DESC LIMIT 1",
        deal.id,
    )
    await database.execute("INSERT INTO event_types VALUES ('milestone.sung', 1)")
    with pytest.raises(UnknownEvent):
        await preview(c.Approve(milestone_id=deal.milestone()), by=there.client)
