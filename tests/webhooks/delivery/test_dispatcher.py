"""A delivery's life, from its place in the log to a final state: order, retries, and what becomes of an endpoint that fails.

Days pass by moving the rows' times, never by waiting.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from escrow import cursors, database
from escrow.accounts import running
from escrow.accounts.commands.endpoints import Address, DeleteEndpoint, DisableEndpoint, EnableEndpoint, UpdateEndpoint
from tests.factories import Deployment, make_endpoint
from tests.webhooks.partner import (
    HANG,
    Arrival,
    attempts_made,
    desk,
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
from webhooks.audit import audit_deliveries
from webhooks.delivery import breaker, sending
from webhooks.delivery.concurrency import Limits
from webhooks.delivery.retries import DELAYS_SECONDS
from webhooks.delivery.sending import Timing
from webhooks.owner import queries
from webhooks.request.sender import Answer, Sender

pytestmark = pytest.mark.usefixtures("database")


async def health_of(endpoint_id: str) -> dict[str, Any]:
    row = await database.fetch_row(
        "SELECT *, open_until > clock_timestamp() AS is_open, "
        "extract(epoch FROM open_until - clock_timestamp())::float8 AS seconds FROM endpoint_health WHERE endpoint_id = $1",
        endpoint_id,
    )
    assert row is not None
    return dict(row)


async def lane() -> dict[str, Any]:
    """The one lane that there is."""
    (row,) = await database.fetch(
        "SELECT *, extract(epoch FROM due_at - clock_timestamp())::float8 AS seconds FROM lanes"
    )
    return dict(row)


async def well() -> None:
    assert [difference async for difference in audit_deliveries()] == []


async def test_events_arrive_in_order_signed_and_once() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
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
    async with partners() as partner, desk() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        bad, good = await there.propose(), await there.propose()
        first = True

        def once(arrival: Arrival) -> int:
            nonlocal first
            if arrival.stream == bad.id and first:
                first = False
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
        assert 3 < row["seconds"] <= 6
        assert [arrival.event_id for arrival in partner.arrivals if arrival.stream == good.id] != []
        await make_due()
        await settled()
    again = [arrival for arrival in partner.arrivals if arrival.event_id == partner.events()[0]]
    assert len(again) == 2
    assert again[0].raw == again[1].raw
    for arrival in again:
        Webhook(end.secret).verify(arrival.raw, arrival.headers)
    assert in_order(partner.arrivals)
    assert await states() == {"DELIVERED": len(await bad.types()) + len(await good.types())}
    await well()


async def test_after_the_last_retry_it_is_failed_and_the_next_one_says_so() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
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


async def test_a_timeout_puts_the_endpoint_on_probation_until_it_answers() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk(request_seconds=0.3) as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = HANG
        for _ in range(6):
            await there.propose()
        await worker.fan_out()
        begun = Limits().endpoint_requests
        await attempts_made(begun)
        await make_due()
        await attempts_made(begun + 1)
        assert (await health_of(end.id))["probation"] is True
        times = [arrival.at for arrival in partner.arrivals][begun:]
        assert all(later - earlier >= 0.25 for earlier, later in pairwise(times)), "one at a time"
        errors = await database.fetch("SELECT DISTINCT error, status FROM delivery_attempts")
        assert [tuple(row) for row in errors] == [("TIMEOUT", None)]
        partner.replies["/hook"] = 200
        await make_due()
        await until_settled_with_dues()
        assert (await health_of(end.id))["probation"] is False
    await well()


async def until_settled_with_dues() -> None:
    async def done() -> bool:
        await make_due()
        return await pending() == 0

    await until(done)


async def test_many_failures_open_the_breaker_and_waiting_uses_up_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 500
        for _ in range(breaker.BREAK_AFTER + 5):
            await there.propose()
        await worker.fan_out()
        await until_open(end.id)
        opened = await health_of(end.id)
        assert opened["failures"] >= breaker.BREAK_AFTER
        assert 0 < opened["seconds"] <= breaker.PAUSE_SECONDS
        # What was under way comes in; from then on nothing more is sent.
        await quiet(partner.arrivals)
        came = len(partner.arrivals)
        await database.execute("UPDATE lanes SET due_at = clock_timestamp() WHERE due_at IS NOT NULL")
        await database.execute("UPDATE endpoint_health SET open_until = clock_timestamp() + interval '1 hour'")
        await there.propose()
        await worker.fan_out()
        await quiet(partner.arrivals)
        assert len(partner.arrivals) == came
        assert await database.fetch_value("SELECT sum(failures) FROM lanes") == came
        # Half open: one request, and a longer pause if it fails.
        await database.execute("UPDATE endpoint_health SET open_until = NULL")
        await attempts_made(came + 1)
        await until_open(end.id)
        await quiet(partner.arrivals)
        assert len(partner.arrivals) == came + 1
        assert breaker.PAUSE_SECONDS < (await health_of(end.id))["seconds"] <= 2 * breaker.PAUSE_SECONDS
        partner.replies["/hook"] = 200
        await until_settled_with_dues()
        closed = await health_of(end.id)
    assert (closed["failures"], closed["failing_since"], closed["open_until"], closed["openings"]) == (0, None, None, 0)
    await well()


async def until_open(endpoint_id: str) -> None:
    async def is_open() -> bool:
        return (await health_of(endpoint_id))["is_open"] is True

    await until(is_open)


async def quiet(arrivals: list[Arrival]) -> None:
    """Wait until nothing has come for a quarter of a second."""
    import asyncio

    while True:
        came = len(arrivals)
        await asyncio.sleep(0.25)
        if len(arrivals) == came:
            return


async def test_retry_after_of_a_throttling_receiver_holds_for_all_its_lanes() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 429
        partner.headers["/hook"] = ("retry-after: 120",)
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)
        await until_open(end.id)
        assert 100 < (await health_of(end.id))["seconds"] <= 120
        assert 100 < (await lane())["seconds"] <= 120
        await there.propose()
        await worker.fan_out()
        await quiet(partner.arrivals)
    assert len(partner.arrivals) == 1


async def disabled_reason(endpoint_id: str) -> str | None:
    reason: str | None = await database.fetch_value("SELECT disabled_reason FROM endpoints WHERE id = $1", endpoint_id)
    return reason


async def until_disabled(endpoint_id: str) -> None:
    async def is_disabled() -> bool:
        return await disabled_reason(endpoint_id) is not None

    await until(is_disabled)


async def test_gone_disables_the_endpoint_tells_its_owner_drops_nothing_and_enabling_catches_up_in_order() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        gone, other = (
            await make_endpoint(there.client, partner.url()),
            await make_endpoint(there.client, partner.url("/b")),
        )
        await worker.fan_out()
        await settled()
        partner.replies["/hook"] = 410
        deal = await there.propose()
        await worker.fan_out()
        await until_disabled(gone.id)
        assert await disabled_reason(gone.id) == "GONE"
        await worker.fan_out()
        await deal.accept()
        await deal.confirm(await deal.fund())
        await worker.fan_out()
        await make_due()
        await quiet(partner.arrivals)
        assert len(partner.events("/hook")) == 2, (
            "its neighbour's making, and what it answered 410; the rest is recorded"
        )
        assert [a.body["type"] for a in partner.arrivals if a.path == "/b" and "endpoint." in a.body["type"]] == [
            "endpoint.disabled"
        ]
        (told,) = [a for a in partner.arrivals if a.body["type"] == "endpoint.disabled"]
        assert told.body["data"]["event"]["data"] == {"endpointId": gone.id, "reason": "GONE"}
        assert told.body["data"]["event"]["actor"] == {"kind": "SYSTEM"}
        partner.replies["/hook"] = 200
        await running.run(EnableEndpoint(endpoint_id=gone.id), by=there.client)
        await worker.fan_out()
        await settled()
    assert in_order(partner.arrivals)
    assert {(a, gone.id) for a in partner.accepted("/hook")} | {(b, other.id) for b in partner.accepted("/b")} == (
        await matching()
    )
    assert set(await states()) == {"DELIVERED"}
    await well()


async def test_five_days_without_a_success_disable_the_endpoint_and_not_a_day_less() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 500
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)
        for number, since in enumerate(("4 days 23 hours", "5 days"), start=2):
            assert await disabled_reason(end.id) is None
            await database.execute(f"UPDATE endpoint_health SET failing_since = clock_timestamp() - interval '{since}'")
            await make_due()
            await attempts_made(number)
        await until_disabled(end.id)
        assert await disabled_reason(end.id) == "FAILING"
        assert await states() == {"PENDING": 3}, "nothing is dropped"
        partner.replies["/hook"] = 200
        await running.run(EnableEndpoint(endpoint_id=end.id), by=there.client)
        await worker.fan_out()
        await settled()
        assert (await health_of(end.id))["failing_since"] is None
    assert len(partner.accepted()) == len({event_id for event_id, _ in await matching()})
    assert in_order(partner.arrivals)
    await well()


async def test_a_success_in_between_begins_the_five_days_anew() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 500
        deal = await there.propose()
        await worker.fan_out()
        await attempts_made(1)
        await database.execute("UPDATE endpoint_health SET failing_since = clock_timestamp() - interval '6 days'")
        partner.replies["/hook"] = 200
        await make_due()
        await settled()
        partner.replies["/hook"] = 500
        await deal.accept()
        await worker.fan_out()
        count = await database.fetch_value("SELECT count(*) FROM delivery_attempts")
        await attempts_made(count + 1)
        await quiet(partner.arrivals)
        assert await disabled_reason(end.id) is None


async def test_an_endpoint_that_was_changed_while_it_answered_gone_gets_its_chance() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 410
        partner.delay_seconds = 0.3
        await there.propose()
        await worker.fan_out()
        await until(lambda: came(partner.arrivals))
        moved = UpdateEndpoint(endpoint_id=end.id, address=Address(partner.url("/new")))
        await running.run(moved, by=there.client)
        await worker.fan_out()
        await until_settled_with_dues()
    assert await disabled_reason(end.id) is None
    assert len(partner.events("/hook")) == 1
    assert len(partner.accepted("/new")) == len({event_id for event_id, _ in await matching()})


async def came(arrivals: list[Arrival]) -> bool:
    return bool(arrivals)


async def test_a_new_url_makes_what_waits_due_at_once() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 500
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)
        await database.execute("UPDATE lanes SET failures = 8, due_at = clock_timestamp() + interval '20 hours'")
        moved = UpdateEndpoint(endpoint_id=end.id, address=Address(partner.url("/new")))
        await running.run(moved, by=there.client)
        await worker.fan_out()
        await settled()
    assert len(partner.accepted("/new")) == len({event_id for event_id, _ in await matching()})
    assert len(partner.events("/hook")) == 1
    await well()


@pytest.mark.parametrize("failures", [6, len(DELAYS_SECONDS)], ids=["far along", "the last retry"])
async def test_what_was_under_way_to_the_old_url_comes_to_the_new_one_as_soon_as_it_failed(failures: int) -> None:
    there = await Deployment.make()
    async with partners() as partner, desk(request_seconds=2.5) as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 500
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)
        partner.replies["/hook"] = HANG
        await database.execute("UPDATE lanes SET failures = $1 WHERE due_at IS NOT NULL", failures)
        await make_due()

        async def under_way() -> bool:
            return partner.hanging == 1

        await until(under_way)
        moved = UpdateEndpoint(endpoint_id=end.id, address=Address(partner.url("/new")))
        await running.run(moved, by=there.client)
        await worker.fan_out()
        await settled()
    assert set(partner.accepted("/new")) == {event_id for event_id, _ in await matching()}
    assert set(await states()) == {"DELIVERED"}
    await well()


async def test_a_disabled_endpoint_costs_its_deliveries_no_attempt() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        end = await make_endpoint(there.client, partner.url())
        await running.run(DisableEndpoint(endpoint_id=end.id), by=there.client)
        await worker.fan_out()
        deal = await there.propose()
        await worker.fan_out()
        await quiet(partner.arrivals)
        assert partner.arrivals == []
        assert await database.fetch("SELECT FROM delivery_attempts") == []
        assert await states() == {"PENDING": 3 + len(await deal.types()) - 3 + 1}
        await well()


async def test_the_deliveries_of_a_deleted_endpoint_end() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        end, other = (
            await make_endpoint(there.client, partner.url()),
            await make_endpoint(there.client, partner.url("/b")),
        )
        await worker.fan_out()
        partner.replies["/hook"] = lambda arrival: 200 if arrival.body["data"]["event"]["sequence"] == 1 else 500
        await there.propose()
        await there.propose()
        await worker.fan_out()
        await until(lambda: failed_once(partner.answered))
        await running.run(DeleteEndpoint(endpoint_id=end.id), by=there.client)
        await worker.fan_out()
        await settled()
        await there.propose()
        await worker.fan_out()
        await settled()
    counted = await database.fetch(
        "SELECT endpoint_id, state, count(*) AS number FROM deliveries WHERE endpoint_id = $1 GROUP BY 1, 2", end.id
    )
    found = {row["state"]: row["number"] for row in counted}
    assert found["DELIVERED"] == len(partner.accepted("/hook"))
    assert found["CANCELLED"] > 0
    assert set(found) == {"DELIVERED", "CANCELLED"}
    others = {event_id for event_id, endpoint_id in await matching() if endpoint_id == other.id}
    assert set(partner.accepted("/b")) == others
    assert await database.fetch_value("SELECT task FROM endpoint_health WHERE endpoint_id = $1", end.id) is None
    await well()


async def failed_once(answered: list[tuple[Arrival, int]]) -> bool:
    return sum(status == 500 for _, status in answered) >= 2


async def test_a_name_without_an_address_uses_up_no_attempt() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        end = await make_endpoint(there.client, f"http://nowhere.invalid:{partner.port}/hook")
        await worker.fan_out()
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)

        async def handed_back() -> bool:
            return (await lane())["token"] is None

        await until(handed_back)
        found = await lane()
        assert (found["failures"], found["seconds"] > 50) == (0, True)
        assert await database.fetch_value("SELECT error FROM delivery_attempts") == "DNS_FAILED"
        assert (await health_of(end.id))["failures"] == 1


async def test_an_endpoint_whose_secrets_cannot_be_read_waits_and_keeps_its_attempts() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
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
        await quiet(partner.arrivals)
        assert partner.events("/hook") == []
        waiting = await database.fetch_row(
            "SELECT failures, token, extract(epoch FROM due_at - clock_timestamp())::float8 AS seconds "
            "FROM lanes WHERE due_at IS NOT NULL"
        )
        assert waiting is not None
        assert (waiting["failures"], waiting["token"]) == (0, None)
        assert 50 < waiting["seconds"] <= sending.OWN_FAULT_SECONDS


async def test_a_fault_of_our_own_uses_up_no_attempt_and_can_be_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def post(by: Sender, *, url: str, headers: dict[str, str], body: bytes) -> Answer:
        raise KeyError("a fault of the sender")

    monkeypatch.setattr(Sender, "post", post)
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)

        async def handed_back() -> bool:
            return (await lane())["token"] is None

        await until(handed_back)
        found = await lane()
        assert (found["failures"], found["seconds"] > 50) == (0, True)
    delivery_id = await database.fetch_value("SELECT delivery_id FROM delivery_attempts")
    (attempt,) = (await queries.attempts_pages([delivery_id], limit=10, after=None))[delivery_id]
    assert attempt.error is queries.AttemptError.INTERRUPTED


async def test_an_answer_that_the_database_refuses_stands_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Sender.post

    async def post(by: Sender, *, url: str, headers: dict[str, str], body: bytes) -> Answer:
        answer = await whole(by, url=url, headers=headers, body=body)
        return replace(answer, status=99) if url.endswith("/odd") else answer

    monkeypatch.setattr(Sender, "post", post)
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        odd = await make_endpoint(there.client, partner.url("/odd"))
        well = await make_endpoint(there.freelancer, partner.url("/well"))
        await worker.fan_out()
        for _ in range(5):
            await there.propose()
        await worker.fan_out()

        async def all_through() -> bool:
            return not await database.fetch_value(
                "SELECT count(*) FROM deliveries WHERE endpoint_id = $1 AND state = 'PENDING'", well.id
            )

        await until(all_through)
        assert partner.events("/odd")
        counted = "SELECT count(*) FROM deliveries WHERE endpoint_id = $1 AND state = 'DELIVERED'"
        assert await database.fetch_value(counted, odd.id) == 0
        await make_due()
        again = await there.propose()
        await worker.fan_out()
        await until(all_through)
        assert again.id in {arrival.stream for arrival in partner.arrivals if arrival.path == "/well"}


async def test_no_endpoint_has_more_requests_at_once_than_its_window() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk() as worker:
        await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = HANG
        for _ in range(40):
            await there.propose()
        await worker.fan_out()
        await quiet(partner.arrivals)
        assert partner.hanging == Limits().endpoint_requests, "one that never answered keeps few places"


async def test_hanging_endpoints_leave_the_others_their_places() -> None:
    there = await Deployment.make()
    async with partners() as partner, desk(limits=Limits(requests=24)) as worker:
        for number in range(5):
            await make_endpoint(there.freelancer, partner.url(f"/hang/{number}"))
            partner.replies[f"/hang/{number}"] = HANG
        await make_endpoint(there.client, partner.url())
        await fan_out_only()
        deals = [await there.propose() for _ in range(20)]
        await worker.fan_out()
        wanted = sum([len(await deal.types()) for deal in deals])

        async def healthy_done() -> bool:
            return len(partner.accepted("/hook")) == wanted

        await until(healthy_done)
        assert partner.hanging <= 5 * Limits().endpoint_requests
    assert in_order([arrival for arrival in partner.arrivals if arrival.path == "/hook"])


async def test_a_backlog_takes_few_statements() -> None:
    """One worker, 20 endpoints, 200 lanes: at most one statement for 50 deliveries."""
    there = await Deployment.make()
    async with partners() as partner:
        for number in range(20):
            await make_endpoint(there.client, partner.url(f"/{number}"))
        await fan_out_only()
        deals = [await there.fund() for _ in range(10)]
        for deal in deals:
            for _ in range(6):
                await deal.submit()
                await deal.request_changes()
        await fan_out_only()
        total = await pending()
        with database.counting() as statements:
            async with desk(poll_seconds=Timing().poll_seconds):
                await settled()
        mine = [sql for sql in statements if "count(*) FROM deliveries" not in sql and "task IS NOT NULL" not in sql]
    assert total > 3_500
    assert len(partner.arrivals) == total
    assert len(mine) <= total * 0.02, f"{len(mine)} statements for {total} deliveries"
    assert in_order(partner.arrivals)
    await well()
