"""The operator's fees."""

from __future__ import annotations

from escrow import database
from escrow.accounts.state import NO_FEES
from escrow.agreement.state import Fees


async def fees() -> Fees:
    """What the operator takes now: the fees of the next proposal or revision."""
    row = await database.fetch_row("SELECT client_fee_bps, freelancer_fee_bps FROM deployment")
    return Fees(row["client_fee_bps"], row["freelancer_fee_bps"]) if row is not None else NO_FEES
