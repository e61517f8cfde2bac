"""Alive and ready: what load balancers ask."""

from __future__ import annotations

import pytest

from api import health
from escrow import bell, database, log, migrate
from escrow.parts import Part
from tests.api.client import People, door


async def test_alive_needs_nobody() -> None:
    async with door() as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}


async def test_ready_with_database_and_redis(people: People, redis_url: str) -> None:
    while await log.sequence():
        pass
    await people.deployment.propose()
    await bell.connect(redis_url)
    try:
        answer = await people.nobody.http.get("/readyz")
    finally:
        await bell.disconnect()
    assert answer.status_code == 200
    found = answer.json()
    assert found["status"] == "ready"
    assert found["checks"]["database"] is found["checks"]["migrations"] is found["checks"]["redis"] is True
    assert 0 < found["checks"]["sequencerLagSeconds"] < health.LAG_SECONDS_MAX


async def test_without_redis_degraded_but_serving(people: People) -> None:
    answer = await people.nobody.http.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_a_sequencer_far_behind_is_degraded(
    people: People, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LAG_SECONDS_MAX", 0.0)
    await bell.connect(redis_url)
    try:
        answer = await people.nobody.http.get("/readyz")
    finally:
        await bell.disconnect()
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_books_that_differ_from_the_providers_are_degraded_and_told_to_the_operator_alone(
    people: People, redis_url: str
) -> None:
    await database.execute("INSERT INTO reconciliation_differences VALUES ('CONTRACT', 'ctr_1', 'USD', -1, 102, now())")
    await database.execute("UPDATE deployment SET reconciled_at = now() - interval '1 hour'")
    await bell.connect(redis_url)
    try:
        answer = await people.nobody.http.get("/readyz")
    finally:
        await bell.disconnect()
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["reconciliationDifferences"] == 1
    figures = (await people.nobody.http.get("/metrics")).text
    assert "earnest_reconciliation_differences 1.0" in figures
    assert "earnest_reconciliation_age_seconds 36" in figures
    query = "{ reconciliationDifferences { kind subject atProvider { amount } inLedger { amount currency } } }"
    assert (await people.operator.ask(query))["reconciliationDifferences"] == [
        {
            "kind": "CONTRACT",
            "subject": "ctr_1",
            "atProvider": {"amount": "-0.01"},
            "inLedger": {"amount": "1.02", "currency": "USD"},
        }
    ]
    for stranger in (people.client, people.freelancer):
        refused = await stranger.errors(query)
        assert [error["extensions"]["code"] for error in refused] == ["FORBIDDEN"]


@pytest.mark.parametrize(("part", "status"), [(Part.BEFORE, 503), (Part.AFTER, 200)])
async def test_a_missing_migration_is_not_ready_unless_it_comes_after(
    people: People, monkeypatch: pytest.MonkeyPatch, part: Part, status: int
) -> None:
    async def missing(asked: Part) -> list[str]:
        return ["m9999_later"] if asked is part else []

    monkeypatch.setattr(migrate, "pending", missing)
    answer = await people.nobody.http.get("/readyz")
    assert answer.status_code == status, answer.text
    assert answer.json()["checks"]["database"], answer.text
    assert answer.json()["checks"]["migrations"] is (status == 200), answer.text


async def test_a_database_that_does_not_answer_is_not_ready(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object) -> None:
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(database, "fetch_row", refused)
    answer = await people.nobody.http.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["database"]) == (503, False)


async def test_a_migrated_database_has_nothing_pending(database: str) -> None:
    assert await migrate.pending() == []
