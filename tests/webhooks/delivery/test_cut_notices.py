"""Receivers are told that the log was cut: every endpoint once for each cut, signed and tried again like all that is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from escrow import cursors, cuts, database, log, pipeline
from escrow.accounts.commands.endpoints import DeleteEndpoint
from tests.factories import Deployment, make_endpoint
from tests.webhooks.delivery.watching import well
from tests.webhooks.partner import Arrival, Partners, delivery_worker, fan_out_only, make_due, partners, settled
from tests.workers.process import until
from webhooks.delivery import cut_notices
from webhooks.delivery.lanes import Kind, State
from webhooks.owner import queries, replays

pytestmark = pytest.mark.usefixtures("database")


def told(arrivals: list[Arrival], path: str) -> list[dict[str, Any]]:
    """What came of cuts to a path, repetitions included."""
    return [one.body for one in arrivals if one.path == path and one.body["type"] == "log.cut"]


async def arrived(partner: Partners, path: str, times: int) -> None:
    """Wait until so much came of cuts to a path."""

    async def has_come() -> bool:
        return len(told(partner.arrivals, path)) >= times

    await until(has_come)


async def test_every_endpoint_is_told_between_which_cursors_nothing_is_any_more() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url())
        narrow = await make_endpoint(there.freelancer, partner.url("/narrow"), event_types=("payout.*",))
        gone = await make_endpoint(there.client, partner.url("/gone"))
        await pipeline.run(DeleteEndpoint(endpoint_id=gone.id), by=there.client)
        partner.replies["/narrow"] = 500
        await there.propose()
        await worker.fan_out()
        kept = await log.last_position()
        cut = await cuts.notice(declared=True)
        assert cut is not None
        await arrived(partner, "/hook", 1)
        await arrived(partner, "/narrow", 1)
        await until(_waits)
        partner.replies["/narrow"] = 200
        await make_due()
        await arrived(partner, "/narrow", 2)
        await settled()
    (body,) = told(partner.arrivals, "/hook")
    assert body["data"]["event"]["data"] == {
        "keptCursor": cursors.print_cursor(kept),
        "firstCursor": cursors.print_cursor(cut.first_position),
        "keptAt": body["data"]["event"]["data"]["keptAt"],
    }
    assert body["data"]["cursor"] is None
    assert (body["data"]["event"]["sequence"], body["data"]["event"]["previousHash"]) == (0, None)
    assert "test" not in body["data"]
    narrows = [one for one in partner.arrivals if one.path == "/narrow"]
    assert len({one.event_id for one in narrows}) == 1, "the same id at each attempt"
    assert all("webhook-signature" in one.headers for one in narrows)
    assert told(partner.arrivals, "/gone") == []
    assert await database.fetch_value("SELECT count(*) FROM deliveries WHERE endpoint_id = $1", narrow.id) == 1
    await well()


async def _waits() -> bool:
    """Whether the endpoint that failed will be asked once more."""
    return bool(await database.fetch_value("SELECT EXISTS (SELECT FROM lanes WHERE failures > 0 AND token IS NULL)"))


async def test_many_workers_at_once_and_in_small_steps_tell_each_endpoint_once_of_each_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cut_notices, "ENDPOINTS_MAX", 2)
    there = await Deployment.make()
    ends = [(await make_endpoint(there.client)).id for _ in range(5)]
    await fan_out_only()
    assert not await cut_notices.step(), "nothing was cut"
    for _ in range(2):
        assert await cuts.notice(declared=True) is not None
    while any(await asyncio.gather(*(cut_notices.step() for _ in range(3)))):
        pass
    rows = await database.fetch(
        "SELECT endpoint_id, count(*) AS told FROM deliveries WHERE kind = 'LOG_CUT' GROUP BY 1"
    )
    assert {row["endpoint_id"]: row["told"] for row in rows} == dict.fromkeys(ends, 2)
    await well()


async def test_a_notice_is_seen_by_its_owner_and_can_be_had_once_more() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        await cuts.notice(declared=True)
        await arrived(partner, "/hook", 1)
        await settled()
        first_id = await database.fetch_value("SELECT id FROM deliveries WHERE kind = 'LOG_CUT'")
        again = await replays.redeliver(first_id)
        await arrived(partner, "/hook", 2)
        await settled()
    first, second = told(partner.arrivals, "/hook")
    assert first == second
    seen = (await queries.deliveries_by_id(there.client, [first_id, again])).values()
    assert {(one.kind, one.state, one.position) for one in seen} == {(Kind.LOG_CUT, State.DELIVERED, None)}
    attempts = await database.fetch("SELECT id FROM delivery_attempts WHERE delivery_id = $1", again)
    tried = (await queries.attempts_by_id(there.client, [row["id"] for row in attempts])).values()
    assert [one.trigger for one in tried] == [queries.Trigger.LOG_CUT]
    await well()


GONE = "DELETE FROM tortoise_migrations WHERE name = 'm0033_former_2_gone'"
TAKEN = "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('escrow', 'm0033_former_2_gone', now())"


async def test_nobody_is_told_while_processes_may_come_that_fail_at_such_a_delivery() -> None:
    there = await Deployment.make()
    endpoint = await make_endpoint(there.client)
    await fan_out_only()
    assert await cuts.notice(declared=True) is not None
    await database.execute(GONE)
    try:
        assert not await cut_notices.step()
        assert await database.fetch_value("SELECT count(*) FROM deliveries WHERE kind = 'LOG_CUT'") == 0
    finally:
        await database.execute(TAKEN)
    while await cut_notices.step():
        pass
    rows = await database.fetch("SELECT endpoint_id FROM deliveries WHERE kind = 'LOG_CUT'")
    assert [row["endpoint_id"] for row in rows] == [endpoint.id]
