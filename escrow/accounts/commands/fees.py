"""The command by which the operator sets its fees."""

from __future__ import annotations

from typing import ClassVar

from escrow.accounts.commands.base import AccountCommand
from escrow.accounts.rules import AccountAction


class SetFees(AccountCommand):
    """Sets what the operator takes, in basis points: proposals and revisions from now on carry it."""

    action: ClassVar = AccountAction.SET_FEES
    client_bps: int
    freelancer_bps: int
