"""The port fits a provider of quite another shape: escrow objects, references refused with 409, news that is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from escrow.payments.calls import Step, key_of
from escrow.payments.provider import Provider
from escrow.payments.results import (
    Failed,
    Hint,
    NoticeRefused,
    Prepared,
    ProviderError,
    ReversalStage,
    Reversed,
    Succeeded,
    Unknown,
)
from tests.escrow.payments.stripe.asking import (
    charge_of,
    payout_after,
    refund_of,
    sought,
    take_back_of,
    transfer_to,
    usd,
)
from tests.stand_ins.vault.adapter import VaultProvider
from tests.stand_ins.vault.service import RELEASED, Vault


@pytest.fixture
def vault() -> Vault:
    """The other provider."""
    return Vault()


@pytest.fixture
def provider(vault: Vault) -> Provider:
    """Its adapter, seen through the port."""
    return VaultProvider(vault)


async def funded(provider: Provider, minor: int = 5_000) -> str:
    request = charge_of(usd(minor), "good")
    made = await provider.prepare(request)
    assert isinstance(made, Prepared)
    assert isinstance(await provider.confirm(made.provider_id, request), Succeeded)
    return made.provider_id


async def wallet(provider: Provider, vault: Vault) -> str:
    name = await provider.open_payee("acc_1", key="acc_1/open")
    vault.wallets[name]["known"] = True
    return name


async def test_an_escrow_is_paid_into_once_however_often_it_is_asked(provider: Provider, vault: Vault) -> None:
    request = charge_of(usd(5_000), "good")
    first, again = await provider.prepare(request), await provider.prepare(request)
    assert first == again
    assert isinstance(first, Prepared)
    assert vault.balance() == 0
    for _ in range(2):
        answer = await provider.confirm(first.provider_id, request)
        assert isinstance(answer, Succeeded)
        assert answer.amount == usd(5_000)
    assert [one["kind"] for one in vault.movements] == ["payment"]


async def test_a_token_that_is_no_good_fails_and_what_is_closed_takes_no_money(
    provider: Provider, vault: Vault
) -> None:
    bad, late = charge_of(usd(5_000), "bad"), charge_of(usd(5_000), "good")
    refused, closed = await provider.prepare(bad), await provider.prepare(late)
    assert isinstance(refused, Prepared)
    assert isinstance(closed, Prepared)
    assert isinstance(await provider.confirm(refused.provider_id, bad), Failed)
    assert isinstance(await provider.cancel(closed.provider_id, key="any"), Failed)
    assert isinstance(await provider.confirm(closed.provider_id, late), Failed)
    assert vault.movements == []


async def test_an_answer_that_was_lost_is_found_by_its_reference_and_a_repeated_one_moves_nothing(
    provider: Provider, vault: Vault
) -> None:
    charge_id = await funded(provider)
    request = refund_of(charge_id, usd(2_000))
    look = sought(request, Step.REFUND, charge_id=charge_id)
    assert await provider.look_up(look) == Unknown()
    vault.loses = 1
    with pytest.raises(ProviderError):
        await provider.refund(request)
    assert isinstance(await provider.look_up(look), Succeeded)
    assert isinstance(await provider.refund(request), Succeeded)
    assert vault.escrows[charge_id]["left"] == "30.00"


async def test_a_transfer_of_more_than_one_escrow_goes_on_where_it_was_cut_off(
    provider: Provider, vault: Vault
) -> None:
    charges = [await funded(provider) for _ in range(2)]
    request = transfer_to(await wallet(provider, vault), usd(8_000), *charges)
    vault.loses = 1
    with pytest.raises(ProviderError):
        await provider.transfer(request)
    assert await provider.look_up(sought(request, Step.TRANSFER)) == Unknown()
    for _ in range(2):
        assert isinstance(await provider.transfer(request), Succeeded)
    assert isinstance(await provider.look_up(sought(request, Step.TRANSFER)), Succeeded)
    assert vault.wallets[request.payee_id]["balance"] == "80.00"


async def test_a_payout_that_bounced_has_failed_and_its_transfer_comes_back(provider: Provider, vault: Vault) -> None:
    charge_id = await funded(provider)
    transfer = transfer_to(await wallet(provider, vault), usd(4_000), charge_id)
    moved = await provider.transfer(transfer)
    assert isinstance(moved, Succeeded)
    payout = payout_after(transfer, moved.provider_id)
    assert isinstance(await provider.payout(payout), Succeeded)
    vault.bounce(payout.key)
    assert Hint(order_id=payout.order_id) in await provider.notices()
    assert isinstance(await provider.look_up(sought(payout, Step.PAYOUT)), Failed)
    back = take_back_of(transfer, moved.provider_id)
    for _ in range(2):
        assert isinstance(await provider.take_back(back), Succeeded)
    assert isinstance(await provider.look_up(sought(back, Step.TAKE_BACK)), Succeeded)
    assert vault.escrows[charge_id]["left"] == "50.00"


async def test_another_attempt_is_another_reference(provider: Provider, vault: Vault) -> None:
    charge_id = await funded(provider)
    first = refund_of(charge_id, usd(6_000))
    assert isinstance(await provider.refund(first), Failed)
    second = replace(first, key=key_of(first.order_id, 2, Step.REFUND), amount=usd(1_000))
    assert isinstance(await provider.refund(second), Succeeded)
    any_of_them = replace(sought(first, Step.REFUND, charge_id=charge_id), of_any_attempt=True)
    assert await provider.look_up(any_of_them) == Succeeded(usd(1_000), second.key)
    assert await provider.look_up(replace(any_of_them, step=Step.TRANSFER)) == Unknown()


async def test_who_has_not_said_who_they_are_is_sent_nothing(provider: Provider) -> None:
    charge_id = await funded(provider)
    name = await provider.open_payee("acc_1", key="acc_1/open")
    assert await provider.open_payee("acc_1", key="another") == name
    state = await provider.payee(name)
    assert (state.can_be_paid, state.missing) == (False, ("identity",))
    assert isinstance(await provider.transfer(transfer_to(name, usd(100), charge_id)), Failed)


async def test_a_chargeback_is_open_then_won_or_lost(provider: Provider, vault: Vault) -> None:
    charge_id = await funded(provider)
    look = sought(charge_of(usd(5_000)), Step.CONFIRM, provider_id=charge_id)
    vault.charge_back(charge_id)
    found = await provider.look_up(look)
    assert isinstance(found, Reversed)
    assert found.reversal.stage is ReversalStage.OPEN
    vault.decide(charge_id, "won")
    found = await provider.look_up(look)
    assert isinstance(found, Reversed)
    assert (found.reversal.stage, found.reversal.amount) == (ReversalStage.WON, usd(5_000))
    assert [one.net.minor async for one in provider.movements(datetime.fromtimestamp(0, UTC))] == [4_975, -5_000, 5_000]


async def test_movements_add_up_to_the_balance_and_name_their_orders(provider: Provider, vault: Vault) -> None:
    charge_id = await funded(provider)
    refund = refund_of(charge_id, usd(1_000))
    transfer = transfer_to(await wallet(provider, vault), usd(2_000), charge_id)
    await provider.refund(refund)
    await provider.transfer(transfer)
    found = [one async for one in provider.movements(datetime.fromtimestamp(0, UTC))]
    assert [one.order_id for one in found][1:] == [refund.order_id, transfer.order_id]
    assert await provider.balance() == [usd(sum(one.net.minor for one in found))]


async def test_what_it_released_by_itself_came_and_leaves_by_no_attempt(provider: Provider, vault: Vault) -> None:
    assert provider.terms.hold_limit("USD") == timedelta(days=vault.release_after_days)
    emptied, charge_id = [await funded(provider) for _ in range(2)]
    refund = refund_of(emptied, usd(5_000))
    assert isinstance(await provider.refund(refund), Succeeded)
    before = await provider.balance()
    vault.advance(days=vault.release_after_days)
    assert [one["status"] for one in vault.escrows.values()] == ["funded", RELEASED]
    look = sought(charge_of(usd(5_000)), Step.CONFIRM, provider_id=charge_id)
    assert await provider.look_up(look) == Succeeded(usd(5_000), charge_id)
    assert await provider.refund(refund) == Succeeded(usd(5_000), refund.key), "what had left before stays so"
    answer = await provider.refund(refund_of(charge_id, usd(5_000)))
    assert isinstance(answer, Failed)
    assert not answer.again
    transfer = transfer_to(await wallet(provider, vault), usd(5_000), charge_id)
    assert isinstance(await provider.transfer(transfer), Failed)
    assert await provider.balance() == before, "it is the operator's as before"


async def test_it_sends_no_notices_so_whoever_does_is_a_stranger(provider: Provider) -> None:
    with pytest.raises(NoticeRefused):
        provider.notice(b"{}", {})
