"""A short soak, so that every run of the tests has one: `python -m tests.soak orders` plays as many as one likes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from api.providers import ProviderNotices
from escrow.database import execute, fetch, fetch_value
from escrow.payments.stripe.adapter import Stripe
from tests.escrow.payments.stage import strike
from tests.soak import judging, orders, people
from tests.soak.figures import Figures
from tests.soak.judging import Wrong
from tests.soak.playing import Soak
from tests.stand_ins.stripe import payees, payments, payouts
from tests.stand_ins.stripe.books import Books
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


@pytest.mark.usefixtures("database")
async def test_the_judge_names_what_reached_a_bank_twice_or_not_at_all_and_what_stayed_on_its_way() -> None:
    deal = await strike("100.00")
    await deal.contract.confirm(await deal.contract.fund())
    await deal.approve()
    order_id = await deal.request_payout()
    await deal.contract.confirm_order(order_id)
    books, (deposit,) = Books(), await fetch("SELECT id FROM payment_orders WHERE kind = 'DEPOSIT'")
    payee = payees.create_account(books, {"capabilities": {"transfers": {"requested": True}}})["id"]
    payees.told(books, payee)
    asked = {"amount": 100_00, "currency": "usd", "metadata": {"order": deposit["id"]}}
    intent = payments.create_intent(books, asked)["id"]
    charge = payments.confirm_intent(books, intent, {"payment_method": "pm_card_visa"})["latest_charge"]
    moves = {"amount": 100_00, "currency": "usd", "metadata": {"order": order_id}}
    payouts.transfer(books, moves | {"destination": payee, "source_transaction": charge})
    books.clock.advance(books.hostility.pending_seconds)

    at_no_bank = f"order {order_id} PAYOUT PAID: a bank has it 0 times"
    assert await judging.moved_otherwise(books) == [at_no_bank, f"payee {payee} keeps 10000 usd"]
    paid = payouts.pay_out(books, payee, moves)
    assert await judging.moved_otherwise(books) == []
    payouts.cancel_payout(books, payee, paid["id"])
    assert at_no_bank in await judging.moved_otherwise(books)
    payouts.pay_out(books, payee, moves)
    books.move(payee, "topup", 100_00, "usd", source="")
    payouts.pay_out(books, payee, moves)
    assert await judging.moved_otherwise(books) == [f"order {order_id} PAYOUT PAID: a bank has it 2 times"]


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
