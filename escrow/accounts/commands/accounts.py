"""What can be asked of accounts, as users say it; of their webhook endpoints, in `endpoint_commands`. Values only, not yet
checked.

Identifiers of what a command creates come with it, so that deciding stays free of chance; so does a new key's token, of
which only a digest, a fingerprint and a hint go further.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from escrow.access import AccountType, Role, Scope
from escrow.accounts.commands.endpoints import EndpointCommand
from escrow.accounts.rules import AccountAction
from escrow.accounts.tokens import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDraft:
    """A person as whoever adds them describes them; ``person`` is an e-mail address or an identity provider's subject."""

    member_id: str
    person: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOperator:
    """Opens the operator's own account, once in a deployment's life."""

    action: ClassVar = AccountAction.CREATE_ACCOUNT
    account_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAccount:
    """Opens an account for a party, with its first owner if one is named."""

    action: ClassVar = AccountAction.CREATE_ACCOUNT
    account_id: str
    name: str
    type: AccountType
    owner: MemberDraft | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableAccount:
    """Bars an account from new business; one that is barred already stays so."""

    action: ClassVar = AccountAction.DISABLE_ACCOUNT
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableAccount:
    """Takes the bar away."""

    action: ClassVar = AccountAction.ENABLE_ACCOUNT
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointMediator:
    """Lets an account decide disputes."""

    action: ClassVar = AccountAction.APPOINT_MEDIATOR
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DismissMediator:
    """Takes that back."""

    action: ClassVar = AccountAction.DISMISS_MEDIATOR
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMember:
    """Lets a person act for an account."""

    action: ClassVar = AccountAction.ADD_MEMBER
    account_id: str
    member_id: str
    person: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMember:
    """Takes that back, and ends the member's keys; a member who is gone already stays so."""

    action: ClassVar = AccountAction.REMOVE_MEMBER
    member_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateApiKey:
    """Lets a program act for an account: as the member, else as an owner; always within the scopes.

    ``contract_ids`` limit it to some contracts; ``expires_at`` is real time.
    """

    action: ClassVar = AccountAction.CREATE_API_KEY
    account_id: str
    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    token: Token
    member_id: str | None = None
    contract_ids: tuple[str, ...] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeApiKey:
    """Ends a key; one that has ended already stays so."""

    action: ClassVar = AccountAction.REVOKE_API_KEY
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFees:
    """Sets what the operator takes, in basis points: proposals and revisions from now on carry it."""

    action: ClassVar = AccountAction.SET_FEES
    client_bps: int
    freelancer_bps: int


AccountCommand = (
    CreateOperator
    | CreateAccount
    | DisableAccount
    | EnableAccount
    | AppointMediator
    | DismissMediator
    | AddMember
    | RemoveMember
    | CreateApiKey
    | RevokeApiKey
    | SetFees
    | EndpointCommand
)
