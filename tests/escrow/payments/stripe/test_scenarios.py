"""The same scenarios against the stand-in and, if `STRIPE_TEST_KEY` is a key of a test account, against Stripe itself.

Nothing here looks behind the API. Without the key the second half is skipped, and said to be.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
import pytest_asyncio

from escrow.payments.calls import ChargeRequest, RefundRequest, Step, key_of
from escrow.payments.movements import MovementKind
from escrow.payments.results import Failed, NeedsAction, ReversalStage, Reversed, Succeeded, Unknown
from escrow.payments.stripe.adapter import Stripe
from escrow.states import ActionKind
from escrow.stripe_access import StripeAccess
from tests.escrow.payments.stripe.asking import VISA, prepared, sought, transfer_to, usd
from tests.patience import PATIENCE_SECONDS
from tests.stand_ins.stripe.serving import RETURN_URL, WEBHOOK_SECRET, Playing, playing

T = TypeVar("T")


def new_order() -> str:
    """One that no run has ever asked about: Stripe remembers keys for a day."""
    return f"pay_{secrets.token_hex(13)}"


@dataclass(slots=True)
class There:
    """Where the adapter talks to, and how time passes there."""

    stripe: Stripe
    stand_in: Playing | None
    began: datetime

    def charge(self, minor: int, token: str | None = VISA) -> ChargeRequest:
        """A charge of an order that no run has ever asked for."""
        order = new_order()
        key = key_of(order, 1, Step.CONFIRM)
        group = f"ctr_{secrets.token_hex(13)}"
        return ChargeRequest(key=key, order_id=order, group=group, amount=usd(minor), token=token, client_id="acc_1")

    async def until(self, look: Callable[[], Awaitable[object]], kind: type[T]) -> T:
        """Look until it is of a kind."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not isinstance(found := await look(), kind):
            assert time.monotonic() < deadline, found
            if self.stand_in is None:
                await asyncio.sleep(2)
            else:
                self.stand_in.pass_time(60)
        return found


def _access_of_stripe() -> StripeAccess:
    key = os.environ.get("STRIPE_TEST_KEY", "")
    if not key:
        pytest.skip("not run against Stripe itself: STRIPE_TEST_KEY is not set")
    assert "_test_" in key, "STRIPE_TEST_KEY is no key of test mode"
    return StripeAccess(key=key, webhook_secrets=(WEBHOOK_SECRET,), return_url=RETURN_URL)


@pytest_asyncio.fixture(loop_scope="session", params=["the stand-in", "Stripe's test mode"])
async def there(request: pytest.FixtureRequest) -> AsyncIterator[There]:
    """The adapter before the stand-in, then before Stripe."""
    if request.param == "the stand-in":
        async with playing() as stand_in:
            began = datetime.fromtimestamp(stand_in.books.clock.now(), UTC)
            stripe = Stripe(stand_in.access())
            yield There(stripe, stand_in, began)
            await stripe.close()
            assert stand_in.violations == []
    else:
        stripe = Stripe(_access_of_stripe())
        yield There(stripe, None, datetime.now(UTC) - timedelta(minutes=1))
        await stripe.close()


async def test_a_card_is_charged_once_and_refunded_in_part(there: There) -> None:
    request = there.charge(5_000)
    charge_id = await prepared(there.stripe, request)
    first, second = [await there.stripe.confirm(charge_id, request) for _ in range(2)]
    assert isinstance(first, Succeeded)
    assert isinstance(second, Succeeded)
    assert first.amount == second.amount == usd(5_000)

    order = new_order()
    refund = RefundRequest(
        key=key_of(order, 1, Step.REFUND), order_id=order, group=request.group, amount=usd(2_000), charge_id=charge_id
    )
    assert await there.stripe.look_up(sought(refund, Step.REFUND, charge_id=charge_id)) == Unknown()
    await there.stripe.refund(refund)
    found = await there.until(lambda: there.stripe.look_up(sought(refund, Step.REFUND, charge_id=charge_id)), Succeeded)
    assert found.amount == usd(2_000)


async def test_a_declined_card_fails_for_good(there: There) -> None:
    request = there.charge(5_000, "pm_card_visa_chargeDeclined")
    charge_id = await prepared(there.stripe, request)
    assert isinstance(await there.stripe.confirm(charge_id, request), Failed)
    assert isinstance(await there.stripe.look_up(sought(request, Step.CONFIRM, provider_id=charge_id)), Failed)


async def test_three_d_secure_asks_the_payer_who_may_be_too_late(there: There) -> None:
    request = there.charge(5_000, "pm_card_authenticationRequired")
    charge_id = await prepared(there.stripe, request)
    asked = await there.stripe.confirm(charge_id, request)
    assert isinstance(asked, NeedsAction)
    assert asked.action.kind is ActionKind.REDIRECT
    assert asked.action.url
    assert isinstance(await there.stripe.cancel(charge_id, key=key_of(request.order_id, 1, Step.CANCEL)), Failed)


async def test_a_payer_may_give_the_means_of_payment_to_stripe(there: There) -> None:
    request = there.charge(5_000, None)
    charge_id = await prepared(there.stripe, request)
    asked = await there.stripe.confirm(charge_id, request)
    assert isinstance(asked, NeedsAction)
    assert asked.action.kind is ActionKind.CONFIRM
    assert asked.action.client_secret


async def test_a_charge_is_a_movement_that_names_its_order(there: There) -> None:
    request = there.charge(5_000, "pm_card_bypassPending")
    await there.stripe.confirm(await prepared(there.stripe, request), request)

    async def mine() -> object:
        found = [one async for one in there.stripe.movements(there.began)]
        return next((one.net for one in found if one.order_id == request.order_id), None)

    net = await there.until(mine, type(usd(1)))
    assert 0 < net.minor < 5_000
    kinds = {one.kind async for one in there.stripe.movements(there.began) if one.order_id == request.order_id}
    assert kinds == {MovementKind.CHARGE}


async def test_a_disputed_charge_is_reversed(there: There) -> None:
    request = there.charge(5_000, "pm_card_createDispute")
    charge_id = await prepared(there.stripe, request)
    await there.stripe.confirm(charge_id, request)
    look = sought(request, Step.CONFIRM, provider_id=charge_id)
    found = await there.until(lambda: there.stripe.look_up(look), Reversed)
    assert found.reversal.stage is ReversalStage.OPEN
    assert found.reversal.amount == usd(5_000)


async def test_a_payee_who_told_nothing_is_sent_to_stripes_pages_and_paid_nothing(there: There) -> None:
    account_id = f"acc_{secrets.token_hex(13)}"
    name = await there.stripe.open_payee(account_id, key=f"{account_id}/open")
    state = await there.stripe.payee(name)
    assert not state.can_be_paid
    assert state.missing
    assert (await there.stripe.onboarding_link(name, return_url=None)).url.startswith("http")
    order = new_order()
    transfer = replace(transfer_to(name, usd(100)), key=key_of(order, 1, Step.TRANSFER), order_id=order)
    assert isinstance(await there.stripe.transfer(transfer), Failed)
