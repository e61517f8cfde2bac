"""Everything at once: many deposits of every kind, cancels, approvals and payouts, and workers that are killed all the time.

In the end the provider's books and ours must say the same, to the last minor unit.
"""

import asyncio
import random
from collections import Counter
from pathlib import Path

from escrow.audit import audit
from escrow.database import fetch, fetch_value
from escrow.errors import DomainError
from escrow.payments.sandbox import Sandbox
from escrow.payments.sandbox_behaviours import TOKENS
from tests.escrow.payments.stage import Deal, strike
from tests.workers.process import until, worker

DEALS = 15
KILLS = 6


async def live(deal: Deal, rng: random.Random) -> None:
    """A client who pays with whatever card comes to hand, changes their mind, and has the freelancer paid at last."""
    position = 1
    for _ in range(12):
        state = await deal.milestone_state(position)
        try:
            if state == "PLANNED":
                await deal.fund(
                    rng.choice([token for token in TOKENS if token != "tok_never" and "reverse" not in token]),
                    position=position,
                )
            elif state == "FUNDING" and rng.random() < 0.2:
                await deal.cancel(position=position)
            elif state == "ACTIVE":
                await deal.approve(position=position)
                await deal.request_payout()
                position = 2
        except DomainError:
            pass  # somebody was faster: the provider, usually
        await asyncio.sleep(rng.random() * 0.5)


async def clearing() -> Counter[str]:
    """What the provider should have in hand, by our books: what came in less what went out."""
    rows = await fetch("""
        SELECT currency, sum(CASE WHEN debit LIKE 'clearing:%' THEN amount_minor ELSE -amount_minor END)::bigint AS minor
        FROM transfers WHERE 'clearing:' || currency IN (debit, credit) GROUP BY currency
    """)
    return Counter({row["currency"]: row["minor"] for row in rows if row["minor"]})


async def in_hand() -> Counter[str]:
    """The same by the provider's own books."""
    return Counter({money.currency: money.minor for money in await Sandbox().balance() if money.minor})


async def test_the_providers_books_and_ours_agree_after_workers_were_killed_all_the_time(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    rng = random.Random(2)
    first = await strike("100.00", "50.00")
    deals = [first, *[await first.another("100.00", "50.00") for _ in range(DEALS - 1)]]
    # One refund and one payout for sure, whatever the rng say on a busy machine.
    await (await first.another("30.00")).fund("tok_wrong_amount")
    paid = await first.another("30.00")
    await paid.fund("tok_ok")
    async with worker(database, redis_url, tmp_path / "steady.log") as steady:
        await steady.says("worker works")  # a busy machine takes long to start one
        lives = [asyncio.create_task(live(deal, random.Random(n))) for n, deal in enumerate(deals)]
        for kill in range(KILLS):
            async with worker(database, redis_url, tmp_path / f"{kill}.log") as doomed:
                await doomed.says("worker works")
                await asyncio.sleep(rng.random() * 0.4)
                doomed.process.kill()
        await asyncio.gather(*lives)

        async def is_active() -> bool:
            return await paid.milestone_state() == "ACTIVE"

        await until(is_active)
        await paid.approve()
        await paid.request_payout()
        await fetch("UPDATE payment_orders SET due_at = least(due_at, now()) WHERE due_at IS NOT NULL")

        async def settled() -> bool:
            # What was abandoned before the provider had heard of it stays to be looked up.
            sql = "SELECT count(*) FROM payment_orders WHERE state = 'STARTED'"
            return await fetch_value(sql) == 0 and await clearing() == await in_hand()

        await until(settled)
    assert await fetch_value("SELECT count(*) FROM sandbox_charges WHERE kind = 'PAYOUT'") > 0
    assert await fetch_value("SELECT count(*) FROM sandbox_charges WHERE kind = 'REFUND'") > 0
    assert [difference async for difference in audit()] == []
