"""What an owner may ask for beside events: one delivery once more, a stretch of the log, a test."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from escrow import database, ids, log, pipeline
from escrow.accounts.commands.endpoints import DeleteEndpoint, DisableEndpoint, EnableEndpoint
from escrow.errors import InvalidState, NotFound
from escrow.ids import Kind
from tests.factories import Deployment, advance_clock, make_endpoint
from tests.webhooks.partner import attempts_made, delivery_worker, fan_out_only, in_order, partners, settled, states
from tests.workers.process import until
from webhooks.audit import audit_deliveries
from webhooks.delivery import maintenance
from webhooks.owner import replays

pytestmark = pytest.mark.usefixtures("database")


async def well() -> None:
    assert [difference async for difference in audit_deliveries()] == []


async def replayed(replay_id: str) -> None:
    """Wait until a replay is over and everything was sent."""

    async def done() -> bool:
        await database.execute("UPDATE replays SET due_at = clock_timestamp() WHERE due_at IS NOT NULL")
        return bool(await database.fetch_value("SELECT due_at IS NULL FROM replays WHERE id = $1", replay_id))

    await until(done)
    await settled()


async def test_a_finished_delivery_is_made_once_more_with_the_same_id_and_says_that_it_is_a_replay() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        await there.propose()
        await worker.fan_out()
        await settled()
        first = await database.fetch_row("SELECT * FROM deliveries ORDER BY position LIMIT 1")
        assert first is not None
        again = await replays.redeliver(first["id"])
        assert again != first["id"]
        await settled()
    assert partner.events().count(first["event_id"]) == 2
    marks = [a.body["data"]["replay"] for a in partner.arrivals if a.event_id == first["event_id"]]
    assert marks == [False, True]
    row = await database.fetch_row("SELECT kind, state, position FROM deliveries WHERE id = $1", again)
    assert row is not None
    assert tuple(row) == ("REDELIVERY", "DELIVERED", first["position"])
    assert await database.fetch_value("SELECT count(*) FROM deliveries WHERE id = $1", first["id"]) == 1
    await well()


async def test_a_delivery_that_waits_is_hastened_and_not_doubled() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 500
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)

        async def waits() -> bool:
            return bool(await database.fetch_value("SELECT token IS NULL FROM lanes"))

        await until(waits)
        partner.replies["/hook"] = 200
        first = await database.fetch_value("SELECT id FROM deliveries ORDER BY position LIMIT 1")
        assert await replays.redeliver(first) == first
        await settled()
    assert await states() == {"DELIVERED": 3}
    assert in_order(partner.arrivals)
    await well()


async def test_a_redelivery_waits_for_no_lane_and_holds_up_none() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        deal = await there.propose()
        await worker.fan_out()
        await settled()
        first = await database.fetch_row("SELECT * FROM deliveries ORDER BY position LIMIT 1")
        assert first is not None
        partner.replies["/hook"] = lambda arrival: 500 if arrival.body["data"]["replay"] else 200
        again = await replays.redeliver(first["id"])
        await attempts_made(4)
        await deal.accept()
        await worker.fan_out()

        async def newer_came() -> bool:
            return len(set(partner.accepted())) == len(await deal.types())

        await until(newer_came)
    assert await database.fetch_value("SELECT state FROM deliveries WHERE id = $1", again) == "PENDING"
    await well()


async def test_what_cannot_be_redelivered_is_refused_and_makes_nothing() -> None:
    there = await Deployment.make()
    end = await make_endpoint(there.client)
    await fan_out_only()
    await there.propose()
    await fan_out_only()
    delivery_id = await database.fetch_value("SELECT id FROM deliveries LIMIT 1")
    await pipeline.run(DeleteEndpoint(endpoint_id=end.id), by=there.client)
    before = await database.fetch_value("SELECT count(*) FROM deliveries")
    with pytest.raises(InvalidState, match="was deleted"):
        await replays.redeliver(delivery_id)
    with pytest.raises(NotFound, match="no delivery"):
        await replays.redeliver(ids.new(Kind.DELIVERY))
    test = {"event_id": ids.new(Kind.EVENT), "event_type": "x", "event_body": "{}", "stream_id": "acc"}
    for refused in (replays.enqueue_test(end.id, **test), replays.replay(end.id, after=0)):
        with pytest.raises(NotFound, match="no webhook endpoint"):
            await refused
    assert await database.fetch_value("SELECT count(*) FROM deliveries") == before
    assert await database.fetch_value("SELECT count(*) FROM replays") == 0


async def test_a_replay_sends_what_the_filter_lets_through_in_order_marked_from_a_cursor_up_to_now() -> None:
    there = await Deployment.make()
    early, late = await there.fund(), await there.propose()
    while await log.sequence():
        pass
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url(), event_types=("contract.*", "milestone.*"))
        await worker.fan_out()
        after = await database.fetch_value("SELECT min(position) FROM log_positions WHERE stream_id = $1", early.id)
        replay_id = await replays.replay(end.id, after=after)
        await late.accept()
        await replayed(replay_id)
        assert all(arrival.body["data"]["replay"] for arrival in partner.arrivals)
        await worker.fan_out()
        await settled()
    types = [a.body["type"] for a in partner.arrivals if a.body["data"]["replay"]]
    assert "contract.accepted" in types
    assert not any(kind.startswith(("deposit.", "account.", "member.")) for kind in types)
    wanted = [
        kind for kind in [*(await early.types())[1:], *(await late.types())[:-1]] if not kind.startswith("deposit.")
    ]
    assert sorted(types) == sorted(wanted), "what came after it was asked for comes as usual"
    live = [a for a in partner.arrivals if not a.body["data"]["replay"]]
    assert [a.body["type"] for a in live] == ["contract.accepted"]
    assert in_order(partner.arrivals)
    assert await database.fetch_value("SELECT deliveries FROM replays") == len(types)
    await well()


async def test_a_replay_makes_so_many_deliveries_in_a_step_and_waits_while_many_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replays, "EVENTS_PER_STEP", 4)
    monkeypatch.setattr(replays, "STEP_SECONDS", 3_600.0)
    there = await Deployment.make()
    for _ in range(4):
        await there.propose()
    while await log.sequence():
        pass
    end = await make_endpoint(there.client)
    await fan_out_only()
    await replays.replay(end.id, after=0)
    made = []
    for _ in range(2):
        assert await replays.step()
        made.append(await database.fetch_value("SELECT count(*) FROM deliveries"))
        assert not await replays.step(), "not due yet"
        pause = await database.fetch_value("SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM replays")
        assert 0 < pause <= replays.STEP_SECONDS
        await database.execute("UPDATE replays SET due_at = clock_timestamp()")
    assert made == [4, 8]
    await database.execute(
        "INSERT INTO lanes (endpoint_id, lane, done, tail, due_at) SELECT $1, 'ctr_' || n, 0, 1, now() "
        "FROM generate_series(1, 200) AS n",
        end.id,
    )
    assert not await replays.step()
    assert await database.fetch_value("SELECT count(*) FROM deliveries") == 8


async def test_a_replay_looks_at_a_long_log_a_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "LOOKED_AT_MAX", 3)
    there = await Deployment.make()
    await there.propose()
    while await log.sequence():
        pass
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.mediator, partner.url())
        await worker.fan_out()
        replay_id = await replays.replay(end.id, after=0)
        await replayed(replay_id)
    assert [a.body["type"] for a in partner.arrivals] == [
        "account.created",
        "account.mediator_appointed",
        "endpoint.created",
    ]
    await well()


async def test_a_replay_from_a_time_begins_with_the_first_event_that_occurred_then() -> None:
    there = await Deployment.make()
    await there.propose()
    await advance_clock(days=2)
    later = await there.propose()
    while await log.sequence():
        pass
    at = await database.fetch_value("SELECT min(occurred_at) FROM events WHERE stream_id = $1", later.id)
    first = await database.fetch_value("SELECT min(position) FROM log_positions WHERE stream_id = $1", later.id)
    assert await replays.position_before(at) == first - 1
    assert await replays.position_before(at - timedelta(hours=1)) == first - 1
    assert await replays.position_before(at + timedelta(days=9)) == await log.last_position()
    assert await replays.position_before(at - timedelta(days=9)) == 0
    with pytest.raises(ValueError, match="after a position or at a time"):
        await replays.replay("whe_1")


async def test_a_disabled_endpoint_gets_its_replay_once_it_is_enabled() -> None:
    there = await Deployment.make()
    await there.propose()
    while await log.sequence():
        pass
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await pipeline.run(DisableEndpoint(endpoint_id=end.id), by=there.client)
        await worker.fan_out()
        await replays.replay(end.id, after=0)
        await pipeline.run(EnableEndpoint(endpoint_id=end.id), by=there.client)
        await worker.fan_out()
        await settled()

        async def all_came() -> bool:
            return "contract.proposed" in {arrival.body["type"] for arrival in partner.arrivals}

        await until(all_came)
        await settled()
    await well()


async def test_a_replay_of_a_deleted_endpoint_ends() -> None:
    there = await Deployment.make()
    end = await make_endpoint(there.client)
    await fan_out_only()
    await replays.replay(end.id, after=0)
    await pipeline.run(DeleteEndpoint(endpoint_id=end.id), by=there.client)
    await fan_out_only()
    assert await replays.step()
    assert await database.fetch("SELECT FROM deliveries WHERE kind = 'REPLAY'") == []
    assert await database.fetch_value("SELECT due_at FROM replays") is None


async def test_replays_to_a_receiver_that_is_behind_do_not_hold_up_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "WAITING_MAX", 1)
    monkeypatch.setattr(replays, "STEP_SECONDS", 3_600.0)
    there = await Deployment.make()
    behind, other = await make_endpoint(there.client), await make_endpoint(there.freelancer)
    await there.propose()
    await fan_out_only()
    await replays.enqueue_test(
        behind.id,
        event_id=ids.new(Kind.EVENT),
        event_type="x",
        event_body="{}",
        stream_id=there.client.account_id or "",
    )
    await database.execute("UPDATE lanes SET due_at = NULL, done = tail WHERE endpoint_id = $1", other.id)
    for _ in range(3):
        await replays.replay(behind.id, after=0)
    last = await replays.replay(other.id, after=0)
    assert await replays.step(), "the one of the receiver that keeps up"
    assert await database.fetch_value("SELECT deliveries FROM replays WHERE id = $1", last) > 0
    assert not await replays.step()
    made = "SELECT sum(deliveries) FROM replays WHERE endpoint_id = $1"
    assert await database.fetch_value(made, behind.id) == 0


async def test_an_endpoint_has_a_few_replays_under_way_and_no_more() -> None:
    there = await Deployment.make()
    end, other = await make_endpoint(there.client), await make_endpoint(there.client)
    await there.propose()
    await fan_out_only()
    for _ in range(replays.UNDER_WAY_MAX):
        await replays.replay(end.id, after=0)
    with pytest.raises(InvalidState, match="at most 10 replays"):
        await replays.replay(end.id, after=0)
    assert await database.fetch_value("SELECT count(*) FROM replays") == replays.UNDER_WAY_MAX
    await replays.replay(other.id, after=0)
    await database.execute("UPDATE replays SET due_at = NULL")
    await replays.replay(end.id, after=0)


async def somebody_waits() -> bool:
    """Whether a session waits for another's lock."""
    found: bool = await database.fetch_value("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
    return found


async def test_what_is_asked_for_while_the_endpoint_is_deleted_ends_with_it() -> None:
    there = await Deployment.make()
    end = await make_endpoint(there.client)
    await fan_out_only()
    asked = asyncio.Event()

    async def delete() -> None:
        await asked.wait()
        await pipeline.run(DeleteEndpoint(endpoint_id=end.id), by=there.client)
        await fan_out_only()
        await maintenance.tasks()

    deleting = asyncio.create_task(delete())
    async with database.transaction():
        test = {"event_type": "x", "event_body": "{}", "stream_id": there.client.account_id or ""}
        await replays.enqueue_test(end.id, event_id=ids.new(Kind.EVENT), **test)
        await replays.replay(end.id, after=0)
        asked.set()
        await until(somebody_waits)
    await deleting
    assert await states() == {"CANCELLED": 1}
    assert await database.fetch_value("SELECT count(*) FROM replays WHERE due_at IS NOT NULL") == 0


async def test_a_test_goes_the_same_way_and_stands_in_no_log() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        event_id = ids.new(Kind.EVENT)
        body = log.canonical({"id": event_id, "type": "contract.accepted", "occurredAt": "2026-11-22T12:00:00.000000Z"})
        delivery_id = await replays.enqueue_test(
            end.id,
            event_id=event_id,
            event_type="contract.accepted",
            event_body=body,
            stream_id=there.client.account_id or "",
        )
        await settled()
        assert partner.events() == [event_id]
        assert await replays.redeliver(delivery_id) != delivery_id
        await settled()
    assert partner.events() == [event_id] * 2
    assert [(a.position, a.body["data"]["test"]) for a in partner.arrivals] == [("", True)] * 2
    assert await database.fetch_value("SELECT count(*) FROM events WHERE id = $1", event_id) == 0
    assert [tuple(r) for r in await database.fetch("SELECT kind, position FROM deliveries")] == [("TEST", 0)] * 2
    await well()
