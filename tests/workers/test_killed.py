"""Workers that are killed while they carry out an order, and workers that share the work: nothing lost, nothing doubled."""

import signal
from pathlib import Path

import pytest

from escrow.audit import audit
from escrow.database import fetch, fetch_value
from escrow.payments import orders
from tests.escrow.payments.stage import Deal, charge, make_due, order, strike
from tests.stand_ins.stripe.serving import KEY, WEBHOOK_SECRET, playing
from tests.workers.process import until, worker


@pytest.fixture
async def deal(database: str) -> Deal:
    return await strike("100.00", "50.00")


async def is_active(deal: Deal) -> bool:
    return await deal.milestone_state() == "ACTIVE"


@pytest.mark.parametrize("token", ["tok_ok", "tok_silent"])
@pytest.mark.parametrize(
    "point",
    [
        "before_the_charge",
        "after_the_charge",
        "before_the_call",
        "after_the_call",
        "before_the_report",
        "after_the_report",
    ],
)
async def test_a_worker_killed_at_any_point_neither_loses_nor_doubles_a_deposit(
    database: str, redis_url: str, deal: Deal, tmp_path: Path, point: str, token: str
) -> None:
    order_id = await deal.fund(token)
    async with worker(database, redis_url, tmp_path / "first.log", point=point) as first:
        assert await first.exit_code() == -signal.SIGKILL
    left = await order(order_id)
    assert left["lease_token"] is not None
    (call,) = await fetch("SELECT * FROM provider_calls")
    assert (call["order_id"], call["step"]) == (order_id, "PREPARE"), "noted before the first call"
    assert (call["provider_id"] is None) == (point in ("before_the_charge", "after_the_charge"))
    assert (await charge(order_id) is None) == (point == "before_the_charge")
    await make_due(order_id)  # the lease's end, without waiting for it

    async def done() -> bool:
        return (await order(order_id))["due_at"] is None

    async with worker(database, redis_url, tmp_path / "second.log"):
        await until(done)
    assert await is_active(deal)
    assert (await order(order_id))["state"] == "PAID"
    assert await deal.events("deposit.confirmed", "deposit.returned") == ["deposit.confirmed"]
    assert await deal.balance("escrow") == 100_00
    made = await charge(order_id)
    assert made is not None
    assert made["calls"] == 1
    assert [difference async for difference in audit()] == []


ON_THE_WAY = ("before_the_transfer", "after_the_transfer", "before_the_payout", "after_the_payout", "after_the_report")
ON_THE_WAY_BACK = ("before_the_take_back", "after_the_take_back")


@pytest.mark.parametrize(
    ("amount", "point"),
    [(amount, point) for amount in ("50.00", "40.01") for point in ON_THE_WAY]
    + [("40.01", point) for point in ON_THE_WAY_BACK],  # of what was paid nothing is taken back
)
async def test_a_worker_killed_at_any_point_neither_loses_nor_doubles_a_payout(
    database: str, redis_url: str, deal: Deal, tmp_path: Path, amount: str, point: str
) -> None:
    await deal.contract.confirm(await deal.contract.fund())
    await deal.approve()
    order_id = await deal.request_payout(amount)
    async with worker(database, redis_url, tmp_path / "first.log", point=point) as first:
        assert await first.exit_code() == -signal.SIGKILL
    await make_due(order_id)

    async def done() -> bool:
        row = await order(order_id)
        return row["due_at"] is None and row["state"] in ("PAID", "FAILED")

    async with worker(database, redis_url, tmp_path / "second.log"):
        await until(done)
    failed = amount == "40.01"
    assert await deal.events("payout.paid", "payout.failed", "order.stuck") == [
        "payout.failed" if failed else "payout.paid"
    ]
    moved = "SELECT count(*) FROM sandbox_charges WHERE kind = $1"
    assert [await fetch_value(moved, kind) for kind in ("TRANSFER", "PAYOUT", "TAKE_BACK")] == [1, 1, int(failed)]
    assert await deal.balance("payable") == (100_00 if failed else 50_00)
    assert [difference async for difference in audit()] == []


async def test_what_a_killed_worker_had_asked_for_is_asked_of_no_other_provider(
    database: str, redis_url: str, deal: Deal, tmp_path: Path
) -> None:
    """The answer is lost, and the operator has changed the provider meanwhile: the transfer would be made there once more."""
    await deal.contract.confirm(await deal.contract.fund())
    await deal.approve()
    order_id = await deal.request_payout("50.00")
    async with worker(database, redis_url, tmp_path / "first.log", point="after_the_transfer") as first:
        assert await first.exit_code() == -signal.SIGKILL
    (call,) = await fetch("SELECT * FROM provider_calls WHERE order_id = $1", order_id)
    assert (call["step"], call["provider"], call["provider_id"]) == ("TRANSFER", "sandbox", None)
    await make_due(order_id)

    async def left_to_a_person() -> bool:
        return bool((await order(order_id))["is_stuck"])

    async with playing() as stripe:
        variables = {
            "EARNEST_PAYMENT_PROVIDER": "stripe",
            "EARNEST_STRIPE_KEY": KEY,
            "EARNEST_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "EARNEST_STRIPE_RETURN_URL": "http://127.0.0.1:9/",
            "EARNEST_STRIPE_URL": stripe.url,
        }
        async with worker(database, redis_url, tmp_path / "second.log", provider=variables) as second:
            await until(left_to_a_person)
            await second.says("order left to a person")
        assert not stripe.books.of("transfer")
    async with worker(database, redis_url, tmp_path / "third.log"):  # and back: what became of it is found out
        await orders.reconcile()
        await make_due(order_id)

        async def done() -> bool:
            return bool((await order(order_id))["state"] == "PAID")

        await until(done)
    assert await deal.events("payout.paid", "payout.failed", "order.stuck") == ["order.stuck", "payout.paid"]
    assert await fetch_value("SELECT count(*) FROM sandbox_charges WHERE kind = 'TRANSFER'") == 1
    assert [difference async for difference in audit()] == []


async def test_two_workers_at_once_make_one_charge_for_each_order(
    database: str, redis_url: str, deal: Deal, tmp_path: Path
) -> None:
    deals = [deal, *[await deal.another("100.00") for _ in range(11)]]
    order_ids = [await each.fund("tok_twice") for each in deals]

    async def done() -> bool:
        return all([await is_active(each) for each in deals])

    async with (
        worker(database, redis_url, tmp_path / "first.log"),
        worker(database, redis_url, tmp_path / "second.log"),
    ):
        await until(done)
    charges = await fetch("SELECT order_id, calls FROM sandbox_charges")
    assert {row["order_id"]: row["calls"] for row in charges} == dict.fromkeys(order_ids, 1)
    for each in deals:
        assert await each.events("deposit.confirmed", "deposit.returned") == ["deposit.confirmed"]


async def test_a_killed_workers_order_is_taken_over_when_its_lease_ends(
    database: str, redis_url: str, deal: Deal, tmp_path: Path
) -> None:
    order_id = await deal.fund()
    async with worker(database, redis_url, tmp_path / "first.log", point="after_the_call") as first:
        await first.exit_code()
    await fetch("UPDATE payment_orders SET due_at = now() + interval '1 hour'")
    async with worker(database, redis_url, tmp_path / "second.log") as second:
        await second.says("worker works")
        # What comes due later is done while the lease lasts, so it isn't that nobody looked.
        other = await deal.another("100.00")
        await other.fund()
        await until(lambda: is_active(other))
        assert not await is_active(deal)
        await make_due(order_id)

        async def taken_over() -> bool:
            return await is_active(deal)

        await until(taken_over)
    assert (await order(order_id))["state"] == "PAID"


async def test_every_event_gets_its_position_once_with_two_workers(
    database: str, redis_url: str, deal: Deal, tmp_path: Path
) -> None:
    async with (
        worker(database, redis_url, tmp_path / "first.log"),
        worker(database, redis_url, tmp_path / "second.log"),
    ):
        for _ in range(5):
            await (await deal.another("100.00", "50.00")).fund()

        async def positioned() -> bool:
            sql = "SELECT count(*) FROM log_pending"
            active = "SELECT count(*) FROM milestones WHERE state = 'ACTIVE'"
            return bool(await fetch_value(active) == 5 and await fetch_value(sql) == 0)

        await until(positioned)
    total = await fetch_value("SELECT count(*) FROM events")
    rows = await fetch("SELECT position, event_id FROM log_positions ORDER BY position")
    assert [row["position"] for row in rows] == list(range(1, total + 1))
    out_of_order = await fetch_value(
        """
        SELECT count(*) FROM (
            SELECT e.sequence - lag(e.sequence) OVER (PARTITION BY e.stream_id ORDER BY p.position) AS step
            FROM log_positions p JOIN events e ON e.id = p.event_id) AS steps
        WHERE step <> 1
        """
    )
    assert out_of_order == 0
