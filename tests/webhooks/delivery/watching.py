"""What tests of delivering look up in the database, and wait for."""

from __future__ import annotations

from typing import Any

from escrow import database
from tests.webhooks.partner import (
    Arrival,
    make_due,
    pending,
)
from tests.workers.process import until
from webhooks.audit import audit_deliveries


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


async def until_settled_with_dues() -> None:
    async def done() -> bool:
        await make_due()
        return await pending() == 0

    await until(done)


async def until_open(endpoint_id: str) -> None:
    async def is_open() -> bool:
        return (await health_of(endpoint_id))["is_open"] is True

    await until(is_open)


async def disabled_reason(endpoint_id: str) -> str | None:
    reason: str | None = await database.fetch_value("SELECT disabled_reason FROM endpoints WHERE id = $1", endpoint_id)
    return reason


async def until_disabled(endpoint_id: str) -> None:
    async def is_disabled() -> bool:
        return await disabled_reason(endpoint_id) is not None

    await until(is_disabled)


async def came(arrivals: list[Arrival]) -> bool:
    return bool(arrivals)
