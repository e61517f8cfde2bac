"""A short soak, so that every run of the tests has one: `python -m tests.soak orders` plays as many as one likes."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from api.providers import ProviderNotices
from escrow.database import execute, fetch_value
from escrow.payments.results import ProviderError
from escrow.payments.stripe.adapter import Stripe
from tests.escrow.payments.stage import strike
from tests.soak import judging, killing, orders, people
from tests.soak.figures import Figures
from tests.soak.judging import Wrong
from tests.soak.playing import Soak
from tests.soak.test_complaints import written
from tests.stand_ins.stripe import payments
from tests.stand_ins.stripe.hostility import Hostility
from tests.stand_ins.stripe.serving import playing

DEALS = 3
NEVER = 1_000_000


async def test_nothing_is_lost_nothing_doubled_and_both_books_say_the_same_when_it_is_quiet(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    figures = await Soak(database, redis_url, tmp_path, all_at_once=1).run(DEALS, a_round=DEALS)
    assert figures.violations == 0
    assert figures.quiet_moments == 1
    assert figures.total > DEALS
    assert figures.kills > 0
    assert sum(figures.faults.values()) > 0
    assert figures.notices_taken > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ComesBackTwice(Hostility):
    """The first two refunds of an order come back after they were paid, and nobody is told."""

    seen: Counter[str] = field(default_factory=Counter)

    def happens(self, share: float, *names: object) -> bool:
        if names[0] != "refund":
            return share > 0 and names[0] == "never"
        self.seen[str(names[1])] += 1
        return self.seen[str(names[1])] <= 2


async def test_it_is_not_quiet_before_what_came_of_a_look_was_looked_at_too(
    database: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "MEANS", {"pm_card_visa": 1})
    monkeypatch.setattr(people, "GIVEN_BACK", 1)
    hostility = ComesBackTwice(notices_never=1.0, pending_seconds=6 * 3_600.0)
    figures = await Soak(database, redis_url, tmp_path, hostility=hostility, kill_every=NEVER).run(1, a_round=1)
    assert hostility.seen.most_common() == [
        (await fetch_value("SELECT id FROM payment_orders WHERE kind = 'REFUND'"), 3)
    ]
    assert figures.orders == {"deposit paid": 1, "refund paid": 1}
    assert figures.balance_minor < 0, "both came to nothing but the fee"


async def test_a_door_for_notices_that_breaks_is_no_notice_that_was_lost_on_its_way(
    database: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("no such door")

    monkeypatch.setattr(ProviderNotices, "take", broken)
    with pytest.raises(Wrong, match=r"notices could not be taken: RuntimeError\('no such door'\)"):
        await Soak(database, redis_url, tmp_path, hostility=Hostility(), kill_every=NEVER).run(1, a_round=1)


class Startless:
    """A worker that begins to work, or ends at once."""

    returncode: int | None = None
    begun = 0

    def __init__(self, *_: object, environ: object, log: Path) -> None:
        Startless.begun += 1
        if Startless.begun > killing.WORKERS:
            self.returncode = 1
        log.open("ab").write(b"worker works\n" if self.returncode is None else b"it can't\n")

    def kill(self) -> None:
        self.returncode = -9

    async def wait(self) -> int | None:
        return self.returncode


async def test_a_worker_that_does_not_start_any_more_fails_the_soak_though_another_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killing, "Forked", Startless)
    monkeypatch.setattr(Startless, "begun", 0)
    killed = asyncio.Event()
    workers = killing.Workers({}, tmp_path, seed=1, every=1, all_at_once=0, killed=killed.set)

    async def one_is_killed() -> None:
        async with workers.dying():
            while not killed.is_set():
                workers.moment()
                await asyncio.sleep(0)
            while Startless.begun == killing.WORKERS:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)

    with pytest.raises(AssertionError, match=r"worker \d does not start: it can't"):
        await one_is_killed()


def test_many_orders_are_divided_among_deployments_each_with_a_seed_of_its_own() -> None:
    parts = orders.divided(100_000, a_round=0, seed=7, kill_every=9)
    assert sum(part.deals for part in parts) * orders.ORDERS_PER_DEAL >= 100_000
    assert {part.deals for part in parts} == {parts[0].deals}
    assert parts[0].deals <= orders.DEALS_A_DEPLOYMENT
    assert [part.seed for part in parts] == list(range(7, 7 + len(parts)))
    assert [part.deals for part in orders.divided(1, a_round=0, seed=1, kill_every=9)] == [1]


def test_what_happened_in_several_deployments_is_added() -> None:
    one = Figures(orders=Counter({"deposit paid": 2}), requests=5, kills=1)
    other = Figures(orders=Counter({"deposit paid": 1, "refund paid": 1}), requests=7)
    both = Figures.together([one, other])
    assert (both.deployments, both.total, both.requests, both.kills) == (2, 4, 12, 1)
    assert both.orders == {"deposit paid": 3, "refund paid": 1}


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


async def test_the_judge_counts_what_reached_a_bank_what_moved_for_nobody_and_what_stayed_on_its_way(
    database: str,
) -> None:
    deal = await strike("100.00")
    await deal.contract.confirm(await deal.contract.fund())
    await deal.approve()
    order_id = await deal.request_payout()
    await execute("UPDATE payment_orders SET state = 'PAID', due_at = NULL WHERE id = $1", order_id)
    async with playing(Hostility()) as stand_in:
        books, of_it = stand_in.books, {"metadata": {"order": order_id}}

        async def wrong() -> list[str]:
            return [one for one in await judging.moved_otherwise(books) if "DEPOSIT" not in one]

        books.put("transfer", {"id": "tr_1", "reversed": False, **of_it})
        assert await wrong() == [f"order {order_id} PAYOUT PAID: reached a bank 0 times"]
        books.put("payout", {"id": "po_1", "status": "paid", **of_it}, "acct_1")
        books.put("payout", {"id": "po_2", "status": "failed", **of_it}, "acct_1")
        assert await wrong() == []
        books.put("payout", {"id": "po_3", "status": "pending", **of_it}, "acct_1")
        assert await wrong() == [f"order {order_id} PAYOUT PAID: reached a bank 2 times"]
        books.put("transfer", {"id": "tr_2", "reversed": False, "metadata": {"order": "pay_nobodys"}})
        books.move("acct_1", "payment", 5, "usd", source="")
        assert (await wrong())[1:] == [
            "pay_nobodys is no order of ours, and money moved for it",
            "payee acct_1 keeps 5 usd",
        ]


def test_a_worker_that_failed_by_a_fault_of_ours_is_found_also_if_it_did_better_the_next_time(tmp_path: Path) -> None:
    log = tmp_path / "worker-1.log"
    log.write_text(written(None, level=logging.WARNING, error=ProviderError("Stripe answered 429")))
    judging.judge_logs(tmp_path)
    with log.open("a") as into:
        into.write(written(KeyError("milestone"), event="pump starts again"))
    with pytest.raises(Wrong, match=r"a fault of ours: worker-1, .* pump starts again KeyError"):
        judging.judge_logs(tmp_path)
