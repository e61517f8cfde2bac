"""The key of another account at Stripe than yesterday's: what is open is neither looked up nor repeated there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import pytest
import pytest_asyncio

from earnest.doctor import money_provider
from earnest.doctor.findings import Grade
from escrow import terms
from escrow.database import execute, fetch, fetch_value
from escrow.payments import orders, own_account, reconciliation
from escrow.payments.own_account import AnotherAccount
from escrow.payments.results import ProviderError
from escrow.payments.stripe.adapter import Stripe
from escrow.payments.watched import Watched
from escrow.settings import Settings
from tests.escrow.payments.stage import make_due, order, strike
from tests.escrow.test_settings import MINIMAL
from tests.stand_ins.stripe.hostility import Hostility
from tests.stand_ins.stripe.payees import own_account as account_of
from tests.stand_ins.stripe.serving import KEY, RETURN_URL, WEBHOOK_SECRET, Playing, playing
from workers.payments import PAUSE_SECONDS_MAX, OwnAccount

ASKED: Final = ("get", "/v1/account")
BY_PROVIDER: Final = "SELECT provider, sum(net_minor)::bigint AS minor FROM provider_movements GROUP BY provider"


@pytest_asyncio.fixture(loop_scope="session")
async def accounts() -> AsyncIterator[tuple[Playing, Playing]]:
    """Two accounts at Stripe."""
    async with playing() as first, playing(Hostility(seed=2)) as second:
        yield first, second
        assert first.violations == second.violations == []
    terms.use(terms.Terms())


def name_of(one: Playing) -> str:
    return str(account_of(one.books)["id"])


def keyed(one: Playing, *, account: str | None = None) -> Watched:
    """The provider of a deployment with this account's key; `account` is the one that it names."""
    return Watched(Stripe(replace(one.access(), account=account)))


async def attend(provider: Watched) -> None:
    """What a worker does once: nothing before it knows whose money it moves."""
    await provider.settle()
    for claimed in await orders.claim(10, provider=provider.terms.provider):
        assert await orders.attend(claimed, provider)


def asked(one: Playing) -> list[tuple[str, str]]:
    return [call for call in one.stand_in.seen if call != ASKED]


async def test_what_is_open_in_one_account_is_asked_of_no_other(
    database: str, accounts: tuple[Playing, Playing]
) -> None:
    first, second = accounts
    deal = await strike("100.00")
    other = await deal.another("50.00")
    paid, open_one = await deal.fund("pm_card_visa"), await other.fund("pm_card_authenticationRequired")
    ours = keyed(first)
    await attend(ours)
    assert [(await order(one))["state"] for one in (paid, open_one)] == ["PAID", "STARTED"]
    assert ours.terms.provider == "stripe"
    await reconciliation.reconcile(ours)

    theirs = keyed(second)
    with pytest.raises(
        AnotherAccount, match=f"account {name_of(second)}, and what is open is in account {name_of(first)}"
    ):
        await attend(theirs)
    with pytest.raises(AnotherAccount):
        await reconciliation.reconcile(theirs)
    assert asked(second) == [], "the books of another account are not read either"

    before = asked(first)
    meant = keyed(second, account=name_of(second))
    await deal.approve()
    payout = await deal.request_payout()
    for one in (paid, open_one, payout):
        await make_due(one)
    await attend(meant)
    assert (meant.terms.provider, meant.terms.door) == (f"stripe {name_of(second)}", "stripe")
    assert [(await order(one))["is_stuck"] for one in (paid, open_one, payout)] == [False, False, True]
    assert asked(second) == []
    await reconciliation.reconcile(meant)
    assert {one.difference.subject for one in await reconciliation.open_differences()} == {open_one, payout}

    with pytest.raises(AnotherAccount):
        await attend(keyed(first))
    again = keyed(first, account=name_of(first))
    await make_due(open_one)
    await attend(again)
    assert again.terms.provider == "stripe"
    assert len(asked(first)) > len(before), "it goes on where it was begun"
    for provider in (ours, theirs, meant, again):
        await provider.close()


async def test_another_account_is_taken_up_by_itself_when_nothing_is_open(
    database: str, accounts: tuple[Playing, Playing]
) -> None:
    first, second = accounts
    providers = [keyed(first), keyed(second), keyed(second), keyed(first)]
    for provider in providers:
        await provider.settle()
        await provider.close()
    assert [one.terms.provider for one in providers] == ["stripe", *[f"stripe {name_of(second)}"] * 2, "stripe"]
    deal = await strike("100.00")
    await deal.fund("pm_card_visa")
    with pytest.raises(AnotherAccount):
        await own_account.settled(other := Stripe(second.access()))
    await other.close()


async def test_the_balance_of_an_account_is_compared_with_its_own_movements_however_late_they_are_read(
    database: str, accounts: tuple[Playing, Playing]
) -> None:
    first, second = accounts
    second.books.move("", "topup", 30_00, "usd", source="tu_2")
    first.pass_time(10 * 86_400)
    first.books.move("", "topup", 500_00, "usd", source="tu_1")
    for one in (first, second, first):
        provider = keyed(one)
        assert (await reconciliation.reconcile(provider)).found == []
        await provider.close()
    assert {row["provider"]: row["minor"] for row in await fetch(BY_PROVIDER)} == {
        "stripe": 500_00,
        f"stripe {name_of(second)}": 30_00,
    }


async def test_a_worker_asks_for_the_account_now_and_then_and_claims_nothing_before(
    database: str, accounts: tuple[Playing, Playing]
) -> None:
    first, second = accounts
    deal = await strike("100.00")
    deposit = await deal.fund("pm_card_visa")
    await own_account.settled(ours := Stripe(first.access()))
    now, theirs = 0.0, keyed(second)
    account = OwnAccount(theirs, clock=lambda: now)
    for _ in range(3):
        assert not await account.is_settled()
    assert second.stand_in.seen == [ASKED]
    with pytest.raises(ProviderError):
        await theirs.payee("acct_of_a_payee")
    assert asked(second) == []
    await execute("UPDATE payment_orders SET state = 'FAILED', due_at = NULL WHERE id = $1", deposit)
    now += PAUSE_SECONDS_MAX
    assert await account.is_settled()
    assert terms.in_force().provider == f"stripe {name_of(second)}"
    await ours.close()
    await theirs.close()


async def test_a_key_that_may_not_tell_its_account_is_taken_as_long_as_none_did(
    database: str, accounts: tuple[Playing, Playing], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = accounts
    await strike("100.00")
    silent = Stripe(first.access())
    monkeypatch.setattr(silent, "own_account", nobody)
    assert (await own_account.settled(silent)).provider == "stripe"
    assert await fetch_value("SELECT provider_accounts FROM deployment") == "{}"
    await own_account.settled(telling := Stripe(first.access()))
    with pytest.raises(AnotherAccount, match="may not tell whose it is"):
        await own_account.settled(silent)
    for one in (silent, telling):
        await one.close()


async def nobody() -> str | None:
    return None


async def test_the_doctor_tells_of_the_key_of_another_account(database: str, accounts: tuple[Playing, Playing]) -> None:
    first, second = accounts
    await own_account.settled(ours := Stripe(first.access()))
    await ours.close()
    grades = {}
    for one in accounts:
        found = await money_provider.look(_settings(database, one))
        grades[name_of(one)] = [finding.grade for finding in found]
    assert grades == {name_of(first): [Grade.FINE], name_of(second): [Grade.FINE, Grade.WRONG]}
    assert await fetch("SELECT provider_accounts ->> 'stripe' FROM deployment"), "it only looks"


def _settings(database: str, one: Playing) -> Settings:
    return Settings.from_environment(
        MINIMAL
        | {
            "DATABASE_URL": database,
            "EARNEST_PAYMENT_PROVIDER": "stripe",
            "EARNEST_STRIPE_KEY": KEY,
            "EARNEST_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "EARNEST_STRIPE_RETURN_URL": RETURN_URL,
            "EARNEST_STRIPE_URL": one.url,
        }
    )
