"""What a worker is made of: supervision, sweeps; and a bell that is faster than polling."""

import asyncio
import logging
from collections import Counter
from functools import partial

import pytest

from escrow import bell
from escrow.bell import Topic
from escrow.database import fetch, fetch_value
from escrow.payments import orders
from escrow.payments.sandbox import Sandbox
from tests.escrow.payments.stage import strike
from tests.patience import PATIENCE_SECONDS
from tests.workers.process import until
from tests.written import written
from webhooks.delivery.dispatcher import Dispatcher
from webhooks.request.sender import Sender
from workers import cron, payments, sequencer, supervision


async def test_a_pump_that_fails_or_ends_starts_again_and_a_cancel_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "PAUSES_SECONDS", (0.0,))
    starts: list[int] = []
    third = asyncio.Event()

    async def pump() -> None:
        starts.append(1)
        if len(starts) == 1:
            raise ValueError("once")
        if len(starts) == 3:
            third.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(supervision.supervise("pump", pump))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await third.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(starts) == 3


async def test_one_failing_pump_does_not_end_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "PAUSES_SECONDS", (0.0,))
    failures = rounds = 0
    enough = asyncio.Event()

    async def failing() -> None:
        nonlocal failures
        failures += 1
        raise RuntimeError

    async def working() -> None:
        nonlocal rounds
        while True:
            rounds += failures > 0
            if failures > 2 and rounds > 10:
                enough.set()
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(supervision.supervise(str(pump), pump)) for pump in (failing, working)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        await enough.wait()
    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_each_line_of_a_pump_names_it_and_has_a_trace_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "PAUSES_SECONDS", (0.0,))

    started_again = {name: asyncio.Event() for name in ("deadlines", "payments")}
    starts = Counter[str]()

    async def failing(name: str) -> None:
        starts[name] += 1
        if starts[name] > 1:
            started_again[name].set()
        logging.getLogger("escrow.x").info("at work")
        raise RuntimeError("once more")

    with written() as log:
        tasks = [asyncio.create_task(supervision.supervise(name, partial(failing, name))) for name in started_again]
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(event.wait() for event in started_again.values()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for name in ("deadlines", "payments"):
        lines = [entry for entry in log.entries if entry.get("pump") == name]
        assert [entry["event"] for entry in lines[:2]] == ["at work", "pump starts again"]
        assert lines[1]["error"] == "RuntimeError: once more"
        assert len({entry["trace_id"] for entry in lines}) == 1


@pytest.mark.usefixtures("database")
async def test_the_sweep_forgets_only_old_keys_of_commands_without_a_contract() -> None:
    deal = await strike("10.00")
    put = """
        INSERT INTO idempotency_keys (account_id, key, input_sha256, result, contract_id, created_at)
        VALUES ($1, $2, sha256('x'), '{}', $3, now() - $4::int * interval '1 day')
    """
    account = deal.client_id
    await fetch(put, account, "old", None, 31)
    await fetch(put, account, "fresh", None, 29)
    await fetch(put, account, "of a contract", deal.id, 400)
    assert await cron.forget_idempotency_keys({}) == 1
    assert (await cron.reconcile_orders({}), await cron.reconcile_deposits({})) == (0, 0)
    assert await cron.reconcile_books({"provider": Sandbox()}) == 0
    rows = await fetch("SELECT key FROM idempotency_keys WHERE key IN ('old', 'fresh', 'of a contract') ORDER BY key")
    assert [row["key"] for row in rows] == ["fresh", "of a contract"]


async def test_a_sweep_waits_for_postgresql_for_minutes_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cron, "AGAIN_SECONDS", 0.0)
    tries = 0

    @cron.patient
    async def sweep(ctx: dict[str, object], *_: object, **__: object) -> int:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise ConnectionRefusedError
        return tries

    assert await sweep({}) == 4
    assert _said(caplog) == ["sweep put off"]
    caplog.clear()
    monkeypatch.setattr(cron, "PATIENCE_SECONDS", -1.0)
    tries = 0
    assert await sweep({}) == 0
    assert _said(caplog) == ["sweep left out"]


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the sweeps said."""
    return [record.message for record in caplog.records if record.name == cron.__name__]


@pytest.mark.usefixtures("database")
async def test_the_night_tells_each_new_difference_once_as_far_as_they_are_few_and_all_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cron, "TOLD_MAX", 1)
    deal = await strike("10.00")
    await deal.contract.confirm(await deal.contract.fund())
    one, all_of_them = "the provider's books differ", "the provider's books and ours don't agree"
    for told in ([one, all_of_them], [all_of_them]):
        caplog.clear()
        assert await cron.reconcile_books({"provider": Sandbox()}) == 2
        assert _said(caplog) == told


async def test_the_sequencer_and_the_payments_are_woken_by_the_bell(
    database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With polling out of the way: only rings are left to bring a deposit to its milestone and its events to the log."""
    for module in (sequencer, payments):
        monkeypatch.setattr(module, "POLL_SECONDS", 3_600.0)
    monkeypatch.setattr(orders, "LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(bell, "RING_TIMEOUT_SECONDS", PATIENCE_SECONDS)  # Redis on a busy machine is not away
    deal = await strike("10.00")
    await bell.connect(redis_url)
    sender = Sender()
    pumps = [sequencer.pump(Dispatcher(sender)), payments.pump(Sandbox(settle_seconds=0.0))]
    tasks = [asyncio.create_task(pump) for pump in pumps]
    try:
        with bell.listen(Topic.POSITIONED) as wakeups:

            async def both_listen() -> bool:
                return len(bell._room.listeners) > len(pumps)

            await until(both_listen)
            assert await wakeups.wait(PATIENCE_SECONDS), "subscribing itself counts as a ring"
            await deal.fund("tok_refuse")
            while await fetch_value("SELECT count(*) FROM log_pending") or await deal.milestone_state() != "PLANNED":
                assert await wakeups.wait(PATIENCE_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await sender.close()
        await bell.disconnect()
    assert await deal.events("deposit.failed") == ["deposit.failed"]
