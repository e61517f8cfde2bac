"""Deliveries move to the archive whole, once, and with all of their attempts; what still waits stays."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Final, cast

import pytest

from escrow import database, segments
from escrow.archive_places import ATTEMPTS_MAX, CONNECT_SECONDS, SILENCE_SECONDS
from escrow.segments import Kind, Store
from tests.webhooks.partner import states
from tests.webhooks.test_audit import found, prepared
from webhooks.delivery import archived_deliveries, retention

pytestmark = pytest.mark.usefixtures("database")

ALL = timedelta(seconds=-5)


async def moved(store: Store) -> list[segments.Segment]:
    return [segment async for segment in archived_deliveries.move(store, kept=ALL, size=3)]


async def differences(store: Store) -> list[str]:
    return [str(one) async for one in archived_deliveries.audit_archived_deliveries(store)]


class Lossy(Store):
    """A place that gives back something else than what it was given."""

    async def get(self, name: str) -> bytes:
        data = await super().get(name)
        rows = segments.from_parquet(data)
        return segments.to_parquet(rows[1:], archived_deliveries._schema())


async def test_what_is_finished_moves_with_its_attempts_and_what_waits_stays(tmp_path: Path) -> None:
    await prepared()
    before = {
        row["id"]: row
        for row in await database.fetch("SELECT id, event_id, state, position, finished_at FROM deliveries")
    }
    tried = await database.fetch("SELECT id, delivery_id, status, total_ms FROM delivery_attempts")

    with pytest.raises(segments.Unusable):
        await moved(Lossy(str(tmp_path)))
    assert await states() == {"DELIVERED": 4, "PENDING": 5}, "what isn't safely there is still here"
    assert await segments.listed(Kind.DELIVERIES) == []

    store = Store(str(tmp_path))
    made = await moved(store)
    assert await states() == {"PENDING": 5}
    rows = [row for one in made for row in segments.from_parquet(await store.get(one.name))]
    assert len(rows) == 4
    for row in rows:
        assert {name: row[name] for name in before[row["id"]].keys()} == dict(before[row["id"]])  # noqa: SIM118 - a record
        assert [(one["id"], one["status"], one["total_ms"]) for one in row["attempts"]] == [
            (one["id"], one["status"], one["total_ms"]) for one in tried if one["delivery_id"] == row["id"]
        ]
        assert row["attempts"], "a delivered one was tried"
    assert await database.fetch_value(
        "SELECT count(*) FROM delivery_attempts WHERE delivery_id = ANY ($1)", [row["id"] for row in rows]
    ) == 0  # fmt: skip
    assert (await found(), await differences(store), await moved(store)) == ([], [], [])


class Patient(Store):
    """A place that notes how long PostgreSQL would wait for it."""

    waits: ClassVar[list[str]] = []

    async def put(self, name: str, data: bytes) -> None:
        self.waits.append(str(await database.fetch_value(WAITS)))
        await super().put(name, data)


WAITS: Final = "SHOW idle_in_transaction_session_timeout"


async def test_postgresql_waits_longer_for_the_archive_than_the_archive_is_waited_for(tmp_path: Path) -> None:
    await prepared()
    usual = await database.fetch_value(WAITS)
    assert await moved(Patient(str(tmp_path)))
    assert set(Patient.waits) == {"10min"}
    assert archived_deliveries.STORE_SECONDS_MAX > 10 * ATTEMPTS_MAX * (CONNECT_SECONDS + SILENCE_SECONDS)
    assert await database.fetch_value(WAITS) == usual, "for that transaction alone"


async def test_who_has_an_archive_forgets_nothing_that_is_not_in_it(tmp_path: Path) -> None:
    await prepared()
    store = Store(str(tmp_path))
    await database.execute(
        "UPDATE deliveries SET created_at = now() + interval '1 hour' "
        "WHERE id <> (SELECT min(id) FROM deliveries WHERE state = 'DELIVERED')"
    )
    assert [one.row_count for one in await moved(store)] == [1]
    await database.execute("UPDATE deliveries SET created_at = now()")
    left = await states()
    assert await retention.prune(ALL) == 0
    assert await states() == left
    await moved(store)
    assert "DELIVERED" not in await states()
    # A row that comes back, as from a backup of before, is told.
    row = segments.from_parquet(await store.get((await segments.listed(Kind.DELIVERIES))[0].name))[0]
    await database.execute(
        "INSERT INTO deliveries (id, endpoint_id, lane, position, event_id, event_type, stream_id) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(row[name] for name in ("id", "endpoint_id", "lane", "position", "event_id", "event_type", "stream_id")),
    )
    assert await differences(store) == [
        f"{row['id']}: delivery: expected 'in the archive alone', found 'in the database, too'"
    ]


async def test_who_archives_before_anything_is_old_loses_nothing_to_the_nights(tmp_path: Path) -> None:
    await prepared()
    before = await states()
    store = Store(str(tmp_path))
    assert [one async for one in archived_deliveries.move(store)] == []
    assert await retention.prune(ALL) == 0
    assert await states() == before
    assert [one.row_count for one in await moved(store)] == [3, 1]


async def test_a_night_that_is_under_way_stops_when_somebody_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    await prepared()
    before = await states()
    bounds = retention.bounds

    async def meanwhile(kept: timedelta) -> retention.Bounds:
        await retention.leave_to_archive()
        return await bounds(kept)

    monkeypatch.setattr(retention, "bounds", meanwhile)
    assert await retention.prune(ALL) == 0
    assert await states() == before


async def test_nothing_moves_to_where_the_archive_so_far_is_not(tmp_path: Path) -> None:
    await prepared()
    moving = archived_deliveries.move(Store(str(tmp_path / "archive")), kept=ALL, size=3)
    async with aclosing(cast("AsyncGenerator[segments.Segment, None]", moving)):
        first = await anext(moving)
    before = await states()

    other = Store(str(tmp_path / "other"))
    with pytest.raises(segments.Unusable, match=rf"{first.name} can't be read.*other has to hold .* is it mounted"):
        await moved(other)
    assert await states() == before
    assert not (tmp_path / "other").exists()
    await other.put(first.name, (tmp_path / "archive" / first.name).read_bytes())
    assert [one.number for one in await moved(other)] == [2]
