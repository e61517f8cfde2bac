"""Tells what happens when money is real, on the stand-in for Stripe: a bank that asks the payer, and a chargeback that is won.

The stand-in's own pages and doors are used as a payer's browser and a payer's bank would use Stripe's.
"""

from __future__ import annotations

import asyncio
import json
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from earnest.api_client import ApiError, Unreachable
from earnest.demo.story import Story, milestone

ASKS_THE_PAYER: Final = "pm_card_authenticationRequired"
"""A test card of Stripe's whose bank wants to see the payer."""

SECONDS: Final = 10.0

_DEPOSIT: Final = """
    query Deposit($id: ID!) {
      contract(id: $id) { deposits(last: 1) { edges { node { id orderId: order { id } nextAction { kind url } } } } }
    }
"""


class CardPayments(Story):
    """A deposit that the client's bank asks about; then the bank takes it back, and has to give it again."""

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
        self.say("The client pays by card, and the card's bank wants to see the client first (3-D Secure).")
        await self.fund(sketches, token=ASKS_THE_PAYER)
        await self.timeline.until("deposit.action_required")
        deposit = await self._deposit()
        page = deposit["nextAction"]["url"]
        self.say(f"The client alone is shown where: {page.partition('?')[0]}. They say yes there.")
        await _post(page, urlencode({"answer": "complete"}), "application/x-www-form-urlencoded")
        await self.timeline.until("milestone.activated", sketches)
        await self._chargeback(page, deposit["orderId"]["id"])
        self.say("Work goes on as if nothing had happened, and the client approves.")
        await self.submit(sketches, "Ten sketches.", "https://design.example/sketches")
        await self.approve(sketches, "Number seven it is.")

    async def _chargeback(self, page: str, order_id: str) -> None:
        """By the stand-in's doors: what a client's bank does, and what it decides months later."""
        parts = urlsplit(page)
        door = f"{parts.scheme}://{parts.netloc}/stand-in/disputes"
        self.say(
            "The client's bank takes the payment back. What is held stands still, and the operator sends evidence."
        )
        await _post(door, json.dumps({"order": order_id}), "application/json")
        await self.timeline.until("deposit.reversed")
        self.say("The bank decides for the operator: the money comes again, and what was frozen goes on.")
        await _post(door, json.dumps({"order": order_id, "status": "won"}), "application/json")
        await self.timeline.until("deposit.reinstated")

    async def _deposit(self) -> dict[str, Any]:
        data = await self.client.ask(_DEPOSIT, id=self.contract_id)
        deposit: dict[str, Any] = data["contract"]["deposits"]["edges"][0]["node"]
        if not deposit["nextAction"]:
            raise ApiError("the stand-in asks for nothing: is this a deployment with `--provider stripe-stand-in`?")
        return deposit


async def _post(url: str, body: str, kind: str) -> None:
    """Raises `Unreachable` if the stand-in doesn't take it."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")

    def post() -> int:
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
        try:
            connection.request("POST", path, body, {"content-type": kind})
            return connection.getresponse().status
        finally:
            connection.close()

    try:
        status = await asyncio.to_thread(post)
    except (OSError, HTTPException) as error:
        raise Unreachable(f"no answer from the stand-in: {error}") from None
    if status >= 400:
        raise Unreachable(f"the stand-in answered {status}")
