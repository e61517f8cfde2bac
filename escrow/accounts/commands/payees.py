"""Commands on how the payment provider knows an account: that it wants to be paid, and what the provider says of it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from escrow.accounts.commands.base import AccountCommand
from escrow.accounts.rules import AccountAction


class PayeeCommand(AccountCommand):
    """Something about an account as a payee of a provider."""

    account_id: str
    provider: str


class ConnectPayee(PayeeCommand):
    """Has the account taken on by the provider; one that is known to it already stays as it is."""

    action: ClassVar = AccountAction.CONNECT_PAYEE
    return_url: str | None = None
    """Where the provider's page leads back to."""


class NotePayee(PayeeCommand):
    """What the provider says of the account now; for the provider alone."""

    action: ClassVar = AccountAction.CONNECT_PAYEE
    payee_id: str
    can_be_paid: bool
    missing: tuple[str, ...] = ()
    until: datetime | None = None
