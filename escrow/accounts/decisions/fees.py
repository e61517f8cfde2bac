"""Decides on the operator's fees."""

from __future__ import annotations

from typing import Final

from escrow.accounts import commands, events, inputs
from escrow.accounts.decisions.base import Context, Decisions, Events
from escrow.accounts.state import Account
from escrow.agreement.state import Fees
from escrow.errors import InvalidState


def _set_fees(state: Account | None, command: commands.SetFees, context: Context) -> Events:
    if state is None:
        raise InvalidState(
            "This deployment has no operator yet: make its first key with “earnest keys create --operator”."
        )
    fees = Fees(
        client_bps=inputs.basis_points(command.client_bps, field="clientBasisPoints"),
        freelancer_bps=inputs.basis_points(command.freelancer_bps, field="freelancerBasisPoints"),
    )
    return () if fees == state.fees else (events.FeesChanged(fees=fees),)


DECISIONS: Final[Decisions] = {
    commands.SetFees: _set_fees,
}
