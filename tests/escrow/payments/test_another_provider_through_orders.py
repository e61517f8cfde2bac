"""Orders carried out with the provider of another shape: what is asked of Stripe's adapter, as far as the shape allows.

It allows no payer who has to act, stores no fault, never forgets a reference, disputes a payment once and as a whole, and sends
no notices: so there is no scenario of 3-D Secure, of a stored 500, of a key forgotten after a day, of a second dispute, or of a
signature. Instead of notices it is asked for news.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta

import pytest

from escrow import terms
from escrow.access import CLOCK
from escrow.accounts import commands
from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.database import fetch, fetch_value
from escrow.errors import InvalidState
from escrow.payments import orders, payees, reconciliation
from escrow.payments.provider import Provider
from escrow.pipeline import run
from tests.escrow.payments.stage import Deal, order, strike
from tests.factories import advance_past_deadlines
from tests.stand_ins.vault.adapter import VaultProvider
from tests.stand_ins.vault.service import FEE, Vault

LOOKS_MAX = 200
"""So often an order is looked at until it must have come to its end; nothing here waits for a clock."""

FEE_MINOR = int(FEE * 100)


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def provider(vault: Vault) -> Iterator[Provider]:
    """Decisions of this process go by what it allows."""
    made = VaultProvider(vault)
    terms.use(made.terms)
    yield made
    terms.use(terms.Terms())


async def work(provider: Provider) -> None:
    """What a worker does in one turn, without its patience."""
    hints = await provider.notices()
    await orders.nudge(hints)
    await payees.nudge(hints)
    await payees.look(provider, limit=10)
    await fetch("UPDATE payment_orders SET due_at = now() WHERE due_at IS NOT NULL AND lease_token IS NULL")
    for claimed in await orders.claim(10, payees_of=provider.terms.provider):
        assert await orders.attend(claimed, provider)


async def until(
    provider: Provider, check: Callable[[], Awaitable[bool]], each: Callable[[], None] | None = None
) -> None:
    """Until something is true; `each` is done before every turn."""
    for _ in range(LOOKS_MAX):
        if await check():
            return
        if each is not None:
            each()
        await work(provider)
    raise AssertionError("it never came true")


def is_in(order_id: str, state: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return bool((await order(order_id))["state"] == state)

    return check


async def agree(provider: Provider) -> None:
    """Both books come to the same, to the cent, and ours are what the log says."""
    await work(provider)
    assert (await reconciliation.reconcile(provider, settling=timedelta(0))).found == []
    assert [difference async for difference in audit()] == []


async def connected(provider: Provider, vault: Vault, deal: Deal) -> str:
    """The freelancer has a wallet, and has said whose it is."""
    account_id = str(deal.freelancer_id)
    await run(commands.ConnectPayee(account_id=account_id, provider="vault"), by=deal.contract.freelancer)
    await work(provider)
    wallet = str(await fetch_value("SELECT payee_id FROM payees WHERE account_id = $1", account_id))
    vault.introduce(wallet)
    await work(provider)
    return wallet


def losing(vault: Vault, seed: int | None) -> Callable[[], None]:
    """Loses some of the answers, and cuts some of the calls off."""
    chance = random.Random(seed)

    def lose() -> None:
        if seed is not None:
            vault.loses, vault.cuts = chance.choice((0, 0, 1)), chance.choice((0, 0, 1))

    return lose


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
async def test_a_deposit_is_released_and_paid_out_once_whatever_is_lost(
    database: str, provider: Provider, vault: Vault, seed: int | None
) -> None:
    deal, lose = await strike("100.00", "60.00"), losing(vault, seed)
    wallet = await connected(provider, vault, deal)
    for position in (1, 2):
        await until(provider, is_in(await deal.fund("good", position=position), "PAID"), lose)
        await deal.approve(position=position)
    payout = await deal.request_payout()
    await until(provider, is_in(payout, "PAID"), lose)
    vault.loses = vault.cuts = 0
    kinds = [(one["kind"], one["amount"]) for one in vault.movements]
    assert sorted(kinds) == [
        ("payment", "100.00"),
        ("payment", "60.00"),
        ("release", "-100.00"),
        ("release", "-60.00"),
    ], "a payout that two payments are needed for takes each once"
    assert vault.wallets[wallet]["balance"] == "0.00"
    assert vault.balance() * 100 == -2 * FEE_MINOR
    await agree(provider)


async def test_a_payout_that_comes_back_after_it_was_paid_is_payable_again_and_then_paid_once(
    database: str, provider: Provider, vault: Vault
) -> None:
    deal = await strike("100.00")
    await connected(provider, vault, deal)
    await until(provider, is_in(await deal.fund("good"), "PAID"))
    await deal.approve()
    had = vault.balance()
    payout = await deal.request_payout()
    await until(provider, is_in(payout, "PAID"))
    vault.bounce(f"{payout}/1/payout")
    await until(provider, is_in(payout, "FAILED"))
    assert await deal.balance("payable") == 10_000
    assert vault.balance() == had
    await agree(provider)
    again = await deal.request_payout()
    await until(provider, is_in(again, "PAID"))
    assert [one["status"] for one in vault.made.values() if "wallet" in one and "status" in one] == ["bounced", "sent"]
    await agree(provider)


@pytest.mark.parametrize("seed", [None, 1, 2])
async def test_money_goes_back_to_the_escrow_that_it_came_into(
    database: str, provider: Provider, vault: Vault, seed: int | None
) -> None:
    deal, lose = await strike("100.00"), losing(vault, seed)
    await until(provider, is_in(await deal.fund("good"), "PAID"), lose)
    await run(c.GiveRefund(milestone_id=deal.contract.milestone(1)), by=deal.contract.freelancer)
    refund = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'REFUND'"))
    await until(provider, is_in(refund, "PAID"), lose)
    vault.loses = vault.cuts = 0
    assert [one["kind"] for one in vault.movements] == ["payment", "refund"]
    await agree(provider)


async def test_a_deposit_that_was_given_up_is_closed_there_and_one_with_a_bad_token_fails(
    database: str, provider: Provider, vault: Vault
) -> None:
    deal = await strike("100.00")
    given_up = await deal.fund("good")
    vault.loses = 1
    await work(provider)
    await deal.cancel()
    await until(provider, is_in(given_up, "ABANDONED"))
    await work(provider)
    failed = await deal.fund("bad")
    await until(provider, is_in(failed, "FAILED"))
    assert vault.movements == []
    assert {one["status"] for one in vault.escrows.values()} <= {"open", "closed", "refused"}
    assert await deal.milestone_state() == "PLANNED"
    await agree(provider)


@pytest.mark.parametrize(("outcome", "ends"), [("won", "RELEASED"), ("lost", "REFUNDED")])
async def test_a_chargeback_freezes_the_milestone_until_it_is_won_or_lost(
    database: str, provider: Provider, vault: Vault, outcome: str, ends: str
) -> None:
    deal = await strike("100.00")
    await until(provider, is_in(await deal.fund("good"), "PAID"))
    (escrow,) = vault.escrows
    vault.charge_back(escrow)
    await work(provider)
    assert await deal.events("deposit.reversed") == ["deposit.reversed"]
    with pytest.raises(InvalidState):
        await deal.approve()
    await agree(provider)
    vault.decide(escrow, outcome)
    await work(provider)
    assert await deal.events("deposit.reversal_resolved") == ["deposit.reversal_resolved"]
    if outcome == "won":
        await deal.approve()
    assert await deal.milestone_state() == ends
    await agree(provider)


async def test_a_payout_waits_for_whoever_has_not_said_whose_wallet_it_is(
    database: str, provider: Provider, vault: Vault
) -> None:
    deal = await strike("100.00")
    await run(c.SetPayouts(contract_id=deal.id, automatic=True), by=deal.contract.freelancer)
    await until(provider, is_in(await deal.fund("good"), "PAID"))
    await deal.approve()
    payout = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'PAYOUT'"))
    await work(provider)
    with pytest.raises(InvalidState):
        await deal.request_payout()
    assert [one["kind"] for one in vault.movements] == ["payment"], "nothing is asked for who can't be paid"
    await connected(provider, vault, deal)
    await until(provider, is_in(payout, "PAID"))
    await agree(provider)


async def test_what_nobody_worked_on_goes_back_before_the_provider_would_release_it_by_itself(
    database: str, provider: Provider, vault: Vault
) -> None:
    deal = await strike("100.00")
    await until(provider, is_in(await deal.fund("good"), "PAID"))
    came = "SELECT max(occurred_at) FROM events WHERE type = 'deposit.confirmed'"
    held = await fetch_value(f"SELECT hold_until - ({came}) FROM deposits")
    vault.advance(days=held / timedelta(days=1))
    await advance_past_deadlines()
    await run(c.ApplyDeadlines(contract_id=deal.id), by=CLOCK)
    assert await deal.events("milestone.unfunded") == ["milestone.unfunded"]
    refund = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'REFUND'"))
    await until(provider, is_in(refund, "PAID"))
    vault.advance(days=vault.release_after_days)
    (escrow,) = vault.escrows.values()
    assert (escrow["status"], float(escrow["left"])) == ("funded", 0), "it had nothing to release"
    assert [one["kind"] for one in vault.movements] == ["payment", "refund"]
    await agree(provider)


async def test_a_refund_of_what_the_provider_released_by_itself_is_left_to_a_person_at_once(
    database: str, provider: Provider, vault: Vault
) -> None:
    deal = await strike("100.00")
    deposit = await deal.fund("good")
    await until(provider, is_in(deposit, "PAID"))
    vault.advance(days=vault.release_after_days)
    await work(provider)
    assert (await order(deposit))["state"] == "PAID", "it came, and is the operator's money still"
    await run(c.GiveRefund(milestone_id=deal.contract.milestone(1)), by=deal.contract.freelancer)
    refund = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'REFUND'"))
    await until(provider, is_in(refund, "FAILED"))
    assert (await order(refund))["is_stuck"]
    assert [one["kind"] for one in vault.movements] == ["payment"]
    await agree(provider)
