"""The facts that an account's log is made of: who it is, its members, keys and webhook endpoints; and the operator's fees.

Names are people's words, so they are hashed in the event and can be erased beside it. A key's secret is never in an event:
its fingerprint is, which tells an auditor that the stored digest is still the one of the day, and serves for nothing else.
An endpoint's URL may have a secret in its path, so it is hashed as words are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from escrow.access import AccountType, Role, Scope
from escrow.accounts.state.endpoints import DisabledReason, SecretFacts
from escrow.agreement.events import Event, OptionalText, Text
from escrow.agreement.state import Fees


class RevocationReason(StrEnum):
    """Why a key ended."""

    REVOKED = "REVOKED"
    MEMBER_REMOVED = "MEMBER_REMOVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCreated(Event):
    """The operator opened an account; the first account of a deployment is the operator's own."""

    type: ClassVar = "account.created"
    account_type: AccountType
    is_operator: bool
    name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDisabled(Event):
    """The operator barred the account from new business; what is under way goes on."""

    type: ClassVar = "account.disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEnabled(Event):
    """The operator let the account do business again."""

    type: ClassVar = "account.enabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediatorAppointed(Event):
    """The operator lets the account decide disputes."""

    type: ClassVar = "account.mediator_appointed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediatorDismissed(Event):
    """The account decides no disputes any more."""

    type: ClassVar = "account.mediator_dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAdded(Event):
    """A person may act for the account. ``person`` is an e-mail address or an identity provider's subject."""

    type: ClassVar = "member.added"
    member_id: str
    role: Role
    person: Text
    name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRemoved(Event):
    """A person no longer acts for the account; their keys end with this, each by a ``key.revoked``."""

    type: ClassVar = "member.removed"
    member_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCreated(Event):
    """A program may act for the account, as a member or as an owner, within scopes and possibly some contracts.

    ``fingerprint`` is the sha256 of the stored digest of the secret, ``hint`` the last characters of what was shown.
    """

    type: ClassVar = "key.created"
    key_id: str
    member_id: str | None
    scopes: tuple[Scope, ...]
    contract_ids: tuple[str, ...] | None
    expires_at: datetime | None
    hint: str
    fingerprint: str
    name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevoked(Event):
    """The key opens nothing any more."""

    type: ClassVar = "key.revoked"
    key_id: str
    reason: RevocationReason


@dataclass(frozen=True, slots=True, kw_only=True)
class FeesChanged(Event):
    """The operator takes these fees from now on; contracts keep those of their latest revision."""

    type: ClassVar = "fees.changed"
    fees: Fees


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCreated(Event):
    """The account's events are sent to an address from now on: of these types, of these contracts (absent: of all)."""

    type: ClassVar = "endpoint.created"
    endpoint_id: str
    event_types: tuple[str, ...]
    contract_ids: tuple[str, ...] | None
    api_version: str
    secrets: tuple[SecretFacts, ...]
    url: Text
    description: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChanged(Event):
    """Where events are sent, or which of them, is another; the lists are whole, texts that are absent stayed as they were."""

    type: ClassVar = "endpoint.changed"
    endpoint_id: str
    event_types: tuple[str, ...]
    contract_ids: tuple[str, ...] | None
    api_version: str
    url: OptionalText = None
    description: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSecretRotated(Event):
    """What is sent is signed with new secrets, and until ``overlap_until`` (real time) with the ones before, too.

    ``forgotten`` names secrets by their fingerprints whose time was over and that are no longer kept.
    """

    type: ClassVar = "endpoint.secret_rotated"
    endpoint_id: str
    secrets: tuple[SecretFacts, ...]
    overlap_until: datetime
    forgotten: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDisabled(Event):
    """Nothing is sent to the endpoint any more: its owner asked for it, it answered that it is gone, or it failed for days.

    What happens meanwhile is kept for it, and sent once it is enabled.
    """

    type: ClassVar = "endpoint.disabled"
    endpoint_id: str
    reason: DisabledReason


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointEnabled(Event):
    """Events are sent to the endpoint again, from where it stopped."""

    type: ClassVar = "endpoint.enabled"
    endpoint_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDeleted(Event):
    """The endpoint is gone for good, and its secrets with it."""

    type: ClassVar = "endpoint.deleted"
    endpoint_id: str


CATALOGUE: Final[dict[tuple[str, int], type[Event]]] = {
    (event.type, event.schema_version): event
    for event in (
        AccountCreated,
        AccountDisabled,
        AccountEnabled,
        MediatorAppointed,
        MediatorDismissed,
        MemberAdded,
        MemberRemoved,
        KeyCreated,
        KeyRevoked,
        FeesChanged,
        EndpointCreated,
        EndpointChanged,
        EndpointSecretRotated,
        EndpointDisabled,
        EndpointEnabled,
        EndpointDeleted,
    )
}
"""Every account event that was ever written, by type and schema version. Nothing is ever taken out."""
