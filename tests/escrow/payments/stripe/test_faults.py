"""What goes wrong on the way to Stripe: lost and late answers, stored errors, forgotten keys, and nothing told to the log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from escrow.payments import flow, reconciliation
from escrow.payments import payees as payees_of_ours
from escrow.payments.calls import CALL_SECONDS_MAX, Step
from escrow.payments.leases import LEASE_SECONDS
from escrow.payments.movements import MovementKind
from escrow.payments.results import Failed, Prepared, ProviderError, StoredFault, Succeeded, Unknown
from escrow.payments.stripe import client
from escrow.payments.stripe.adapter import Stripe
from escrow.payments.stripe.client import Client, KeyRefused, NotAllowed
from escrow.stripe_access import StripeAccess
from tests.escrow.payments.stripe.asking import charge_of, order_id, prepared, refund_of, sought, transfer_to, usd
from tests.stand_ins.stripe import payees, payments, reversals
from tests.stand_ins.stripe.hostility import Fault, Hostility
from tests.stand_ins.stripe.serving import KEY, WEBHOOK_SECRET, Playing, playing

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def wronged() -> AsyncIterator[tuple[Playing, Stripe]]:
    """A stand-in whose hostility changes in the test, and the adapter."""
    async with playing() as stand_in:
        stripe = Stripe(stand_in.access())
        yield stand_in, stripe
        await stripe.close()
        assert stand_in.violations == []


@dataclass(frozen=True, slots=True, kw_only=True)
class EachTimeTheFirstIsLost(Hostility):
    """Of each question the first, the third, and so on never arrive."""

    def fault(self, name: str, count: int, *, writes: bool) -> Fault | None:
        return Fault.LOST_REQUEST if count % 2 else None


LOST = (Hostility(lost_answers=1), Hostility(late_answers=1, late_seconds=0.05))
NEVER_CAME = Hostility(lost_requests=1)


@pytest.mark.parametrize("hostility", LOST)
async def test_a_lost_answer_is_no_answer_and_what_was_done_is_found(hostility: Hostility) -> None:
    async with wronged() as (stand_in, stripe):
        request = charge_of(usd(5_000))
        charge_id = await prepared(stripe, request)
        stand_in.books.hostility = hostility
        with pytest.raises(ProviderError):
            await stripe.confirm(charge_id, request)
        stand_in.books.hostility = Hostility()
        assert isinstance(await stripe.look_up(sought(request, Step.CONFIRM, provider_id=charge_id)), Succeeded)

        refund = refund_of(charge_id, usd(1_000))
        stand_in.books.hostility = hostility
        with pytest.raises(ProviderError):
            await stripe.refund(refund)
        stand_in.books.hostility = Hostility()
        assert isinstance(await stripe.look_up(sought(refund, Step.REFUND, charge_id=charge_id)), Succeeded)
        assert len(stand_in.books.of("refund")) == 1


async def test_a_request_that_never_came_is_unknown_and_made_again_with_its_key() -> None:
    async with wronged() as (stand_in, stripe):
        request = charge_of(usd(5_000))
        charge_id = await prepared(stripe, request)
        stand_in.books.hostility = NEVER_CAME
        with pytest.raises(ProviderError):
            await stripe.confirm(charge_id, request)
        stand_in.books.hostility = Hostility()
        assert await stripe.look_up(sought(request, Step.CONFIRM, provider_id=charge_id)) == Prepared(charge_id)
        assert isinstance(await stripe.confirm(charge_id, request), Succeeded)


async def test_a_transfer_whose_answer_was_lost_is_found_by_its_group_and_key() -> None:
    async with wronged() as (stand_in, stripe):
        charge = charge_of(usd(5_000))
        charge_id = await prepared(stripe, charge)
        await stripe.confirm(charge_id, charge)
        name = await stripe.open_payee("acc_1", key=order_id())
        payees.told(stand_in.books, name)
        request = transfer_to(name, usd(4_000), charge_id)
        stand_in.books.hostility = Hostility(lost_answers=1)
        with pytest.raises(ProviderError):
            await stripe.transfer(request)
        stand_in.books.hostility = Hostility()
        assert isinstance(await stripe.look_up(sought(request, Step.TRANSFER)), Succeeded)
        assert stand_in.books.balance(name, "usd") == (0, 4_000)


async def test_a_stored_error_is_told_from_one_that_may_pass_when_it_is_repeated() -> None:
    async with wronged() as (stand_in, stripe):
        charge = charge_of(usd(5_000))
        charge_id = await prepared(stripe, charge)
        await stripe.confirm(charge_id, charge)
        request = refund_of(charge_id, usd(1_000))
        # Chance decides which half of stored errors it is: done or not done; the look-up tells.
        stand_in.books.hostility = Hostility(stored_errors=1)
        with pytest.raises(ProviderError) as first:
            await stripe.refund(request)
        stand_in.books.hostility = Hostility()
        with pytest.raises(StoredFault):
            await stripe.refund(request)
        assert not isinstance(first.value, StoredFault)
        found = await stripe.look_up(sought(request, Step.REFUND, charge_id=charge_id))
        made = bool(stand_in.books.of("refund"))
        assert isinstance(found, Succeeded) if made else found == Unknown()


@pytest.mark.parametrize("hostility", [Hostility(conflicts=1), Hostility(too_many=1)])
async def test_a_conflict_and_too_many_requests_are_no_answers(hostility: Hostility) -> None:
    async with wronged() as (stand_in, stripe):
        stand_in.books.hostility = hostility
        with pytest.raises(ProviderError):
            await stripe.prepare(charge_of(usd(5_000)))


async def test_a_key_that_stripe_does_not_know_is_our_mistake_and_fails_no_order() -> None:
    async with playing() as stand_in:
        access = stand_in.access()
        stripe = Stripe(
            StripeAccess(
                key="rk_test_another",
                webhook_secrets=access.webhook_secrets,
                return_url=access.return_url,
                base_url=access.base_url,
            )
        )
        with pytest.raises(ProviderError, match="401"):
            await stripe.prepare(charge_of(usd(5_000)))
        began = len(stand_in.stand_in.seen)
        with pytest.raises(KeyRefused, match="401"):
            await stripe.balance()
        assert len(stand_in.stand_in.seen) - began == 1, "whoever looks what is wrong with a key is told at once"
        await stripe.close()


async def test_the_books_are_read_to_their_end_where_any_answer_may_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "READ_AGAIN_SECONDS", (0.0, 0.0, 0.0))
    pages = 3
    async with wronged() as (stand_in, stripe):
        books = stand_in.books
        for _ in range(pages * client.PAGE - 1):
            made = payments.create_intent(books, {"amount": 5_000, "currency": "usd", "metadata": {}})
            payments.confirm_intent(books, made["id"], {"payment_method": "pm_card_visa"})
        reversals.open_dispute(books, next(iter(books.of("charge"))))
        books.hostility = EachTimeTheFirstIsLost()
        began = len(stand_in.stand_in.seen)
        found = [one async for one in stripe.movements(LONG_AGO)]
        assert len(found) == pages * client.PAGE
        assert found[-1].kind is MovementKind.REVERSAL
        assert len(stand_in.stand_in.seen) - began == 2 * (pages + 1), (
            "pages, and what was disputed, each asked for twice"
        )


async def test_a_reading_that_gets_no_answer_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "READ_AGAIN_SECONDS", (0.0, 0.0))
    async with wronged() as (stand_in, stripe):
        stand_in.books.hostility = NEVER_CAME
        began = len(stand_in.stand_in.seen)
        with pytest.raises(ProviderError):
            _ = [one async for one in stripe.movements(LONG_AGO)]
        assert len(stand_in.stand_in.seen) - began == 3


async def test_one_lost_answer_to_each_question_costs_no_comparison_of_the_books(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "READ_AGAIN_SECONDS", (0.0,))
    async with wronged() as (stand_in, stripe):
        stand_in.books.hostility = EachTimeTheFirstIsLost()
        await reconciliation.reconcile(stripe)
    assert (await reconciliation.standing()).age_seconds is not None


async def test_a_permission_that_is_missing_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def refused(self: Client, call: Awaitable[object]) -> dict[str, Any]:
        asked.append(await call)
        raise NotAllowed("Stripe answered 403")

    monkeypatch.setattr(Client, "asked", refused)
    async with wronged() as (_, stripe):
        with pytest.raises(NotAllowed):
            _ = [one async for one in stripe.movements(LONG_AGO)]
    assert len(asked) == 1


async def test_nobody_there_is_no_answer() -> None:
    stripe = Stripe(
        StripeAccess(
            key=KEY, webhook_secrets=("whsec_x",), return_url="https://a.example", base_url="http://127.0.0.1:9"
        )
    )
    with pytest.raises(ProviderError):
        await stripe.prepare(charge_of(usd(5_000)))
    await stripe.close()


async def test_no_log_at_any_level_tells_a_key_a_secret_or_a_means_of_payment(
    stripe: Stripe, stand_in: Playing, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        good, bad = charge_of(usd(5_000), "pm_card_visa"), charge_of(usd(5_000), "pm_card_chargeDeclined")
        await stripe.confirm(await prepared(stripe, good), good)
        assert isinstance(await stripe.confirm(await prepared(stripe, bad), bad), Failed)
        payer = charge_of(usd(5_000), None)
        await stripe.confirm(await prepared(stripe, payer), payer)
    said = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    secrets = [one["client_secret"] for one in stand_in.books.of("payment_intent").values()]
    for secret in (KEY, WEBHOOK_SECRET, "pm_card_visa", "pm_card_chargeDeclined", *secrets):
        assert secret not in said
    assert KEY not in repr(stand_in.access())
    assert WEBHOOK_SECRET not in repr(stand_in.access())
    assert "pm_card_visa" not in repr(good)


async def test_the_library_is_told_not_to_try_again() -> None:
    client = Client(StripeAccess(key=KEY, webhook_secrets=("whsec_x",), return_url="https://a.example"))
    assert client.v1._requestor._options.max_network_retries == 0
    await client.close()


async def test_what_another_provider_made_is_unknown_to_stripe_and_its_charge_is_refunded_by_no_attempt(
    stripe: Stripe, stand_in: Playing
) -> None:
    refund, transfer = refund_of("sbx_of_another", usd(1_000)), transfer_to("acct_of_another", usd(1_000))
    assert await stripe.look_up(sought(refund, Step.REFUND, provider_id="sbx_1")) == Unknown()
    assert await stripe.look_up(sought(transfer, Step.TRANSFER, provider_id="sbx_2")) == Unknown()
    answer = await stripe.refund(refund)
    assert isinstance(answer, Failed)
    assert not answer.again


async def test_one_number_says_how_long_a_call_may_take() -> None:
    client = Client(StripeAccess(key=KEY, webhook_secrets=("whsec_x",), return_url="https://a.example"))
    assert client._http._timeout == aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
    assert {vars(module)["CALL_SECONDS_MAX"] for module in (flow, payees_of_ours)} == {CALL_SECONDS_MAX}
    assert LEASE_SECONDS >= 2 * CALL_SECONDS_MAX, "a look-up and a call, both as slow as they may be"
    await client.close()
