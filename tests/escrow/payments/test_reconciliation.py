"""The provider's books beside the ledger: nothing differs while both say the same, and whatever differs is named to the cent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from escrow import database, ledger
from escrow.access import PROVIDER
from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.money import Money
from escrow.payments import flow, orders, reconciliation
from escrow.payments.book_differences import DifferenceKind
from escrow.payments.movements import Movement, MovementKind
from escrow.payments.reconciliation import OpenDifference, book_costs, open_differences, pull, reconcile
from escrow.payments.results import Exchange
from escrow.payments.sandbox import Sandbox
from escrow.payments.sandbox_behaviours import AMOUNTS, TOKENS
from escrow.pipeline import run
from escrow.terms import Terms
from tests.escrow.payments.stage import Deal, strike

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
AT_ONCE = timedelta(0)


@dataclass
class Books:
    """A provider of which nothing is asked but its books."""

    told: list[Movement] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)
    off_minor: int = 0
    """By how much the balance is another than the movements."""
    terms: Terms = field(default_factory=Terms)
    ahead: timedelta = timedelta(0)

    def moved(self, kind: MovementKind, minor: int, deal: Deal | None, **more: Any) -> Movement:
        amount = Money(minor, more.pop("currency", "USD"))
        fee = Money(more.pop("fee", 0), amount.currency)
        movement = Movement(
            id=f"txn_{len(self.told) + 1}",
            kind=kind,
            at=NOW + len(self.told) * timedelta(hours=1),
            amount=amount,
            fee=fee,
            net=Money(amount.minor - fee.minor, amount.currency),
            group=deal.id if deal is not None else None,
            **more,
        )
        self.told.append(movement)
        return movement

    async def movements(self, since: datetime) -> AsyncIterator[Movement]:
        self.asked.append(since)
        for movement in self.told:
            if movement.at >= since:
                yield movement

    async def balance(self) -> Sequence[Money]:
        sums: dict[str, int] = {}
        for one in self.told:
            sums[one.net.currency] = sums.get(one.net.currency, 0) + one.net.minor
        return [Money(minor + self.off_minor, currency) for currency, minor in sums.items()]


async def look(books: Books) -> list[str]:
    return [str(one) for one in (await reconcile(books, settling=AT_ONCE)).found]  # type: ignore[arg-type]


async def clearing() -> dict[str, int]:
    """What lies at the provider by the books, by currency."""
    sums = await ledger.platform_balances()
    return {
        currency: -minor for (account, currency), minor in sums.items() if account.startswith("clearing:") and minor
    }


async def call() -> None:
    """As if a worker had asked the provider for whatever is due, and heard nothing yet."""
    await orders.claim(10)


async def charged() -> tuple[Deal, Books]:
    """A contract whose client has paid 100.00, which the provider tells of, too."""
    deal, books = await strike("100.00", "50.00"), Books()
    await deal.contract.confirm(await deal.contract.fund())
    books.moved(MovementKind.CHARGE, 100_00, deal)
    return deal, books


async def test_nothing_differs_where_both_tell_the_same() -> None:
    deal, books = await charged()
    assert await look(books) == []
    await deal.approve()
    payout = await deal.request_payout()
    books.moved(MovementKind.TRANSFER, -100_00, deal)
    await call()
    assert await look(books) == [], "what is on its way isn't judged"
    await deal.contract.confirm_order(payout)
    assert await look(books) == []
    assert await open_differences() == []


async def test_what_nobody_called_for_explains_nothing_that_moved() -> None:
    deal, books = await charged()
    await deal.approve()
    await deal.request_payout()
    books.moved(MovementKind.REFUND, -7, deal)
    differs = f"contract {deal.id}: 99.93 USD at the provider, 100.00 USD in the ledger"
    assert differs in await look(books)
    await call()
    assert differs not in await look(books)


async def test_an_order_that_moved_lately_and_that_these_books_never_called_is_on_its_way() -> None:
    deal, books = await charged()
    await deal.approve()
    payout = await deal.request_payout()
    books.moved(MovementKind.TRANSFER, -100_00, deal, order_id=payout)
    books.told[-1] = replace(books.told[-1], at=datetime.now(UTC))
    assert (await reconcile(books, settling=-timedelta(hours=1))).found == []  # type: ignore[arg-type]


async def test_what_moved_on_one_side_alone_is_named_on_either() -> None:
    deal, books = await charged()
    assert await look(Books()) == [
        "balance in USD: 0.00 USD at the provider, 100.00 USD in the ledger",
        f"contract {deal.id}: 0.00 USD at the provider, 100.00 USD in the ledger",
    ]
    other = await deal.another("1.00")
    books.moved(MovementKind.CHARGE, 1_00, other)
    books.moved(MovementKind.REFUND, -1, deal)
    assert await look(books) == [
        "balance in USD: 100.99 USD at the provider, 100.00 USD in the ledger",
        *sorted(
            [
                f"contract {deal.id}: 99.99 USD at the provider, 100.00 USD in the ledger",
                f"contract {other.id}: 1.00 USD at the provider, 0.00 USD in the ledger",
            ]
        ),
    ]


async def test_what_was_found_is_listed_since_it_was_found_until_it_is_no_more() -> None:
    deal, books = await charged()
    lost = books.told.pop()
    await look(books)
    before = await open_differences()
    assert [(one.difference.kind, one.difference.ledger_minor) for one in before] == [
        (DifferenceKind.BALANCE, 100_00),
        (DifferenceKind.CONTRACT, 100_00),
    ]
    books.told.append(replace(lost, amount=Money(98_00, "USD"), net=Money(98_00, "USD")))
    await look(books)
    after = await open_differences()
    assert [(one.difference.provider_minor, one.found_at) for one in after] == [(98_00, one.found_at) for one in before]
    assert isinstance(after[0], OpenDifference)
    books.moved(MovementKind.CHARGE, 2_00, deal)
    assert (await look(books), await open_differences()) == ([], [])


async def test_fees_and_exchanges_are_booked_once_and_then_clearing_is_the_balance() -> None:
    deal, books = await charged()
    books.told.clear()
    exchange = Exchange(of=Money(100_00, "USD"), into=Money(92_00, "EUR"), rate=Decimal("0.92"))
    books.moved(MovementKind.CHARGE, 92_00, deal, currency="EUR", fee=2_96, exchange=exchange)
    assert await look(books) == []
    assert await clearing() == {"EUR": 92_00 - 2_96}
    assert (await deal.events("cost.booked"), await book_costs()) == (["cost.booked"], 0)
    books.moved(MovementKind.REVERSAL, -92_00, deal, currency="EUR", fee=15_00, exchange=exchange)
    await run(deal.contract.reversal(*deal.contract.deposits), by=PROVIDER)
    assert await look(books) == []
    books.moved(MovementKind.FEE, 0, deal, currency="EUR", fee=-15_00)
    assert await look(books) == []
    assert await clearing() == {money.currency: money.minor for money in await books.balance()} == {"EUR": -2_96}
    assert [difference async for difference in audit()] == []


async def test_several_workers_book_a_cost_once() -> None:
    deal, books = await charged()
    books.told.clear()
    books.moved(MovementKind.CHARGE, 100_00, deal, fee=2_96)
    await pull(books, None)  # type: ignore[arg-type]
    assert sum(await asyncio.gather(*(book_costs() for _ in range(4)))) == 1
    assert await deal.events("cost.booked") == ["cost.booked"]
    assert await clearing() == {"USD": 97_04}


async def test_what_is_the_operators_own_is_no_difference_and_what_is_nobodys_is_one() -> None:
    _, books = await charged()
    books.moved(MovementKind.WITHDRAWAL, -30_00, None)
    books.moved(MovementKind.FEE, 0, None, fee=2_00)
    assert await look(books) == []
    books.moved(MovementKind.RESERVE, -20_00, None)
    assert await look(books) == []
    books.moved(MovementKind.OTHER, -7, None)
    assert await look(books) == ["movement txn_5: -0.07 USD at the provider, 0.00 USD in the ledger"]
    books.told[-1] = replace(books.told[-1], kind=MovementKind.RESERVE)
    assert await look(books) == [], "an adapter that knows it by now says so"


async def test_a_balance_that_its_movements_dont_give_is_a_difference() -> None:
    _, books = await charged()
    books.off_minor = -1
    assert await look(books) == ["balance in USD: 99.99 USD at the provider, 100.00 USD in the ledger"]


class Busy(Books):
    """Books in which something moves whenever anybody looks, ever more."""

    def pay(self) -> None:
        self.moved(MovementKind.WITHDRAWAL, -1_00 * 3 ** len(self.told), None)
        self.moved(MovementKind.WITHDRAWAL, 1_00 * 3 ** len(self.told), None)

    async def movements(self, since: datetime) -> AsyncIterator[Movement]:
        self.pay()
        async for movement in super().movements(since):
            yield movement

    async def balance(self) -> Sequence[Money]:
        self.pay()
        found = await super().balance()
        self.pay()
        return found


@pytest.mark.parametrize("off_minor", [0, -1, 7_50])
async def test_the_balance_is_compared_while_money_moves_and_a_payout_is_on_its_way(off_minor: int) -> None:
    deal, books = await charged()
    await deal.approve()
    await deal.request_payout()
    busy = Busy(told=books.told, off_minor=off_minor)
    await look(busy)
    found = await open_differences()
    assert [(one.difference.kind, one.difference.provider_minor - one.difference.ledger_minor) for one in found] == (
        [(DifferenceKind.BALANCE, off_minor)] if off_minor else []
    )
    busy.off_minor = 0
    assert (await look(busy), await open_differences()) == ([], [])


async def test_a_balance_that_is_off_by_another_sum_at_each_look_is_not_judged_and_stays_as_it_was() -> None:
    _, books = await charged()

    class Restless(Books):
        async def balance(self) -> Sequence[Money]:
            self.off_minor += 1
            return await super().balance()

    restless = Restless(told=books.told)
    assert (await look(restless), await open_differences()) == ([], [])
    books.off_minor = -1
    await look(books)
    before = await open_differences()
    assert (await look(restless), await open_differences()) == ([], before)


async def test_of_very_many_differences_some_are_listed_and_the_others_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconciliation, "LISTED_MAX", 3)
    _, books = await charged()
    for _ in range(5):
        books.moved(MovementKind.OTHER, -7, None)
    outcome = await reconcile(books, settling=AT_ONCE)  # type: ignore[arg-type]
    assert (len(outcome.found), len(outcome.new), outcome.unlisted) == (3, 3, 2)
    assert (len(await open_differences()), (await reconciliation.standing()).differences) == (3, 5)
    again = await reconcile(books, settling=AT_ONCE)  # type: ignore[arg-type]
    assert (again.found, again.new) == (outcome.found, [])
    monkeypatch.setattr(reconciliation, "LISTED_MAX", 10)
    more = await reconcile(books, settling=AT_ONCE)  # type: ignore[arg-type]
    assert (len(more.found), len(more.new), more.unlisted) == (5, 2, 0)
    assert (await reconciliation.standing()).differences == 5


async def test_what_differs_at_one_look_and_not_at_the_next_was_only_on_its_way() -> None:
    deal, books = await charged()

    class Late(Books):
        async def movements(self, since: datetime) -> AsyncIterator[Movement]:
            if self.asked:
                self.told = books.told
            async for movement in super().movements(since):
                yield movement

    late = Late()
    assert await look(late) == []
    assert len(late.asked) > 1
    assert await deal.balance("clearing") == -100_00


async def test_what_just_moved_is_not_judged() -> None:
    deal, books = await charged()
    books.told[0] = replace(books.told[0], at=datetime.now(UTC), amount=Money(1, "USD"), net=Money(1, "USD"))
    assert (await reconcile(books)).found == []  # type: ignore[arg-type]
    assert len((await reconcile(books, settling=-timedelta(hours=1))).found) == 2  # type: ignore[arg-type]
    assert await deal.milestone_state() == "ACTIVE"


async def test_what_differed_stays_listed_while_it_cannot_be_judged() -> None:
    deal, books = await charged()
    books.moved(MovementKind.REFUND, -1, deal)
    assert len(await look(books)) == 2
    before = [one for one in await open_differences() if one.difference.kind is DifferenceKind.CONTRACT]
    await deal.approve()
    payout = await deal.request_payout()
    await call()
    assert (await look(books), await open_differences()) == ([], before), "a payout on its way makes nothing agree"
    assert (await reconciliation.standing()).differences == 1
    books.moved(MovementKind.TRANSFER, -99_99, deal)
    await deal.contract.confirm_order(payout)
    assert (await look(books), await open_differences()) == ([], [])


async def test_the_books_are_read_on_from_before_where_they_ended_and_kept_once() -> None:
    deal, books = await charged()
    assert [await pull(books, None), await pull(books, None)] == [1, 1]  # type: ignore[arg-type]
    assert books.asked == [reconciliation.BEGINNING, NOW - reconciliation.OVERLAP]
    assert await pull(books, NOW + timedelta(days=1)) == 0  # type: ignore[arg-type]
    assert await database.fetch_value("SELECT count(*) FROM provider_movements WHERE contract_id = $1", deal.id) == 1


async def test_a_look_that_fails_changes_nothing_that_was_known() -> None:
    _, books = await charged()
    books.told.clear()
    await look(books)
    before = await open_differences()

    class Away(Books):
        def movements(self, since: datetime) -> AsyncIterator[Movement]:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await look(Away())
    assert await open_differences() == before
    assert (await reconciliation.standing()).differences == 2


async def test_books_that_were_never_read_are_as_old_as_the_first_order() -> None:
    assert (await reconciliation.standing()).age_seconds is None, "there is nothing to compare"
    deal = await strike("100.00")
    await deal.fund()
    await database.execute("UPDATE payment_orders SET created_at = created_at - interval '2 days'")
    await (await deal.another("50.00")).fund()
    age_seconds = (await reconciliation.standing()).age_seconds
    assert age_seconds is not None
    assert age_seconds >= 2 * 24 * 3600
    await look(Books())
    assert (await reconciliation.standing()).age_seconds < 24 * 3600  # type: ignore[operator]  # a comparison has just ended


async def settle(sandbox: Sandbox) -> None:
    """A minute later at the provider, and whatever the workers then do, finished orders looked up again, too."""
    await database.fetch("UPDATE sandbox_charges SET settles_at = settles_at - interval '1 minute'")
    for _ in range(3):
        await database.fetch("UPDATE payment_orders SET due_at = now() WHERE lease_token IS NULL")
        for claimed in await orders.claim(200):
            assert await orders.attend(claimed, sandbox)


async def played(sandbox: Sandbox) -> Deal:
    """A contract for everything that the sandbox can be told to do: with a deposit, with a payout, and with a refund."""
    first = await strike("100.00")
    for token in TOKENS:
        deal = await first.another("100.00")
        await deal.fund(token)
    sums = [f"{int(amount) // 100}.{amount[2:]}" for amount in AMOUNTS for _ in range(2)]
    held = [await first.another(one) for one in sums]
    for deal in held:
        await deal.fund()
    await settle(sandbox)
    for paid, back in zip(held[::2], held[1::2], strict=True):
        await paid.approve()
        await paid.request_payout()
        await run(c.GiveRefund(milestone_id=back.contract.milestone()), by=back.contract.freelancer)
    await settle(sandbox)
    return first


async def test_the_sandboxs_books_and_ours_agree_whatever_it_is_told_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing that failed is tried again while it is looked at: that would move money anew.
    monkeypatch.setattr(flow, "TRY_AGAIN_SECONDS", 1e6)
    sandbox = Sandbox(settle_seconds=0.0, slow_seconds=0.0)
    await played(sandbox)
    # Whatever the provider changes its mind about, it has.
    await settle(sandbox)
    assert [str(one) for one in (await reconcile(sandbox, settling=AT_ONCE)).found] == []
    states = await database.fetch("SELECT DISTINCT reversal FROM deposits WHERE reversal IS NOT NULL ORDER BY reversal")
    assert [row["reversal"] for row in states] == ["LOST", "OPEN", "WITHDRAWN", "WON"]
    assert [difference async for difference in audit()] == []
