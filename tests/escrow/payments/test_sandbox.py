"""The sandbox provider on a real database: it settles later, misbehaves as told, and moves nothing twice for one key.

Its times are long here, and pass when a test says so.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from escrow import ids
from escrow.database import fetch, fetch_value
from escrow.ids import Kind
from escrow.money import Money
from escrow.payments.calls import (
    ChargeRequest,
    PayoutRequest,
    RefundRequest,
    Sought,
    Step,
    TakeBackRequest,
    TransferRequest,
)
from escrow.payments.movements import MovementKind
from escrow.payments.results import (
    Answer,
    Failed,
    Found,
    Hint,
    NeedsAction,
    NoticeMalformed,
    NotYet,
    Pending,
    Prepared,
    ProviderError,
    ReversalStage,
    Reversed,
    StoredFault,
    Succeeded,
    Unknown,
)
from escrow.payments.sandbox import KeyReused, Sandbox
from escrow.payments.sandbox_behaviours import AMOUNTS, TOKENS, Pace, Result
from escrow.states import ActionKind

KEY = "pay_1"
SUM = Money(125_000, "USD")

SETTLE, ACT, CHANGE, SLOW = 100.0, 300.0, 1_000.0, 10_000.0
"""Seconds from the call to the result, to what a payer has to do, between two results, and to a slow result."""

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

Answered = Answer | Found

Move = Callable[[Sandbox, Money], Awaitable[Answered]]

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setattr("escrow.payments.sandbox.CHANGE_OF_MIND_SECONDS", CHANGE)
    monkeypatch.setattr("escrow.payments.sandbox_books._CHANGE", timedelta(seconds=CHANGE))
    return Sandbox(settle_seconds=SETTLE, slow_seconds=SLOW, act_seconds=ACT)


async def later(seconds: float) -> None:
    """So much time passes for all that was called so far."""
    await fetch(
        """
        UPDATE sandbox_charges SET settles_at = settles_at - span, acts_at = acts_at - span, action_until = action_until - span,
            notices = ARRAY(SELECT at - span FROM unnest(notices) AS at ORDER BY at)
        FROM (SELECT $1::float8 * interval '1 second' AS span) AS given
        """,
        seconds,
    )


def asked(key: str, amount: Money) -> dict[str, Any]:
    """What every call says: here the order is called like the key."""
    return {"key": key, "order_id": key, "group": "ctr_1", "amount": amount}


async def deposit(sandbox: Sandbox, token: str | None, *, key: str = KEY, amount: Money = SUM) -> Answered:
    """Prepares a charge, unless the key has done so, and confirms it."""
    request = ChargeRequest(**asked(key, amount), token=token, client_id="acc_1")
    prepared = await sandbox.prepare(request)
    assert isinstance(prepared, Prepared)
    return bare(await sandbox.confirm(prepared.provider_id, request))


async def refund(sandbox: Sandbox, amount: Money, *, key: str = KEY) -> Answered:
    return bare(await sandbox.refund(RefundRequest(**asked(key, amount), charge_id="sbx_0")))


async def payout(sandbox: Sandbox, amount: Money, *, key: str = KEY) -> Answered:
    return bare(await sandbox.payout(PayoutRequest(**asked(key, amount), payee_id="acc_1", transfer_id="sbx_0")))


async def look(sandbox: Sandbox, key: str = KEY, *, order_id: str | None = None) -> Answered:
    """What a look-up by the key finds, whatever the call was."""
    kind = await fetch_value("SELECT kind FROM sandbox_charges WHERE key = $1", key)
    step = {"REFUND": Step.REFUND, "PAYOUT": Step.PAYOUT}.get(kind, Step.CONFIRM)
    return bare(await sandbox.look_up(Sought(step=step, **(asked(key, SUM) | {"order_id": order_id or key}))))


def bare(found: Answered) -> Answered:
    """Without the provider's identifiers, which are chance."""
    return replace(found, provider_id="") if isinstance(found, Pending | Succeeded | Failed) else found


async def settled(sandbox: Sandbox, key: str = KEY, *, order_id: str | None = None) -> Answered:
    """What a look-up finds once it has had the time to settle."""
    found = await look(sandbox, key, order_id=order_id)
    for seconds in (SETTLE, SLOW):
        if isinstance(found, Pending):
            await later(seconds)
            found = await look(sandbox, key, order_id=order_id)
    assert not isinstance(found, Pending)
    return found


async def told(sandbox: Sandbox) -> list[str]:
    """All notices that have come by now."""
    heard: list[str] = []
    while hints := await sandbox.notices():
        heard += [hint.order_id or "" for hint in hints]
    return heard


async def test_a_key_that_was_never_used_is_unknown(sandbox: Sandbox) -> None:
    assert await look(sandbox) == Unknown()


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
async def test_a_token_chooses_what_a_deposit_comes_to(sandbox: Sandbox, token: str, result: Answered) -> None:
    assert await deposit(sandbox, token) == Pending()
    assert await settled(sandbox) == result


async def test_a_deposit_that_is_taken_back_has_succeeded_first(sandbox: Sandbox) -> None:
    await deposit(sandbox, "tok_reverse")
    assert await settled(sandbox) == Succeeded(SUM)
    assert await told(sandbox) == [KEY]
    await later(CHANGE)
    found = await look(sandbox)
    assert isinstance(found, Reversed)
    assert (found.charge.amount, found.reversal.amount, found.reversal.stage) == (SUM, SUM, ReversalStage.OPEN)
    assert await told(sandbox) == [KEY]
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


async def test_what_is_slow_or_never_answered_is_pending(sandbox: Sandbox) -> None:
    await deposit(sandbox, "tok_slow")
    await deposit(sandbox, "tok_never", key="pay_2")
    await deposit(sandbox, "tok_ok", key="pay_3")
    assert await settled(sandbox, "pay_3") == Succeeded(SUM)
    assert await look(sandbox) == Pending()
    await later(SLOW)
    assert await look(sandbox) == Succeeded(SUM)
    assert await look(sandbox, "pay_2") == Pending()


async def test_a_lost_answer_left_a_charge_and_a_lost_call_left_none(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderError):
        await deposit(sandbox, "tok_timeout")
    assert await settled(sandbox) == Succeeded(SUM)
    with pytest.raises(ProviderError):
        await deposit(sandbox, "tok_outage", key="pay_2")
    await later(SETTLE)
    assert isinstance(await look(sandbox, "pay_2"), Prepared)
    assert await deposit(sandbox, "tok_outage", key="pay_2") == Pending()
    assert await settled(sandbox, "pay_2") == Succeeded(SUM)


async def test_the_same_key_again_is_the_same_charge_also_ten_times_at_once(sandbox: Sandbox) -> None:
    await asyncio.gather(*(deposit(sandbox, "tok_ok") for _ in range(10)))
    assert await settled(sandbox) == Succeeded(SUM)
    assert await deposit(sandbox, "tok_ok") == Succeeded(SUM)
    assert await fetch_value("SELECT calls FROM sandbox_charges") == 11
    assert len([one async for one in sandbox.movements(LONG_AGO)]) == 1


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


async def test_a_refund_that_fails_once_fails_again_with_its_key_and_succeeds_with_another(sandbox: Sandbox) -> None:
    once = Money(4005, "USD")
    request = RefundRequest(key="pay_1/1", order_id="pay_1", group="ctr_1", amount=once, charge_id="sbx_0")
    await sandbox.refund(request)
    assert await settled(sandbox, "pay_1/1", order_id="pay_1") == Failed("declined")
    assert bare(await sandbox.refund(request)) == Failed("declined")
    assert bare(await sandbox.refund(replace(request, key="pay_1/2"))) == Pending()
    assert await settled(sandbox, "pay_1/2", order_id="pay_1") == Succeeded(once)


async def test_a_refund_that_always_fails_fails_with_every_key(sandbox: Sandbox) -> None:
    for key in ("pay_1", "pay_2"):
        await refund(sandbox, Money(4001, "USD"), key=key)
        assert await settled(sandbox, key) == Failed("declined")


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
    await later(CHANGE)
    assert await told(sandbox) == [KEY, KEY]
    assert await look(sandbox) == Succeeded(changed)


async def test_notices_come_once_it_settled_as_often_as_the_token_says(sandbox: Sandbox) -> None:
    await deposit(sandbox, "tok_slow")
    await later(SETTLE)
    assert await told(sandbox) == []
    await deposit(sandbox, "tok_silent", key="pay_2")
    await deposit(sandbox, "tok_twice", key="pay_3")
    await deposit(sandbox, "tok_never", key="pay_4")
    await later(SLOW)
    assert sorted(await told(sandbox)) == [KEY, "pay_3", "pay_3"]


async def test_two_who_ask_at_once_never_get_the_same_notice(sandbox: Sandbox) -> None:
    for n in range(20):
        await deposit(sandbox, "tok_ok", key=f"pay_{n}")
    await later(SETTLE)
    heard = [hint for hints in await asyncio.gather(*(sandbox.notices() for _ in range(4))) for hint in hints]
    heard += await sandbox.notices()
    assert len(heard) == len(set(heard)) == 20


def test_every_behaviour_says_what_it_means() -> None:
    assert all(behaviour.meaning for behaviour in (*TOKENS.values(), *AMOUNTS.values()))
    assert all(len(digits) == 4 for digits in AMOUNTS)


# -- what real providers do ---------------------------------------------------------------------------------------


async def test_a_prepared_charge_takes_nothing_until_it_is_confirmed_and_nothing_once_it_is_cancelled(
    sandbox: Sandbox,
) -> None:
    request = ChargeRequest(**asked(KEY, SUM), token=None, client_id="acc_1")
    prepared = await sandbox.prepare(request)
    assert await sandbox.prepare(request) == prepared, "the same key is the same charge"
    assert isinstance(prepared, Prepared)
    await later(SETTLE)
    assert await look(sandbox) == prepared
    assert [one async for one in sandbox.movements(LONG_AGO)] == []
    assert bare(await sandbox.cancel(prepared.provider_id, key="x")) == Failed("cancelled")
    assert bare(await sandbox.confirm(prepared.provider_id, request)) == Failed("cancelled")
    assert await sandbox.balance() == []


async def test_what_succeeded_is_not_cancelled(sandbox: Sandbox) -> None:
    await deposit(sandbox, "tok_ok")
    await settled(sandbox)
    provider_id = await fetch_value("SELECT id FROM sandbox_charges")
    assert bare(await sandbox.cancel(provider_id, key="x")) == Succeeded(SUM)


@pytest.mark.parametrize(
    ("token", "kind", "shown"),
    [
        ("tok_action", ActionKind.REDIRECT, "url"),
        ("tok_action_confirm", ActionKind.CONFIRM, "client_secret"),
        ("tok_action_bank", ActionKind.BANK_TRANSFER, "reference"),
    ],
)
async def test_a_payer_who_has_to_act_is_told_with_what_until_when_and_then_the_charge_succeeds(
    sandbox: Sandbox, token: str, kind: ActionKind, shown: str
) -> None:
    answer = await deposit(sandbox, token)
    assert isinstance(answer, NeedsAction)
    assert answer.action.kind is kind
    assert getattr(answer.action, shown)
    assert answer.action.until is not None
    assert "secret" not in repr(answer)
    await later(ACT)
    assert await settled(sandbox) == Succeeded(SUM)


async def test_a_payer_may_decline_or_do_nothing(sandbox: Sandbox) -> None:
    assert isinstance(await deposit(sandbox, "tok_action_abandoned"), NeedsAction)
    assert isinstance(await deposit(sandbox, "tok_action_expires", key="pay_2"), NeedsAction)
    await later(ACT)
    assert await settled(sandbox) == Failed("declined")
    assert isinstance(await look(sandbox, "pay_2"), NeedsAction)
    await later(SLOW)
    assert await look(sandbox, "pay_2") == Failed("the payer did nothing in time")


@pytest.mark.parametrize(("end", "stage"), [("won", "WON"), ("lost", "LOST"), ("withdrawn", "WITHDRAWN")])
async def test_a_reversal_ends_as_the_token_says(sandbox: Sandbox, end: str, stage: str) -> None:
    await deposit(sandbox, f"tok_reverse_{end}")
    await settled(sandbox)
    for expected, balance in (("OPEN", 0), (stage, 0 if stage == "LOST" else SUM.minor)):
        await later(CHANGE)
        found = await look(sandbox)
        assert isinstance(found, Reversed)
        assert found.reversal.stage.value == expected
        assert found.reversal.evidence_until is not None
        assert await sandbox.balance() == [Money(balance, "USD")]


async def test_a_key_is_forgotten_after_a_day_and_then_moves_money_again(sandbox: Sandbox) -> None:
    await refund(sandbox, SUM)
    await fetch("UPDATE sandbox_charges SET created_at = created_at - interval '23 hours'")
    await refund(sandbox, SUM)
    assert await fetch_value("SELECT count(*) FROM sandbox_charges") == 1
    await fetch("UPDATE sandbox_charges SET created_at = created_at - interval '1 hour'")
    await refund(sandbox, SUM)
    assert await fetch_value("SELECT count(*) FROM sandbox_charges") == 2
    await later(SETTLE)
    assert await sandbox.balance() == [Money(-2 * SUM.minor, "USD")]


async def test_a_fault_is_stored_under_its_key_and_not_under_another(sandbox: Sandbox) -> None:
    request = RefundRequest(
        key="pay_1/1", order_id="pay_1", group="ctr_1", amount=Money(4008, "USD"), charge_id="sbx_0"
    )
    for _ in range(3):
        with pytest.raises(StoredFault):
            await sandbox.refund(request)
        assert await look(sandbox, "pay_1/1", order_id="pay_1") == Unknown()
    assert bare(await sandbox.refund(replace(request, key="pay_1/2"))) == Pending()
    assert await settled(sandbox, "pay_1/2", order_id="pay_1") == Succeeded(Money(4008, "USD"))


async def test_a_transfer_that_is_not_possible_yet_is_with_another_key(sandbox: Sandbox) -> None:
    amount = Money(4010, "USD")
    request = TransferRequest(key="pay_1/1", order_id="pay_1", group="ctr_1", amount=amount, payee_id="acc_1")
    assert isinstance(await sandbox.transfer(request), NotYet)
    sought = Sought(step=Step.TRANSFER, **asked("pay_1/1", amount) | {"order_id": "pay_1"})
    assert await sandbox.look_up(sought) == Unknown()
    assert bare(await sandbox.transfer(replace(request, key="pay_1/2"))) == Succeeded(amount)
    assert await sandbox.look_up(sought) == Unknown()
    assert bare(await sandbox.look_up(replace(sought, of_any_attempt=True))) == Succeeded(amount)


async def test_a_payout_may_come_back_after_it_was_paid(sandbox: Sandbox) -> None:
    await payout(sandbox, Money(4009, "USD"))
    assert await settled(sandbox) == Succeeded(Money(4009, "USD"))
    await later(CHANGE)
    assert await look(sandbox) == Failed("it was sent back")


async def test_the_books_tell_each_movement_once_and_add_up_to_the_balance(sandbox: Sandbox) -> None:
    await deposit(sandbox, "tok_ok", key="pay_1")
    await settled(sandbox, "pay_1")
    transfer = TransferRequest(**asked("pay_2", Money(4_000, "USD")), payee_id="acc_1")
    brought = await sandbox.transfer(transfer)
    assert isinstance(brought, Succeeded)
    await sandbox.take_back(
        TakeBackRequest(**asked("pay_2/back", Money(4_000, "USD")), payee_id="acc_1", transfer_id=brought.provider_id)
    )
    await refund(sandbox, Money(10_000, "USD"), key="pay_3")
    await settled(sandbox, "pay_3")
    told = [(one.kind, one.net.minor, one.order_id) async for one in sandbox.movements(LONG_AGO)]
    assert told == [
        (MovementKind.CHARGE, SUM.minor, "pay_1"),
        (MovementKind.TRANSFER, -4_000, "pay_2"),
        (MovementKind.TRANSFER_RETURNED, 4_000, "pay_2/back"),
        (MovementKind.REFUND, -10_000, "pay_3"),
    ]
    assert await sandbox.balance() == [Money(SUM.minor - 10_000, "USD")]
    assert [one async for one in sandbox.movements(await fetch_value("SELECT now()"))] == []


def test_a_notice_names_an_order_and_anything_else_is_refused(sandbox: Sandbox) -> None:
    order_id = ids.new(Kind.ORDER)
    assert sandbox.notice(f'{{"orderId": "{order_id}"}}'.encode(), {}) == [Hint(order_id=order_id)]
    for body in (b"", b"[]", b"{}", b"no", b'{"orderId": 1}', b'{"orderId": "pay_\\u0000"}'):
        with pytest.raises(NoticeMalformed):
            sandbox.notice(body, {})
