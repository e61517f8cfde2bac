"""The sandbox provider on a real database: it settles later, misbehaves as told, and moves nothing twice for one key."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from escrow.database import fetch, fetch_value
from escrow.money import Money
from escrow.payments.provider import Failed, Found, Pending, ProviderError, Reversed, Succeeded, Unknown
from escrow.payments.sandbox import AMOUNTS, TOKENS, KeyReused, Pace, Result, Sandbox

KEY = "pay_1"
SUM = Money(125_000, "USD")
PATIENCE_SECONDS = 60.0

Move = Callable[[Sandbox, Money], Awaitable[Found]]

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(settle_seconds=0.05, slow_seconds=0.4)


async def deposit(sandbox: Sandbox, token: str | None, *, key: str = KEY, amount: Money = SUM) -> Found:
    return await sandbox.deposit(idempotency_key=key, amount=amount, token=token)


async def refund(sandbox: Sandbox, amount: Money) -> Found:
    return await sandbox.refund(idempotency_key=KEY, amount=amount, charge_key="pay_0")


async def payout(sandbox: Sandbox, amount: Money) -> Found:
    return await sandbox.payout(idempotency_key=KEY, amount=amount, payee="acc_1")


async def settled(sandbox: Sandbox, key: str = KEY) -> Found:
    """What a look-up finds once it finds a result."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = await sandbox.lookup(key)
        if not isinstance(found, Pending):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"still pending after {PATIENCE_SECONDS} seconds")


async def notices(sandbox: Sandbox, *, seconds: float) -> list[str]:
    """All notices that come within some time."""
    heard: list[str] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        heard += await sandbox.notices()
        await asyncio.sleep(0.05)
    return heard


async def test_a_key_that_was_never_used_is_unknown(sandbox: Sandbox) -> None:
    assert await sandbox.lookup(KEY) == Unknown()


@pytest.mark.parametrize("token", [None, "tok_ok", "tok_silent", "tok_twice"])
async def test_a_deposit_is_pending_first_and_succeeds_later(sandbox: Sandbox, token: str | None) -> None:
    assert await deposit(sandbox, token) == Pending()
    assert await settled(sandbox) == Succeeded(SUM)


@pytest.mark.parametrize(
    ("token", "result"),
    [
        ("tok_fail", Failed("declined")),
        ("tok_wrong_amount", Succeeded(Money(124_999, "USD"))),
        ("tok_wrong_currency", Succeeded(Money(125_000, "EUR"))),
    ],
)
async def test_a_token_chooses_what_a_deposit_comes_to(sandbox: Sandbox, token: str, result: Found) -> None:
    assert await deposit(sandbox, token) == Pending()
    assert await settled(sandbox) == result


async def test_a_deposit_that_is_taken_back_has_succeeded_first(sandbox: Sandbox) -> None:
    await deposit(sandbox, "tok_reverse")
    assert await settled(sandbox) == Succeeded(SUM)
    assert await notices(sandbox, seconds=0.3) == [KEY]
    await fetch("UPDATE sandbox_charges SET settles_at = settles_at - interval '2 seconds', notices = ARRAY[now()]")
    found = await sandbox.lookup(KEY)
    assert isinstance(found, Reversed)
    assert found.amount == SUM
    assert await sandbox.notices() == [KEY]
    assert await deposit(sandbox, "tok_reverse") == Succeeded(SUM)


async def test_a_slow_deposit_that_is_taken_back_succeeds_late_first(sandbox: Sandbox) -> None:
    behaviour = TOKENS["tok_slow_reverse"]
    assert (behaviour.result, behaviour.pace, behaviour.notices) == (Result.REVERSED, Pace.SLOW, 2)
    assert await deposit(sandbox, "tok_slow_reverse") == Pending()


async def test_the_wrong_amount_is_never_nothing_and_never_the_right_one(sandbox: Sandbox) -> None:
    await deposit(sandbox, "tok_wrong_amount", amount=Money(1, "JPY"))
    assert await settled(sandbox) == Succeeded(Money(2, "JPY"))


async def test_a_refusal_and_a_wrong_token_are_answered_at_once(sandbox: Sandbox) -> None:
    assert await deposit(sandbox, "tok_refuse") == Failed("declined")
    misspelt = await deposit(sandbox, "tok_fial", key="pay_2")
    assert isinstance(misspelt, Failed)
    assert "no such test token" in misspelt.reason


async def test_what_is_slow_or_never_answered_is_pending() -> None:
    sandbox = Sandbox(settle_seconds=0.05, slow_seconds=3_600)
    await deposit(sandbox, "tok_slow")
    await deposit(sandbox, "tok_never", key="pay_2")
    await deposit(sandbox, "tok_ok", key="pay_3")
    assert await settled(sandbox, "pay_3") == Succeeded(SUM)
    assert await sandbox.lookup(KEY) == Pending()
    await fetch("UPDATE sandbox_charges SET settles_at = now() WHERE idempotency_key = $1", KEY)
    assert await settled(sandbox) == Succeeded(SUM)
    assert await sandbox.lookup("pay_2") == Pending()


async def test_a_lost_answer_left_a_charge_and_a_lost_call_left_none(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderError):
        await deposit(sandbox, "tok_timeout")
    assert await settled(sandbox) == Succeeded(SUM)
    with pytest.raises(ProviderError):
        await deposit(sandbox, "tok_outage", key="pay_2")
    await asyncio.sleep(0.1)
    assert await sandbox.lookup("pay_2") == Unknown()
    assert await deposit(sandbox, "tok_outage", key="pay_2") == Pending()
    assert await settled(sandbox, "pay_2") == Succeeded(SUM)


async def test_the_same_key_again_is_the_same_charge_also_ten_times_at_once(sandbox: Sandbox) -> None:
    await asyncio.gather(*(deposit(sandbox, "tok_ok") for _ in range(10)))
    assert await settled(sandbox) == Succeeded(SUM)
    assert await deposit(sandbox, "tok_ok") == Succeeded(SUM)
    assert await fetch_value("SELECT calls FROM sandbox_charges") == 11


async def test_the_same_key_with_another_input_is_refused_and_changes_nothing(sandbox: Sandbox) -> None:
    await deposit(sandbox, "tok_ok")
    before = await fetch("SELECT amount_minor, currency, token, kind, outcome FROM sandbox_charges")
    with pytest.raises(KeyReused):
        await deposit(sandbox, "tok_ok", amount=Money(125_001, "USD"))
    with pytest.raises(KeyReused):
        await deposit(sandbox, "tok_ok", amount=Money(125_000, "EUR"))
    with pytest.raises(KeyReused):
        await deposit(sandbox, "tok_fail")
    with pytest.raises(KeyReused):
        await payout(sandbox, SUM)
    assert await fetch("SELECT amount_minor, currency, token, kind, outcome FROM sandbox_charges") == before


@pytest.mark.parametrize("move", [refund, payout])
async def test_refunds_and_payouts_succeed_unless_the_amount_says_otherwise(sandbox: Sandbox, move: Move) -> None:
    assert await move(sandbox, SUM) == Pending()
    assert await settled(sandbox) == Succeeded(SUM)


@pytest.mark.parametrize("move", [refund, payout])
async def test_an_amount_that_ends_in_4001_fails(sandbox: Sandbox, move: Move) -> None:
    await move(sandbox, Money(1_234_001, "USD"))
    assert await settled(sandbox) == Failed("declined")


async def test_a_failed_refund_may_be_tried_again_with_its_key_and_then_succeed(sandbox: Sandbox) -> None:
    once = Money(4005, "USD")
    await refund(sandbox, once)
    assert await settled(sandbox) == Failed("declined")
    assert await refund(sandbox, once) == Pending()
    assert await settled(sandbox) == Succeeded(once)
    assert await refund(sandbox, once) == Succeeded(once)


async def test_a_refund_that_always_fails_fails_again(sandbox: Sandbox) -> None:
    always = Money(4001, "USD")
    await refund(sandbox, always)
    await settled(sandbox)
    assert await refund(sandbox, always) == Pending()
    assert await settled(sandbox) == Failed("declined")


async def test_a_failed_payout_or_deposit_stays_failed_however_often_it_is_called(sandbox: Sandbox) -> None:
    once = Money(4005, "USD")
    await payout(sandbox, once)
    await settled(sandbox)
    assert await payout(sandbox, once) == Failed("declined")
    await deposit(sandbox, "tok_fail", key="pay_2")
    await settled(sandbox, "pay_2")
    assert await deposit(sandbox, "tok_fail", key="pay_2") == Failed("declined")


async def test_a_payout_may_succeed_after_it_was_said_to_have_failed(sandbox: Sandbox) -> None:
    changed = Money(4006, "USD")
    await payout(sandbox, changed)
    assert await settled(sandbox) == Failed("declined")
    assert await notices(sandbox, seconds=2.5) == [KEY, KEY]
    assert await sandbox.lookup(KEY) == Succeeded(changed)


async def test_notices_come_once_it_settled_as_often_as_the_token_says(sandbox: Sandbox) -> None:
    await deposit(sandbox, "tok_slow")
    assert await sandbox.notices() == []
    await deposit(sandbox, "tok_silent", key="pay_2")
    await deposit(sandbox, "tok_twice", key="pay_3")
    await deposit(sandbox, "tok_never", key="pay_4")
    assert sorted(await notices(sandbox, seconds=2.5)) == [KEY, "pay_3", "pay_3"]


async def test_two_who_ask_at_once_never_get_the_same_notice(sandbox: Sandbox) -> None:
    for n in range(20):
        await deposit(sandbox, "tok_ok", key=f"pay_{n}")
    await asyncio.sleep(0.1)
    heard = [key for keys in await asyncio.gather(*(sandbox.notices() for _ in range(4))) for key in keys]
    heard += await sandbox.notices()
    assert len(heard) == len(set(heard)) == 20


def test_every_behaviour_says_what_it_means() -> None:
    assert all(behaviour.meaning for behaviour in (*TOKENS.values(), *AMOUNTS.values()))
    assert all(len(digits) == 4 for digits in AMOUNTS)
