"""The sweep: what is due is applied once, in time, at its due time; a claim decides nothing, a failure stands in no way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from escrow import bell, clock, database, sweep
from escrow.agreement.step import step
from escrow.bell import Topic
from escrow.log import UnknownEvent
from escrow.store import write
from tests import plans
from tests.engines import Cleaner
from tests.factories import Deal, Deployment, advance_clock, advance_past_deadlines
from tests.patience import PATIENCE_SECONDS
from tests.workers.process import until
from tests.workers.sweeping import due_times, each_once, nothing_is_due, set_clock, several, submitted, sweeping
from tests.written import written
from workers import deadlines

pytestmark = pytest.mark.usefixtures("database")

SECOND = timedelta(seconds=1)
SOON = 0.3 * SECOND


@pytest.fixture(autouse=True)
def nothing_is_over_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is: leases and pauses end by `free_all`, and what is under way is not given up."""
    for name in ("LEASE_SECONDS", "RETRY_SECONDS", "RETRY_SECONDS_MAX"):
        monkeypatch.setattr(sweep, name, 3_600.0)
    for name in ("FIRE_SECONDS_MAX", "STOP_SECONDS"):
        monkeypatch.setattr(deadlines, name, PATIENCE_SECONDS)


async def free_all() -> None:
    """The end of every lease and pause, without waiting for it."""
    await database.execute("UPDATE deadline_sweeps SET free_at = clock_timestamp()")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Of each look of a pump that found nothing due: for how long there is nothing to do, after which it goes to sleep."""
    found: list[float | None] = []
    until_next = sweep.seconds_until_next

    async def noting() -> float | None:
        found.append(await until_next())
        return found[-1]

    monkeypatch.setattr(sweep, "seconds_until_next", noting)
    return found


async def more(looks: list[float | None], count: int) -> None:
    """Wait for so many more looks that found nothing due."""
    enough = len(looks) + count

    async def looked() -> bool:
        return len(looks) >= enough

    await until(looked)


async def held() -> dict[str, tuple[int, str | None]]:
    rows = await database.fetch("SELECT contract_id, attempts, last_error FROM deadline_sweeps")
    return {row["contract_id"]: (row["attempts"], row["last_error"]) for row in rows}


async def test_what_nobody_answers_is_released_when_it_is_due_although_nobody_touches_it() -> None:
    there = await Deployment.make()
    deals = await several(there, 20)
    due = await due_times(deals)
    await advance_past_deadlines()
    async with sweeping():
        await nothing_is_due()
    await each_once(due, deals)
    assert await held() == {}
    assert (await sweep.counts())["milestone.released"] == len(deals)


async def test_an_offer_and_a_deposit_run_out_by_the_same_sweep() -> None:
    there = await Deployment.make()
    offered, paying = await there.propose(), await there.activate()
    await paying.fund()
    await advance_past_deadlines()
    async with sweeping():
        await nothing_is_due()
    assert (await offered.types())[-3:] == ["contract.expired", "milestone.cancelled", "milestone.cancelled"]
    assert (await paying.types())[-1] == "deposit.abandoned"


async def test_nothing_is_fired_before_it_is_due(looks: list[float | None]) -> None:
    there = await Deployment.make()
    deal = await submitted(there)
    due = await due_times([deal])
    await set_clock(due[deal.id] - 3600 * SECOND)
    async with sweeping():
        await nothing_is_due()  # but the reminder
        await more(looks, 2)
    assert "milestone.released" not in await deal.types()
    assert (await sweep.claim(100)).contract_ids == ()


async def test_a_pump_wakes_when_the_next_deadline_is_due_not_when_it_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "POLL_SECONDS", 3600.0)
    there = await Deployment.make()
    deal = await submitted(there)
    due = await due_times([deal])
    await set_clock(due[deal.id] - SOON)
    async with sweeping():
        await until(lambda: all_released([deal]))
    await each_once(due, [deal])


async def test_a_pump_that_sleeps_is_woken_by_the_bell(
    monkeypatch: pytest.MonkeyPatch, redis_url: str, looks: list[float | None]
) -> None:
    monkeypatch.setattr(deadlines, "POLL_SECONDS", 3600.0)
    there = await Deployment.make()
    deal = await submitted(there)
    due = await due_times([deal])
    await bell.connect(redis_url)
    try:
        async with sweeping():
            await more(looks, 1)
            await set_clock(due[deal.id])

            async def rung_and_fired() -> bool:
                await bell.ring(Topic.DEADLINES)
                return "milestone.released" in await deal.types()

            await until(rung_and_fired)
    finally:
        await bell.disconnect()
    await each_once(due, [deal])


async def test_without_redis_polling_finds_what_is_due(looks: list[float | None]) -> None:
    there = await Deployment.make()
    deal = await submitted(there)
    due = await due_times([deal])
    async with sweeping():
        await more(looks, 1)
        await set_clock(due[deal.id])
        await nothing_is_due()
    await each_once(due, [deal])


async def test_a_contract_that_somebody_is_at_is_left_alone_until_the_lease_ends() -> None:
    there = await Deployment.make()
    deals = await several(there, 5)
    await advance_past_deadlines()
    first, second = await sweep.claim(3), await sweep.claim(100)
    assert (len(first.contract_ids), len(second.contract_ids)) == (3, 2)
    assert set(first.contract_ids) | set(second.contract_ids) == {deal.id for deal in deals}
    assert (await sweep.claim(100)).contract_ids == ()
    await free_all()
    assert len((await sweep.claim(100)).contract_ids) == 5


async def test_claims_at_the_same_time_never_take_the_same_contract() -> None:
    there = await Deployment.make()
    deals = await several(there, 12)
    await advance_past_deadlines()
    claims = await asyncio.gather(*(sweep.claim(4) for _ in range(8)))
    taken = [contract_id for claim in claims for contract_id in claim.contract_ids]
    assert len(taken) == len(set(taken)) <= len(deals)


async def test_a_lease_of_before_gives_nothing_back_that_is_somebody_elses_now() -> None:
    there = await Deployment.make()
    deal = await submitted(there)
    await advance_past_deadlines()
    old = await sweep.claim(1)
    await free_all()
    new = await sweep.claim(1)
    await sweep.hand_back(old.token, done=[deal.id], failed={}, happened={})
    await sweep.hand_back(old.token, failed={deal.id: "too late"}, happened={})
    assert await held() == {deal.id: (2, None)}
    await sweep.hand_back(new.token, done=[deal.id], failed={}, happened={})
    assert await held() == {}


async def test_what_nobody_began_with_is_given_back_as_it_was_taken() -> None:
    there = await Deployment.make()
    deal = await submitted(there)
    await advance_past_deadlines()
    claimed = await sweep.claim(1)
    await sweep.hand_back(claimed.token, unused=[deal.id], failed={}, happened={})
    assert await held() == {}, "it had never failed"
    claimed = await sweep.claim(1)
    await sweep.hand_back(claimed.token, failed={deal.id: "an update was needed"}, happened={})
    await free_all()
    claimed = await sweep.claim(1)
    await sweep.hand_back(claimed.token, unused=[deal.id], failed={}, happened={})
    assert await held() == {deal.id: (1, "an update was needed")}
    assert (await sweep.claim(1)).contract_ids == (deal.id,), "another worker goes on at once"


async def test_a_pump_that_is_stopped_while_it_claims_gives_back_as_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await Deployment.make()
    deal = await submitted(there)
    await advance_past_deadlines()
    failed = await sweep.claim(1)
    await sweep.hand_back(failed.token, failed={deal.id: "an update was needed"}, happened={})
    await free_all()
    claim, has_claimed, may_end = sweep.claim, asyncio.Event(), asyncio.Event()

    async def claiming(limit: int) -> sweep.Claim:
        claimed = await claim(limit)
        has_claimed.set()
        await may_end.wait()
        return claimed

    monkeypatch.setattr(sweep, "claim", claiming)
    pump = asyncio.create_task(deadlines.pump())
    await has_claimed.wait()
    pump.cancel()
    may_end.set()
    await asyncio.wait({pump})
    assert await held() == {deal.id: (1, "an update was needed")}


async def test_a_pump_whose_claim_fails_hands_back_what_it_is_done_with(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await Deployment.make()
    deal = await submitted(there)
    await advance_past_deadlines()
    claim, fire, has_failed = sweep.claim, sweep.fire_together, asyncio.Event()

    async def claiming(limit: int) -> sweep.Claim:
        if await held():
            has_failed.set()
            raise ConnectionError("the database restarts")
        return await claim(limit)

    async def firing(contract_ids: Sequence[str]) -> Mapping[str, Counter[str]]:
        await has_failed.wait()
        return await fire(contract_ids)

    monkeypatch.setattr(sweep, "claim", claiming)
    monkeypatch.setattr(sweep, "fire_together", firing)
    with pytest.raises(ConnectionError, match="the database restarts"):
        await deadlines.pump()
    assert "milestone.released" in await deal.types()
    assert await held() == {}


@pytest.mark.parametrize("answer", ["approve", "request_changes"])
async def test_a_stale_claim_does_nothing(answer: str) -> None:
    there = await Deployment.make()
    deal = await submitted(there)
    due = await due_times([deal])
    await set_clock(due[deal.id] - 3600 * SECOND)
    await getattr(deal, answer)()
    before = await deal.types()
    await advance_clock(days=20)
    assert await sweep.fire(deal.id) == {}
    assert (await sweep.claim(100)).contract_ids == (), "what no longer applies is gone with the same write"
    assert await deal.types() == before


async def test_a_stale_claim_of_what_a_late_command_applied_does_nothing() -> None:
    there = await Deployment.make()
    deal = await submitted(there)
    due = await due_times([deal])
    await advance_past_deadlines()
    claimed = await sweep.claim(1)
    await deal.approve()
    assert [await sweep.fire(contract_id) for contract_id in claimed.contract_ids] == [{}]
    await each_once(due, [deal])


async def test_a_resubmission_starts_a_fresh_window_by_the_accepted_snapshot(looks: list[float | None]) -> None:
    there = await Deployment.make()
    deal = await submitted(there)
    first = (await due_times([deal]))[deal.id]
    await set_clock(first - 24 * 3600 * SECOND)
    await deal.request_changes()
    await advance_clock(days=100)
    async with sweeping():
        await more(looks, 1)
        assert "milestone.released" not in await deal.types()
        await deal.submit()
        second = await due_times([deal])
        assert abs(second[deal.id] - await clock.now() - timedelta(days=14)) < 60 * SECOND
        await set_clock(second[deal.id])
        await nothing_is_due()
    await each_once(second, [deal])


# -- poison ---------------------------------------------------------------------------------------------------------


def poison(monkeypatch: pytest.MonkeyPatch, contract_id: str, error: Exception) -> None:
    """One contract fails for a reason of ours."""

    def failing(state: Any, *args: Any, **options: Any) -> Any:
        if state.id == contract_id:
            raise error
        return step(state, *args, **options)

    monkeypatch.setattr("escrow.store.stream.step", failing)


@pytest.mark.parametrize("error", [UnknownEvent("update Earnest"), ZeroDivisionError("a fault of ours")], ids=repr)
async def test_a_contract_that_fails_waits_longer_each_time_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    there = await Deployment.make()
    ill = await submitted(there)
    others = await several(there, 10)
    due = await due_times(others)
    await advance_past_deadlines()
    monkeypatch.setattr(sweep, "RETRY_SECONDS", 300.0)
    monkeypatch.setattr(sweep, "RETRY_SECONDS_MAX", 900.0)
    pauses = []
    with monkeypatch.context() as patch, written() as log:
        poison(patch, ill.id, error)
        for attempt in range(1, 4):
            async with sweeping():

                async def failed(count: int = attempt) -> bool:
                    return (await sweep.counts()).get("failed") == count

                await until(failed)
            said = f"{type(error).__name__}: {error}"
            assert await held() == {ill.id: (attempt, said)}
            pause = "SELECT extract(epoch FROM free_at - clock_timestamp())::float8 FROM deadline_sweeps"
            pauses.append(await database.fetch_value(pause))
            await free_all()
        await each_once(due, others)
    assert pauses == pytest.approx([300.0, 600.0, sweep.RETRY_SECONDS_MAX], rel=0.1)
    entries = [entry for entry in log.entries if entry["level"] == "error"]
    assert [(entry["logger"], entry["contract"]) for entry in entries] == [("workers.deadlines", ill.id)] * 3
    found = await sweep.backlog()
    assert (found.failing, found.overdue) == (1, 2), "its review, and the reminder that it was too late for"
    assert found.oldest_overdue_seconds > 0
    assert found.oldest_waiting_seconds == 0, "the sweep itself is not late"
    async with sweeping():  # the fault is mended
        await nothing_is_due()
    assert "milestone.released" in await ill.types()
    assert (await sweep.backlog()).failing == 0


async def test_contracts_that_hang_give_their_places_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await Deployment.make()
    ill = await several(there, deadlines.AT_ONCE)
    hanging = {deal.id for deal in ill}
    await advance_clock(days=10)
    others = await several(there, 5)
    due = await due_times(others)
    await set_clock(max((await due_times(ill)).values()))
    fire, together = sweep.fire, sweep.fire_together
    began = 0

    async def hang(contract_id: str) -> Any:
        nonlocal began
        if contract_id in hanging:
            began += 1
            await asyncio.Event().wait()
        return await fire(contract_id)

    async def fire_others(contract_ids: Sequence[str]) -> Any:
        return await together([one for one in contract_ids if one not in hanging])

    monkeypatch.setattr(sweep, "fire", hang)
    monkeypatch.setattr(sweep, "fire_together", fire_others)
    monkeypatch.setattr(deadlines, "FIRE_SECONDS_MAX", 0.3)
    async with sweeping():

        async def all_hang() -> bool:
            return began == len(hanging)

        await until(all_hang)
        monkeypatch.setattr(deadlines, "FIRE_SECONDS_MAX", PATIENCE_SECONDS)  # that was for those alone
        await set_clock(max(due.values()))

        async def fired() -> bool:
            return (await sweep.counts()).get("milestone.released", 0) == len(others)

        await until(fired)
    await each_once(due, others)
    assert (await sweep.backlog()).failing == len(hanging)


async def test_all_that_a_whole_statement_fails_for_is_done_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await Deployment.make()
    deals = await several(there, 5)
    due = await due_times(deals)
    await advance_past_deadlines()

    async def refused(_: Sequence[str]) -> Any:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(sweep, "fire_together", refused)
    async with sweeping():
        await nothing_is_due()
    await each_once(due, deals)


async def test_what_postgresql_refuses_of_one_contract_keeps_no_other_back() -> None:
    there = await Deployment.make()
    ill, *others = await several(there, 6)
    due = await due_times(others)
    await advance_past_deadlines()
    await database.execute(f"ALTER TABLE contracts ADD CONSTRAINT ill CHECK (id <> '{ill.id}') NOT VALID")
    try:
        together = await sweep.fire_together([ill.id, *(deal.id for deal in others)])
        assert together == {}, "one statement is written whole or not at all"
        async with sweeping():

            async def failed() -> bool:
                return "failed" in await sweep.counts()

            await until(failed)
            await until(lambda: all_released(others))
    finally:
        await database.execute("ALTER TABLE contracts DROP CONSTRAINT ill")
    await each_once(due, others)
    assert "CheckViolationError" in ((await held())[ill.id][1] or "")
    assert "milestone.released" not in await ill.types()


async def all_released(deals: Sequence[Deal]) -> bool:
    return all([(await deal.states())[0] == "RELEASED" for deal in deals])


async def test_a_contract_that_somebody_is_changing_is_left_out_and_waited_for_by_itself(
    shared_database: tuple[str, Cleaner],
) -> None:
    there = await Deployment.make()
    busy, *others = await several(there, 4)
    due = await due_times([busy, *others])
    await advance_past_deadlines()
    changing = await asyncpg.connect(shared_database[0])
    try:
        async with changing.transaction():
            await changing.execute("SELECT FROM contracts WHERE id = $1 FOR NO KEY UPDATE", busy.id)
            found = await sweep.fire_together([busy.id, *(deal.id for deal in others)])
        assert found == {deal.id: {"milestone.released": 1} for deal in others}
    finally:
        await changing.close()
    assert await sweep.fire(busy.id) == {"milestone.released": 1}
    await each_once(due, [busy, *others])


async def test_contracts_that_changed_since_they_were_read_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await Deployment.make()
    late, *others = await several(there, 4)
    due = await due_times([late, *others])
    await advance_past_deadlines()
    write_all = write.write_all

    async def overtaken(changes: Sequence[Any]) -> set[str]:
        await late.approve()
        return await write_all(changes)

    monkeypatch.setattr(write, "write_all", overtaken)
    found = await sweep.fire_together([late.id, *(deal.id for deal in others)])
    assert set(found) == {deal.id for deal in others}
    await each_once(due, [late, *others])


async def test_contracts_are_applied_together_in_two_statements() -> None:
    there = await Deployment.make()
    deals = await several(there, 8)
    await advance_past_deadlines()
    with database.counting() as statements:
        found = await sweep.fire_together([deal.id for deal in deals])
    assert (len(found), len(statements)) == (8, 2)


async def test_a_deadline_that_the_contract_does_not_know_is_a_failure_and_not_an_endless_loop(
    looks: list[float | None],
) -> None:
    there = await Deployment.make()
    deal = await there.activate()
    await database.execute("INSERT INTO deadlines VALUES ($1, 'REVIEW', 'mil_0', now() - interval '1 day')", deal.id)
    with pytest.raises(sweep.NothingHappens):
        await sweep.fire(deal.id)
    async with sweeping():

        async def failed() -> bool:
            return "failed" in await sweep.counts()

        await until(failed)
        await more(looks, 2)
    assert (await sweep.counts())["failed"] == 1


async def test_a_reminder_that_an_older_release_left_behind_is_cleared_away() -> None:
    there = await Deployment.make()
    deal = await there.activate()
    before = await deal.types()
    await database.execute("INSERT INTO deadlines VALUES ($1, 'REMINDER', 'mil_0', now() - interval '1 day')", deal.id)
    async with sweeping():
        await nothing_is_due()
    assert await deal.types() == before
    assert "failed" not in await sweep.counts()


async def test_what_was_left_behind_is_forgotten_once_nothing_is_due_any_more() -> None:
    there = await Deployment.make()
    deal = await submitted(there)
    await advance_past_deadlines()
    claimed = await sweep.claim(1)
    await sweep.hand_back(claimed.token, failed={deal.id: "an update was needed"}, happened={})
    await deal.approve()
    await free_all()
    await sweep.seconds_until_next()
    assert await held() == {}


# -- the plan -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("untouched_database")
async def test_claiming_reads_the_index_up_to_its_limit_and_never_the_table() -> None:
    there = await Deployment.make()
    await submitted(there)
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            "INSERT INTO deadlines SELECT 'ctr_' || n, 'REVIEW', 'mil_' || n, now() + (n - 100) * interval '1 minute' "
            "FROM generate_series(1, 20000) AS n"
        )
    for due in (100, 20_000):  # as it should be, and after a long outage
        if due > 100:
            await advance_clock(days=100)
        await database.execute("ANALYZE deadlines")
        claim = await plans.explain(sweep._CLAIM, 64, "token", 0.0)
        (by_index,) = {step["Index Cond"] for step in claim.steps if step.get("Index Name") == "deadlines_due"}
        assert by_index.startswith("(due_at <="), claim.root
        assert "deadlines" not in claim.read_whole, claim.root
        following = await plans.explain(sweep._NEXT)
        assert "deadlines_due" in following.indexes, following.root
        assert "deadlines" not in following.read_whole, following.root
