"""Commands on an account itself, by the operator: opened, disabled, enabled, appointed as a mediator, given a rate."""

from __future__ import annotations

from typing import ClassVar

from escrow.access import AccountType
from escrow.accounts.commands.base import AccountCommand
from escrow.accounts.commands.members import MemberDraft
from escrow.accounts.rules import AccountAction


class CreateOperator(AccountCommand):
    """Opens the operator's own account, once in a deployment's life."""

    action: ClassVar = AccountAction.CREATE_ACCOUNT
    account_id: str
    name: str


class CreateAccount(AccountCommand):
    """Opens an account for a party, with its first owner if one is named."""

    action: ClassVar = AccountAction.CREATE_ACCOUNT
    account_id: str
    name: str
    type: AccountType
    owner: MemberDraft | None = None

    def result(self, account_id: str) -> dict[str, str]:
        owner = {"member_id": self.owner.member_id} if self.owner is not None else {}
        return {"account_id": account_id} | owner


class DisableAccount(AccountCommand):
    """Bars an account from new business and ends its sessions; one that is barred already stays so."""

    action: ClassVar = AccountAction.DISABLE_ACCOUNT
    needs_keys: ClassVar = True
    ends_sessions: ClassVar = True
    account_id: str


class EnableAccount(AccountCommand):
    """Takes the bar away."""

    action: ClassVar = AccountAction.ENABLE_ACCOUNT
    account_id: str


class AppointMediator(AccountCommand):
    """Lets an account decide disputes."""

    action: ClassVar = AccountAction.APPOINT_MEDIATOR
    needs_keys: ClassVar = True
    changes_keys: ClassVar = True
    account_id: str


class DismissMediator(AccountCommand):
    """Takes that back."""

    action: ClassVar = AccountAction.DISMISS_MEDIATOR
    needs_keys: ClassVar = True
    changes_keys: ClassVar = True
    account_id: str


class SetRate(AccountCommand):
    """Says how much of the service the keys of an account may use; `None` takes that back."""

    action: ClassVar = AccountAction.SET_RATE
    account_id: str
    points_per_second: int | None
