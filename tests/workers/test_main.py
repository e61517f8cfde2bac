"""What a worker refuses to begin with."""

from __future__ import annotations

import asyncio

import pytest

from escrow import database
from escrow.settings import PaymentProvider, SettingError, Settings
from tests.factories import SECRET_KEY
from workers import main


@pytest.mark.usefixtures("database")
async def test_a_worker_begins_nothing_where_a_test_clock_has_moved_the_time_of_real_money(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[str] = []

    async def connect(_: str) -> None:
        steps.append("connect")

    async def disconnect() -> None:
        steps.append("disconnect")

    monkeypatch.setattr(database, "connect", connect)
    monkeypatch.setattr(database, "disconnect", disconnect)
    await database.execute("UPDATE deployment SET clock_offset = interval '1 hour'")
    settings = Settings(
        database_url="", redis_url="", secret_keys=(SECRET_KEY,), payment_provider=PaymentProvider.SANDBOX
    )
    connected = asyncio.Event()
    with pytest.raises(SettingError, match="EARNEST_SANDBOX"):
        await main._connect(settings, connected)
    assert (steps, connected.is_set()) == (["connect", "disconnect"], False)
