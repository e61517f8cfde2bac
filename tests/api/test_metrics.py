"""How deadlines stand, seen from outside: metrics for Prometheus, and a readiness that turns red when they are late."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from api import health
from escrow import bell, database, log, meters, sweep
from escrow.settings import Compilation, compilation
from tests.api.client import People, door
from tests.factories import advance_clock
from tests.workers.process import until
from tests.workers.sweeping import due_times, nothing_is_due, set_clock, several, submitted, sweeping

TOKEN = "what-a-scraper-shows"
SHOWN = {"authorization": f"Bearer {TOKEN}"}


@pytest_asyncio.fixture(loop_scope="session")
async def people(database: str) -> AsyncIterator[People]:
    """Everybody in front of a door whose metrics need a token."""
    async with door(sandbox=False, metrics_token=TOKEN) as http:
        yield await People.meet(http)


async def figures(people: People) -> dict[str, float]:
    answer = await people.nobody.http.get("/metrics", headers=SHOWN)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        sample.name.removeprefix("earnest_deadlines_") + "".join(f" {label}" for label in sample.labels.values()): value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        for value in [sample.value]
    }


async def ready(people: People, redis_url: str) -> tuple[int, dict[str, Any]]:
    """Once everything has its position: what the test began with may be older than events may wait."""
    while await log.sequence():
        pass
    await bell.connect(redis_url)
    try:
        answer = await people.nobody.http.get("/readyz")
    finally:
        await bell.disconnect()
    return answer.status_code, answer.json()


async def nobody_is_at_any() -> None:
    """Wait until every contract that a pump was at was handed back: that is a write of its own, which counts what happened."""

    async def done() -> bool:
        return not await database.fetch_value("SELECT EXISTS (SELECT FROM deadline_sweeps)")

    await until(done)


async def test_deadlines_pending_overdue_and_fired_are_counted(people: People) -> None:
    deals = await several(people.deployment, 3)
    before = await figures(people)
    assert before["pending"] == 6  # each with a reminder
    assert before["overdue"] == before["oldest_overdue_seconds"] == before["failing_contracts"] == 0
    assert before["fired_total milestone.released"] == before["failures_total"] == 0
    last = max((await due_times(deals)).values())
    await set_clock(last)
    await advance_clock(hours=1)
    late = await figures(people)
    assert late["overdue"] == 6
    week = 7 * 24 * 3600
    assert late["oldest_overdue_seconds"] == pytest.approx(week + 3600, abs=60), "the reminder of a week before"
    assert late["oldest_waiting_seconds"] == late["oldest_overdue_seconds"]
    async with sweeping():
        await nothing_is_due()
        await nobody_is_at_any()
    after = await figures(people)
    assert (after["pending"], after["overdue"], after["oldest_overdue_seconds"]) == (0, 0, 0)
    assert after["fired_total milestone.released"] == 3
    assert after["fired_total milestone.deadline_approaching"] == 0


async def test_operations_are_counted_by_who_completed_them(people: People) -> None:
    before = await figures(people)
    for _ in range(3):
        await people.client.ask("{ viewer { __typename } }")
    after = await figures(people)
    grown = {
        by: after[name] - before[name]
        for name in after
        if (by := name.removeprefix("earnest_operations_total ")) != name
    }
    assert sum(grown.values()) == (0 if compilation() is Compilation.OFF else 3)
    assert grown["fallback"] == grown["replayed"] == 0


async def test_requests_commands_refusals_and_wrong_keys_are_counted_where_they_happen(people: People) -> None:
    # The page itself is remembered for a moment; what counts is asked directly.
    def counted() -> dict[str, float]:
        return {
            " ".join((figure.name, *(text for _, text in value.labels))): value.value
            for figure in meters.figures()
            for value in figure.values
        }

    before = counted()
    payload = await people.client.do("approveMilestone", {"milestoneId": f"mil_{'0' * 26}"}, "__typename")
    assert [error["code"] for error in payload["userErrors"]] == ["NOT_FOUND"], payload
    wrong = await people.nobody.post("{ viewer { role } }", authorization="Bearer ek_nobody")
    assert wrong.status_code == 401, wrong.text
    grown = {name: value - before.get(name, 0) for name, value in counted().items() if value != before.get(name, 0)}
    assert grown["earnest_commands Approve refused"] == grown["earnest_refusals NOT_FOUND"] == 1
    assert grown["earnest_requests graphql 200"] == grown["earnest_requests graphql 401"] == 1
    assert grown["earnest_credentials_refused no such key"] == 1


async def test_beyond_what_is_counted_the_number_of_clocks_is_an_estimate(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    await several(people.deployment, 3)
    await database.execute("ANALYZE deadlines")
    monkeypatch.setattr(sweep, "COUNTED_MAX", 2)
    assert (await figures(people))["pending"] == 6


async def test_without_the_database_there_are_no_metrics(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object) -> None:
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(database, "fetch_row", refused)
    assert (await people.nobody.http.get("/metrics", headers=SHOWN)).status_code == 503


@pytest.mark.parametrize(
    "shown", [None, "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer \xff"]
)
async def test_without_the_token_there_are_no_metrics(people: People, shown: str | None) -> None:
    headers = [(b"authorization", shown.encode("latin-1"))] if shown is not None else []
    answer = await people.nobody.http.get("/metrics", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "earnest_" not in answer.text


async def test_a_key_of_the_api_opens_no_metrics(people: People) -> None:
    headers = {"authorization": f"Bearer {people.operator.token}"}
    assert (await people.nobody.http.get("/metrics", headers=headers)).status_code == 401


async def test_where_no_token_is_set_only_a_sandbox_shows_metrics(database: str) -> None:
    async with door(sandbox=False) as real, door() as sandbox:
        assert (await real.get("/metrics")).status_code == 404
        assert (await real.get("/metrics", headers={"authorization": "Bearer None"})).status_code == 404
        assert (await sandbox.get("/metrics")).status_code == 200


async def test_readiness_is_red_while_deadlines_are_late_and_green_again_afterwards(
    people: People, redis_url: str
) -> None:
    deal = await submitted(people.deployment)
    await set_clock((await due_times([deal]))[deal.id])
    async with sweeping():
        await nothing_is_due()
    fresh = await submitted(people.deployment)
    due = (await due_times([fresh]))[fresh.id]
    await database.execute("DELETE FROM deadlines WHERE kind = 'REMINDER'")
    await set_clock(due)
    code, found = await ready(people, redis_url)
    assert (code, found["status"]) == (200, "ready"), "a moment late is not late"
    await advance_clock(seconds=health.OVERDUE_SECONDS_MAX)
    code, found = await ready(people, redis_url)
    assert (code, found["status"]) == (503, "not ready")
    assert found["checks"]["oldestOverdueDeadlineSeconds"] > health.OVERDUE_SECONDS_MAX
    async with sweeping():
        await nothing_is_due()
    assert (await ready(people, redis_url))[0] == 200


async def test_a_contract_that_fails_degrades_and_many_are_red(
    people: People, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deals = await several(people.deployment, 2)
    await advance_clock(days=15)
    claimed = await sweep.claim(10)
    await sweep.hand_back(claimed.token, failed={deal.id: "a fault of ours" for deal in deals}, happened={})
    code, found = await ready(people, redis_url)
    assert (code, found["status"]) == (200, "degraded")
    assert found["checks"]["contractsWithFailingDeadlines"] == 2
    seen = await figures(people)
    assert (seen["failing_contracts"], seen["failures_total"]) == (2, 2)
    assert seen["oldest_overdue_seconds"] > 0 == seen["oldest_waiting_seconds"], "workers are not late"
    monkeypatch.setattr(health, "FAILING_MAX", 1)
    assert (await ready(people, redis_url))[0] == 503
