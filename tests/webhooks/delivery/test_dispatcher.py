"""A delivery's life, from its place in the log to a final state: order, retries, and faults that are nobody's but ours.

Days pass by moving the rows' times, never by waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from standardwebhooks.webhooks import Webhook

from escrow import cursors, database, process_log, traces
from escrow.settings import Reach
from escrow.traces import PROCESS, Trace
from tests.factories import Deployment, make_endpoint
from tests.patience import PATIENCE_SECONDS
from tests.webhooks.delivery.watching import (
    came,
    health_of,
    lane,
    well,
)
from tests.webhooks.partner import (
    PAUSE_SECONDS,
    Arrival,
    attempts_made,
    delivery_worker,
    fan_out_only,
    in_order,
    make_due,
    matching,
    partners,
    pending,
    settled,
    states,
)
from tests.workers.process import until
from tests.written import written
from webhooks.delivery import claims, sending
from webhooks.delivery import dispatcher as dispatching
from webhooks.delivery.claims import Claim
from webhooks.delivery.dispatcher import Dispatcher
from webhooks.delivery.retries import DELAYS_SECONDS, JITTER
from webhooks.owner import queries
from webhooks.request.answers import Answer, ErrorClass
from webhooks.request.endpoints import Endpoint, endpoints
from webhooks.request.sender import Sender

pytestmark = pytest.mark.usefixtures("database")


async def test_events_arrive_in_order_signed_and_once() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        deals = [await there.fund() for _ in range(3)]
        await worker.fan_out()
        await settled()
    ids = {event_id for event_id, _ in await matching()}
    assert sorted(partner.events()) == sorted(ids)
    assert {arrival.stream for arrival in partner.arrivals} == {deal.id for deal in deals}
    assert in_order(partner.arrivals)
    for arrival in partner.arrivals:
        Webhook(end.secret).verify(arrival.raw, arrival.headers)
        event = arrival.body["data"]["event"]
        assert (arrival.event_id, arrival.body["type"]) == (event["id"], event["type"])
        position = await database.fetch_value("SELECT position FROM log_positions WHERE event_id = $1", event["id"])
        assert arrival.position == cursors.print_cursor(position)
    attempts = await database.fetch("SELECT * FROM delivery_attempts")
    assert len(attempts) == len(ids)
    assert {(row["status"], row["error"], row["address"], row["excerpt"]) for row in attempts} == {
        (200, None, "127.0.0.1", b"ok")
    }
    await well()


async def test_what_fails_is_sent_again_the_same_and_holds_back_its_lane_only() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        bad, good = await there.propose(), await there.propose()
        failed: list[str] = []

        def once(arrival: Arrival) -> int:
            if arrival.stream == bad.id and not failed:
                failed.append(arrival.event_id)
                return 500
            return 200

        partner.replies["/hook"] = once
        await worker.fan_out()

        async def only_it_waits() -> bool:
            return bool(
                await pending() == len(await bad.types())
                and await database.fetch_value("SELECT count(*) FROM lanes WHERE due_at > now() AND token IS NULL") == 1
            )

        await until(only_it_waits)
        row = await database.fetch_row(
            "SELECT failures, extract(epoch FROM due_at - clock_timestamp())::float8 AS seconds FROM lanes WHERE lane = $1",
            bad.id,
        )
        assert row is not None
        assert row["failures"] == 1
        assert PAUSE_SECONDS / 2 < row["seconds"] <= PAUSE_SECONDS * (1 + JITTER)
        assert [arrival.event_id for arrival in partner.arrivals if arrival.stream == good.id] != []
        await make_due()
        await settled()
    again = [arrival for arrival in partner.arrivals if arrival.event_id in failed]
    assert len(again) == 2
    assert again[0].raw == again[1].raw
    for arrival in again:
        Webhook(end.secret).verify(arrival.raw, arrival.headers)
    assert in_order(partner.arrivals)
    assert await states() == {"DELIVERED": len(await bad.types()) + len(await good.types())}
    await well()


async def test_after_the_last_retry_it_is_failed_and_the_next_one_says_so() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        deal = await there.propose()
        doomed = await database.fetch_value("SELECT id FROM events WHERE stream_id = $1 AND sequence = 2", deal.id)
        partner.replies["/hook"] = lambda arrival: 500 if arrival.event_id == doomed else 200
        await worker.fan_out()
        attempts = len(DELAYS_SECONDS) + 1
        for number in range(1, attempts + 1):
            await attempts_made(1 + number)
            await make_due()
        await settled()
    assert partner.events().count(doomed) == attempts
    assert len({arrival.raw for arrival in partner.arrivals if arrival.event_id == doomed}) == 1
    said = {arrival.event_id: arrival.body["data"].get("previousFailed") for arrival in partner.arrivals}
    order = list(dict.fromkeys(partner.events()))
    assert [said[event_id] for event_id in order] == [None, None, doomed, *[None] * (len(order) - 3)]
    assert await states() == {"DELIVERED": len(order) - 1, "FAILED": 1}
    assert in_order(partner.arrivals)
    await well()


async def test_a_name_without_an_address_uses_up_no_attempt() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, f"http://nowhere.invalid:{partner.port}/hook")
        await worker.fan_out()
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)

        async def handed_back() -> bool:
            return (await lane())["token"] is None

        await until(handed_back)
        found = await lane()
        assert (found["failures"], found["seconds"] > PAUSE_SECONDS / 2) == (0, True)
        assert await database.fetch_value("SELECT error FROM delivery_attempts") == "DNS_FAILED"
        assert (await health_of(end.id))["failures"] == 1


async def test_an_endpoint_whose_secrets_cannot_be_read_waits_and_keeps_its_attempts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "OWN_FAULT_SECONDS", PAUSE_SECONDS)
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url())
        await make_endpoint(there.freelancer, partner.url("/b"))
        await database.execute(
            "UPDATE endpoint_secrets SET ciphertext = 'damaged' WHERE endpoint_id IN "
            "(SELECT id FROM endpoints WHERE account_id = $1)",
            there.client.account_id,
        )
        await worker.fan_out()
        deal = await there.propose()
        await worker.fan_out()

        async def half() -> bool:
            return len(partner.accepted("/b")) == len(await deal.types())

        await until(half)
        await worker.quiet(partner)
        assert partner.events("/hook") == []
        waiting = await database.fetch_row(
            "SELECT failures, token, extract(epoch FROM due_at - clock_timestamp())::float8 AS seconds "
            "FROM lanes WHERE due_at IS NOT NULL"
        )
        assert waiting is not None
        assert (waiting["failures"], waiting["token"]) == (0, None)
        assert PAUSE_SECONDS / 2 < waiting["seconds"] <= PAUSE_SECONDS


async def _faulty_post(by: Sender, *, url: str, headers: dict[str, str], body: bytes) -> Answer:
    raise KeyError("a fault of the sender")


async def test_each_line_of_a_delivery_names_it_and_has_the_trace_of_its_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sender, "post", _faulty_post)
    there = await Deployment.make()
    with written() as lines:
        async with partners() as partner, delivery_worker() as worker:
            for path in ("/a", "/b"):
                process_log.begin()
                await make_endpoint(there.client, partner.url(path))
            await worker.fan_out()
            process_log.begin()
            await there.propose()
            await worker.fan_out()
            await attempts_made(2)
    said = [entry for entry in lines.entries if entry["logger"] == sending.__name__]
    failed = await database.fetch("SELECT delivery_id FROM delivery_attempts")
    assert {row["delivery_id"] for row in failed} <= {entry["delivery"] for entry in said}
    events = await database.fetch(
        "SELECT one.id, event.trace FROM deliveries AS one JOIN events AS event ON event.id = one.event_id"
    )
    named = {row["id"]: row["trace"].split("-")[1] for row in events}
    assert [entry["trace_id"] for entry in said] == [named[entry["delivery"]] for entry in said]
    assert len(set(named.values()) - {PROCESS.id}) > 1


async def test_what_a_callers_recorders_keep_beside_a_trace_goes_back_to_the_caller_alone() -> None:
    there = await Deployment.make()
    trace = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", request_id="mine", state="congo=t61")
    async with partners() as partner, delivery_worker() as worker:
        for path, by in (("/client", there.client), ("/freelancer", there.freelancer)):
            await make_endpoint(by, partner.url(path), event_types=("contract.proposed",))
        entered = traces.enter(trace)
        await there.propose()  # by the client
        traces.leave(entered)
        await worker.fan_out()
        await settled()
    came = {arrival.path: arrival.headers for arrival in partner.arrivals}
    assert {path: trace.id in headers["traceparent"] for path, headers in came.items()} == {
        "/client": True,
        "/freelancer": True,
    }
    assert came["/client"]["tracestate"] == "congo=t61"
    assert "tracestate" not in came["/freelancer"]


async def test_a_fault_of_our_own_uses_up_no_attempt_and_can_be_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sender, "post", _faulty_post)
    monkeypatch.setattr(sending, "OWN_FAULT_SECONDS", PAUSE_SECONDS)
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)

        async def handed_back() -> bool:
            return (await lane())["token"] is None

        await until(handed_back)
        found = await lane()
        assert (found["failures"], found["seconds"] > PAUSE_SECONDS / 2) == (0, True)
    delivery_id = await database.fetch_value("SELECT delivery_id FROM delivery_attempts")
    (attempt,) = (await queries.ATTEMPTS.pages([delivery_id], "delivery_id", limit=10, after=None))[delivery_id]
    assert attempt.error is ErrorClass.INTERRUPTED


async def test_a_claim_that_fails_while_a_worker_stops_keeps_no_answer_from_being_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatching, "STOP_SECONDS", PATIENCE_SECONDS)
    claims_now, may_fail = asyncio.Event(), asyncio.Event()

    async def claim(**_: object) -> Claim:
        claims_now.set()
        await may_fail.wait()
        raise ConnectionError("the database restarts")

    monkeypatch.setattr(claims, "claim", claim)
    there = await Deployment.make()
    async with partners() as partner, Sender(reach=Reach.LOOPBACK) as sender:
        await make_endpoint(there.client, partner.url(), event_types=("contract.*",))
        await there.propose()
        worker = Dispatcher(sender)
        claiming = asyncio.create_task(worker.claim_due())
        await claims_now.wait()
        partner.hold()
        batch = worker.fan_out()
        await batch.place()
        worker.take(batch)
        await until(lambda: came(partner.arrivals))
        claiming.cancel()
        may_fail.set()
        partner.let_go()
        await asyncio.wait({claiming})
    assert await states() == {"DELIVERED": 1}
    assert await database.fetch_value("SELECT token FROM lanes") is None


async def test_a_worker_that_is_stopped_while_it_looks_an_endpoint_up_gives_the_delivery_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatching, "STOP_SECONDS", PATIENCE_SECONDS)
    looks_now, may_end = asyncio.Event(), asyncio.Event()

    async def looked_up(asked: Sequence[str]) -> dict[str, Endpoint]:
        looks_now.set()
        await may_end.wait()
        return await endpoints(asked)

    monkeypatch.setattr("webhooks.delivery.dispatcher.endpoints", looked_up)
    there = await Deployment.make()
    async with partners() as partner, Sender(reach=Reach.LOOPBACK) as sender:
        await make_endpoint(there.client, partner.url(), event_types=("contract.*",))
        await there.propose()
        await fan_out_only()
        worker = Dispatcher(sender)
        claiming = asyncio.create_task(worker.claim_due())
        await looks_now.wait()
        claiming.cancel()
        may_end.set()
        await asyncio.wait({claiming})
        assert partner.arrivals == []
    assert await states() == {"PENDING": 1}
    assert await database.fetch_value("SELECT token IS NULL AND due_at <= clock_timestamp() FROM lanes")
    assert await database.fetch("SELECT FROM delivery_attempts") == []
