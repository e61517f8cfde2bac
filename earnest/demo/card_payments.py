"""Tells what happens when money is real, on the stand-in for Stripe: a bank that asks the payer, a chargeback that is won, and a
payout that comes back after it was paid, and is mended."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from earnest.api_client import ApiError
from earnest.demo.stand_in_doors import DAY_SECONDS, Doors
from earnest.demo.story import Story, milestone
from earnest.demo.timeline import PATIENCE_SECONDS, POLL_SECONDS

ASKS_THE_PAYER: Final = "pm_card_authenticationRequired"
"""A test card of Stripe's whose bank wants to see the payer."""

AVAILABLE_DAYS: Final = 3
"""Until the money of a card can be paid on, and a little longer."""

ARRIVES_SECONDS: Final = 120
COMES_BACK_SECONDS: Final = 600
"""How long a payout takes at the stand-in, and after how long a closed bank account sends it back."""

_DEPOSIT: Final = """
    query Deposit($id: ID!) {
      contract(id: $id) { deposits(last: 1) { edges { node { id orderId: order { id } nextAction { kind url } } } } }
    }
"""

_PAYEE: Final = "query Payee { viewer { account { payee { canBePaid missing } } } }"


class CardPayments(Story):
    """A deposit that the client's bank asks about; the bank takes it back, and has to give it again; then the freelancer's bank
    account is closed, and another one gets the money."""

    async def tell(self, client_id: str, freelancer_id: str) -> None:
        self.say("The client proposes one milestone, and the freelancer accepts.")
        await self.propose(
            self.client,
            clientId=client_id,
            freelancerId=freelancer_id,
            title="A logo",
            milestones=[
                milestone("Sketches", "A direction is chosen", "200.00", weeks=1, deliverables=("Ten sketches",))
            ],
        )
        await self.act(self.freelancer, "acceptContract", contractId=self.contract_id, revision=1)
        sketches = await self.milestone(1)
        order_id, doors = await self._deposit(sketches)
        await self._chargeback(doors, order_id)
        self.say("Work goes on as if nothing had happened, and the client approves.")
        await self.submit(sketches, "Ten sketches.", "https://design.example/sketches")
        await self.approve(sketches, "Number seven it is.")
        await self._payouts(doors, freelancer_id)

    # -- the client's bank ----------------------------------------------------------------------------------------

    async def _deposit(self, sketches: str) -> tuple[str, Doors]:
        """Gives the deposit's order, and where the stand-in is."""
        self.say("The client pays by card, and the card's bank wants to see the client first (3-D Secure).")
        await self.fund(sketches, token=ASKS_THE_PAYER)
        await self.timeline.until("deposit.action_required", instead="deposit.failed")
        deposit = await self._asked_for()
        page = deposit["nextAction"]["url"]
        self.say("The client alone is shown the address of the bank's page (Deposit.nextAction). They say yes there.")
        doors = Doors.of(page)
        await doors.press(page, "complete")
        await self.timeline.until("milestone.activated", sketches)
        return deposit["orderId"]["id"], doors

    async def _asked_for(self) -> dict[str, Any]:
        data = await self.client.ask(_DEPOSIT, id=self.contract_id)
        deposit: dict[str, Any] = data["contract"]["deposits"]["edges"][0]["node"]
        if not deposit["nextAction"]:
            raise ApiError("the stand-in asks for nothing: is this a deployment with `--provider stripe-stand-in`?")
        return deposit

    async def _chargeback(self, doors: Doors, order_id: str) -> None:
        """What a client's bank does, and what it decides months later."""
        self.say(
            "The client's bank takes the payment back. What is held stands still, and the operator sends evidence."
        )
        await doors.dispute(order_id)
        await self.timeline.until("deposit.reversed")
        self.say("The bank decides for the operator: the money comes again, and what was frozen goes on.")
        await doors.dispute(order_id, "won")
        await self.timeline.until("deposit.reversal_resolved")

    # -- the freelancer's bank ------------------------------------------------------------------------------------

    async def _payouts(self, doors: Doors, freelancer_id: str) -> None:
        """The first one comes back, the second one stays."""
        self.say("The freelancer tells Stripe who they are and which bank account is theirs (connectPayee).")
        await self._introduce(doors, freelancer_id, bank="closed")
        self.say("Some days later the card's money can be paid on. The freelancer asks for it, and it arrives.")
        await doors.pass_time(AVAILABLE_DAYS * DAY_SECONDS)
        await self._pay_out(doors)
        self.say("The bank sends it back: that account was closed. It is payable again, and with the platform again.")
        await doors.pass_time(COMES_BACK_SECONDS)
        await self.timeline.until("payout.failed")
        self.say("Stripe wants another bank account first, so asking again is refused with what is missing.")
        await self._until_payee(can_be_paid=False)
        await self.refused(self.freelancer, "requestPayout", "INVALID_STATE", contractId=self.contract_id)
        self.say("The freelancer names another bank account and asks again. This time it stays where it went.")
        await self._introduce(doors, freelancer_id, bank="good")
        await self._pay_out(doors)
        await doors.pass_time(COMES_BACK_SECONDS)
        await self.timeline.catch_up()
        self.say(
            "What moved at Stripe is what crossed our ledger, to the cent: `earnest reconcile` finds no difference."
        )

    async def _introduce(self, doors: Doors, freelancer_id: str, *, bank: str) -> None:
        """Until the provider says that it pays them; the address of the page is asked for again while it can't be had."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        page = None
        while page is None:
            page = (await self.freelancer.do("connectPayee", "url", accountId=freelancer_id))["url"]
            await _wait(deadline, "no page for the payee came")
        await doors.press(page, bank)
        await self._until_payee(can_be_paid=True)

    async def _until_payee(self, *, can_be_paid: bool) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (await self.freelancer.ask(_PAYEE))["viewer"]["account"]["payee"]["canBePaid"] is not can_be_paid:
            await _wait(deadline, "nothing was heard of the payee")

    async def _pay_out(self, doors: Doors) -> None:
        """Ask for it, and let the time pass that it takes once it is on its way."""
        await self.act(self.freelancer, "requestPayout", contractId=self.contract_id)
        started = await self.timeline.until("payout.started")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await doors.payouts_of(started["data"]["orderId"]):
            await _wait(deadline, "the payout was never made")
        await doors.pass_time(ARRIVES_SECONDS)
        await self.timeline.until("payout.paid")


async def _wait(deadline: float, otherwise: str) -> None:
    if time.monotonic() > deadline:
        raise ApiError(f"{otherwise} within {PATIENCE_SECONDS:.0f} seconds: does a worker run?")
    await asyncio.sleep(POLL_SECONDS)
