"""Gives up refunds of which the client has the money from the bank: it took the deposit back for good before they were paid."""

from __future__ import annotations

from typing import Final

from escrow import pipeline
from escrow.access import PROVIDER
from escrow.agreement.commands import OvertakeRefund
from escrow.payments.leases import Claimed
from escrow.payments.results import Found, NotYet, Unknown
from escrow.states import OrderState

WAITS: Final = "the client's bank has taken the charge back, and the argument about that goes on"


async def give_up(order: Claimed, found: Found | NotYet) -> bool:
    """Have the books end a refund of a deposit that was lost; whether they did. Not if a call of it may still turn up, be it
    one that a cut of the log lost: that is brought to its end first.
    """
    newest = order.newest()
    may_have_been_called = order.may_be_known if newest is None else not newest.is_over
    if isinstance(found, Unknown) and may_have_been_called:
        return False
    command = OvertakeRefund(contract_id=order.contract_id, order_id=order.id, deposit_id=order.deposit_id or "")
    after = (await pipeline.run(command, by=PROVIDER)).contract
    return after.orders[order.id].state is OrderState.ABANDONED
