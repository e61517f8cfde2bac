"""What came of many deliveries is written down by few statements, and nobody's oddity stands in the others' way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pytest

from escrow import database
from tests.factories import Deployment, make_endpoint
from tests.webhooks.delivery.watching import until_settled_with_dues, well
from tests.webhooks.partner import (
    delivery_worker,
    fan_out_only,
    in_order,
    make_due,
    partners,
    pending,
    settled,
)
from tests.workers.process import until
from webhooks.delivery import completion
from webhooks.delivery.completion_queue import Completed
from webhooks.delivery.sending import Timing
from webhooks.request.answers import Answer
from webhooks.request.sender import Sender

pytestmark = pytest.mark.usefixtures("database")


async def test_an_answer_that_the_database_refuses_stands_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Sender.post

    async def post(by: Sender, *, url: str, headers: dict[str, str], body: bytes) -> Answer:
        answer = await whole(by, url=url, headers=headers, body=body)
        return replace(answer, status=99) if url.endswith("/odd") else answer

    monkeypatch.setattr(Sender, "post", post)
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
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

        async def odd_came() -> bool:
            return bool(partner.events("/odd"))

        await until(all_through)
        await until(odd_came)
        counted = "SELECT count(*) FROM deliveries WHERE endpoint_id = $1 AND state = 'DELIVERED'"
        assert await database.fetch_value(counted, odd.id) == 0
        await make_due()
        again = await there.propose()
        await worker.fan_out()
        await until(all_through)
        assert again.id in {arrival.stream for arrival in partner.arrivals if arrival.path == "/well"}


async def test_what_is_written_down_again_since_nobody_heard_that_it_was_stays_as_it_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = completion.complete

    async def write_twice(done: Sequence[Completed], *, lease_seconds: float) -> completion.Next:
        await write(done, lease_seconds=lease_seconds)  # whose answer a cut connection keeps from us
        return await write(done, lease_seconds=lease_seconds)

    monkeypatch.setattr(completion, "complete", write_twice)
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url("/well"))
        await make_endpoint(there.freelancer, partner.url("/busy"))
        busy = chain([500], repeat(200))
        partner.replies["/busy"] = lambda _: next(busy)
        for _ in range(3):
            await (await there.fund()).submit()
        await worker.fan_out()
        await until_settled_with_dues()
    judged = await database.fetch(
        "SELECT status, count(*) AS n, bool_or(is_late) AS is_late FROM delivery_attempts GROUP BY 1"
    )
    assert {row["status"]: row["is_late"] for row in judged} == {200: False, 500: False}
    assert in_order(partner.arrivals)
    await well()


@pytest.mark.parametrize("written", [1, 2], ids=["once", "twice"])
async def test_the_end_of_a_lane_is_written_by_the_short_statement_as_by_the_long_one(
    written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = completion.complete

    async def write_all(done: Sequence[Completed], *, lease_seconds: float) -> completion.Next:
        first, *_ = [await write(done, lease_seconds=lease_seconds) for _ in range(written)]
        return first

    monkeypatch.setattr(completion, "complete", write_all)
    is_the_end, ends = completion._is_the_end, []
    there = await Deployment.make()
    found: list[dict[str, Any]] = []
    async with partners() as partner, delivery_worker() as worker:
        for is_short in (True, False):

            def noting(one: Completed, is_short: bool = is_short) -> bool:
                ends.append(is_the_end(one))
                return ends[-1] and is_short

            monkeypatch.setattr(completion, "_is_the_end", noting)
            endpoint = await make_endpoint(there.client, partner.url(f"/{is_short}"), event_types=("contract.*",))
            await fan_out_only()
            await database.execute(
                "UPDATE endpoint_health SET failures = 3, failing_since = now(), openings = 1 WHERE endpoint_id = $1",
                endpoint.id,
            )
            await there.propose()
            await worker.fan_out()
            await settled()
            found.append(await _written(endpoint.id))
    assert all(ends), "else both were written by the long one"
    assert found[0] == found[1]
    assert found[0]["endpoint_health"] == [(0, None, False, 0, None)]
    await well()


async def _written(endpoint_id: str) -> dict[str, Any]:
    """What tables say after a delivery, without names and times."""
    asked = {
        "lanes": "SELECT done = tail, failures, given_up, due_at, token, leased_at FROM lanes WHERE endpoint_id = $1",
        "deliveries": "SELECT state, finished_at > created_at FROM deliveries WHERE endpoint_id = $1",
        "attempts": "SELECT status, error, excerpt, is_late, total_ms >= first_byte_ms, "
        "abs(extract(epoch FROM started_at - now())) < 3600 "
        "FROM delivery_attempts WHERE delivery_id = ANY (SELECT id FROM deliveries WHERE endpoint_id = $1)",
        "endpoint_health": "SELECT failures, failing_since, probation, openings, open_until FROM endpoint_health "
        "WHERE endpoint_id = $1",
    }
    return {name: [tuple(row) for row in await database.fetch(sql, endpoint_id)] for name, sql in asked.items()}


async def test_what_comes_behind_the_end_of_a_lane_is_sent_after_it() -> None:
    there = await Deployment.make()
    deal = await there.fund()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url("/hook"))
        await worker.fan_out()
        partner.hold()
        await deal.submit()
        await worker.fan_out()

        async def first_came() -> bool:
            return bool(partner.arrivals)

        await until(first_came)
        await deal.request_changes()
        await worker.fan_out()
        assert len(partner.arrivals) == 1
        partner.let_go()
        await settled()
    assert len(partner.arrivals) == 2
    assert in_order(partner.arrivals)
    await well()


async def test_a_backlog_takes_few_statements() -> None:
    """One worker, 20 endpoints, 200 lanes: at most one statement for 30 deliveries; for 50 where the machine is quiet."""
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
            async with delivery_worker(poll_seconds=Timing().poll_seconds):
                await settled()
        mine = [sql for sql in statements if "count(*) FROM deliveries" not in sql and "task IS NOT NULL" not in sql]
    assert total > 3_500
    assert len(partner.arrivals) == total
    assert len(mine) <= total / 30, f"{len(mine)} statements for {total} deliveries"
    assert in_order(partner.arrivals)
    await well()
