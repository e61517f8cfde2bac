"""Facts about webhook endpoints. A URL may have a secret in its path, so it is hashed as words are."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from escrow.accounts.state.endpoints import DisabledReason, SecretFacts
from escrow.agreement.events import Event, OptionalText, Text


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


class EndpointChanged(Event):
    """Where events are sent, or which of them, is another; the lists are whole, texts that are absent stayed as they were."""

    type: ClassVar = "endpoint.changed"
    endpoint_id: str
    event_types: tuple[str, ...]
    contract_ids: tuple[str, ...] | None
    api_version: str
    url: OptionalText = None
    description: OptionalText = None


class EndpointSecretRotated(Event):
    """What is sent is signed with new secrets, and until `overlap_until` (real time) with the ones before, too.

    `forgotten` names secrets by their fingerprints whose time was over and that are no longer kept.
    """

    type: ClassVar = "endpoint.secret_rotated"
    endpoint_id: str
    secrets: tuple[SecretFacts, ...]
    overlap_until: datetime
    forgotten: tuple[str, ...]


class EndpointDisabled(Event):
    """Nothing is sent to the endpoint any more: its owner asked for it, it answered that it is gone, or it failed for days.

    What happens meanwhile is kept for it, and sent once it is enabled.
    """

    type: ClassVar = "endpoint.disabled"
    endpoint_id: str
    reason: DisabledReason


class EndpointEnabled(Event):
    """Events are sent to the endpoint again, from where it stopped."""

    type: ClassVar = "endpoint.enabled"
    endpoint_id: str


class EndpointDeleted(Event):
    """The endpoint is gone for good, and its secrets with it."""

    type: ClassVar = "endpoint.deleted"
    endpoint_id: str
