"""What tests of lost orders do by hand at the provider, and turns of a worker without its patience."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from escrow import cuts, ids, log
from escrow.accounts.commands import ConnectPayee
from escrow.database import execute, fetch_value
from escrow.ids import Kind
from escrow.money import Money
from escrow.payments import lost, orders, payees
from escrow.payments.calls import ChargeRequest, PayoutRequest, Sought, Step, TransferRequest, key_of
from escrow.payments.results import Found, Prepared, ProviderError, Succeeded
from escrow.payments.stripe.adapter import Stripe
from escrow.pipeline import run
from escrow.stripe_access import StripeAccess
from tests.escrow.payments.stage import Deal, order, strike
from tests.stand_ins.stripe import payees as told_stripe
from tests.stand_ins.stripe.serving import Playing

CARD: Final = "pm_card_bypassPending"
"""Its money can go on at once."""
SUM: Final = Money(100_00, "USD")
LOOKS_MAX: Final = 50


class Faltering(Stripe):
    """Answers only the second time that it is asked for a key, and whoever asks goes on later."""

    def __init__(self, access: StripeAccess) -> None:
        super().__init__(access)
        self.asked: set[str] = set()

    async def look_up(self, sought: Sought) -> Found:
        if sought.key not in self.asked:
            self.asked.add(sought.key)
            raise ProviderError("Stripe answered 429")
        return await super().look_up(sought)


async def work(stripe: Stripe, stand_in: Playing, *, until: str, order_id: str) -> None:
    """Turns of a worker, without its patience, until the order is in that state."""
    for _ in range(LOOKS_MAX):
        stand_in.pass_time(120)
        await execute("UPDATE log_cuts SET books_due_at = now()")
        assert await lost.read_books(stripe)
        await turn(stripe)
        if (await order(order_id))["state"] == until:
            return
    raise AssertionError(dict(await order(order_id)))


async def turn(stripe: Stripe) -> None:
    await execute("UPDATE payment_orders SET due_at = now() WHERE due_at IS NOT NULL AND lease_token IS NULL")
    for claimed in await orders.claim(10, provider="stripe", payees_of="stripe"):
        assert await orders.attend(claimed, stripe)


async def cut() -> None:
    """As if the database had been brought back to now, after all that tests do by hand at the provider."""
    while await log.sequence():
        pass
    assert await cuts.notice(declared=True) is not None


async def onboard(deal: Deal, stripe: Stripe, stand_in: Playing) -> str:
    freelancer = deal.contract.freelancer
    await run(ConnectPayee(account_id=str(freelancer.account_id), provider="stripe"), by=freelancer)
    await payees.look(stripe, limit=1)
    name = str(await fetch_value("SELECT payee_id FROM payees"))
    told_stripe.told(stand_in.books, name)
    await execute("UPDATE payees SET due_at = now()")
    await payees.look(stripe, limit=1)
    return name


def strange() -> str:
    """An order of which no book knows."""
    return ids.new(Kind.ORDER)


async def charged(stripe: Stripe, deal: Deal, order_id: str, amount: Money = SUM) -> str:
    """What was done for an order that is lost: the client was charged. Gives the provider's name for it."""
    request = ChargeRequest(
        key=key_of(order_id, 1, Step.PREPARE),
        order_id=order_id,
        group=deal.id,
        amount=amount,
        token=CARD,
        client_id=str(deal.client_id),
    )
    prepared = await stripe.prepare(request)
    assert isinstance(prepared, Prepared)
    assert isinstance(
        await stripe.confirm(prepared.provider_id, replace(request, key=key_of(order_id, 1, Step.CONFIRM))), Succeeded
    )
    return prepared.provider_id


async def brought(stripe: Stripe, deal: Deal, order_id: str, payee: str, *, attempt: int = 1) -> str:
    """The same for a payout that came as far as the payee's balance; gives the transfer's name."""
    sql = "SELECT provider_id FROM provider_calls WHERE step = 'PREPARE' AND provider_id IS NOT NULL"
    transfer = await stripe.transfer(
        TransferRequest(
            key=key_of(order_id, attempt, Step.TRANSFER),
            order_id=order_id,
            group=deal.id,
            amount=SUM,
            payee_id=payee,
            charge_ids=(str(await fetch_value(sql)),),
        )
    )
    assert isinstance(transfer, Succeeded), transfer
    return transfer.provider_id


async def sent(stripe: Stripe, deal: Deal, order_id: str, payee: str, *, attempt: int = 1, brought_by: int = 1) -> str:
    """The same, to the bank at that attempt, after so many to bring it to the payee."""
    transfer_id = await brought(stripe, deal, order_id, payee, attempt=brought_by)
    await stripe.payout(
        PayoutRequest(
            key=key_of(order_id, attempt, Step.PAYOUT),
            order_id=order_id,
            group=deal.id,
            amount=SUM,
            payee_id=payee,
            transfer_id=transfer_id,
        )
    )
    return transfer_id


async def funded(stripe: Stripe, stand_in: Playing, deal: Deal) -> str:
    order_id = await deal.fund(CARD)
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    return order_id


async def earned(stripe: Stripe, stand_in: Playing, *amounts: str) -> tuple[Deal, str]:
    """A contract with milestones of these amounts, by default one of a hundred, the first paid for and approved; and what the
    provider calls its freelancer, whom it pays."""
    deal = await strike(*amounts or ("100.00",))
    payee = await onboard(deal, stripe, stand_in)
    await funded(stripe, stand_in, deal)
    await deal.approve()
    return deal, payee
