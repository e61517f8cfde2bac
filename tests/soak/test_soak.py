"""A short soak, so that every run of the tests has one: `python -m tests.soak` plays as many orders as one likes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from escrow.database import execute, fetch_value
from escrow.payments.stripe.adapter import Stripe
from tests.escrow.payments.stage import strike
from tests.soak import judging
from tests.soak.judging import Wrong
from tests.soak.playing import Soak
from tests.stand_ins.stripe import payments
from tests.stand_ins.stripe.hostility import Hostility
from tests.stand_ins.stripe.serving import playing

DEALS = 3


async def test_nothing_is_lost_nothing_doubled_and_both_books_say_the_same_when_it_is_quiet(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    figures = await Soak(database, redis_url, tmp_path).run(DEALS, a_round=DEALS)
    assert figures.violations == 0
    assert figures.quiet_moments == 1
    assert figures.total > DEALS
    assert figures.kills > 0
    assert sum(figures.faults.values()) > 0


async def test_the_judge_names_what_moved_twice_or_not_at_all_and_a_balance_that_is_off(database: str) -> None:
    deal = await strike("100.00")
    await deal.contract.confirm(await deal.contract.fund())
    order_id = await fetch_value("SELECT id FROM payment_orders")
    await execute("UPDATE payment_orders SET due_at = NULL")
    async with playing(Hostility()) as stand_in:
        provider, books = Stripe(stand_in.access()), stand_in.books

        async def wrong() -> str:
            with pytest.raises(Wrong) as found:
                await judging.judge(stand_in, provider)
            return str(found.value)

        def charge() -> None:
            metadata: dict[str, Any] = {"order": order_id, "group": deal.id}
            asked = {"amount": 100_00, "currency": "usd", "metadata": metadata, "transfer_group": deal.id}
            made = payments.create_intent(books, asked)
            payments.confirm_intent(books, made["id"], {"payment_method": "pm_card_visa"})

        assert f"order {order_id} DEPOSIT PAID: moved 0 times" in await wrong()
        charge()
        await judging.judge(stand_in, provider)
        await judging.look_between(provider)
        charge()
        assert f"order {order_id} DEPOSIT PAID: moved 2 times" in await wrong()
        books.drawer().purses["usd"].available += 1
        with pytest.raises(Wrong, match="balance in USD"):
            await judging.look_between(provider)
        await provider.close()
