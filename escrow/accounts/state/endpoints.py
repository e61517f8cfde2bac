"""What a webhook endpoint is between two events, and the bounds it lives in. Delivering is the business of `webhooks`.

A secret is known here by its fingerprint and, for ed25519, its public key. Its ciphertext goes with the command to the
database and is neither in the state nor in an event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

API_VERSIONS: Final = ("2026-11-22",)
"""The shapes of what stands beside an event in a payload, oldest first; an endpoint is pinned to one for ever."""

ENDPOINTS_MAX: Final = 20
"""The most endpoints of an account at one time: each event of the account is a delivery for each."""

SECRETS_MAX: Final = 8
"""The most secrets of an endpoint that are valid at one time: each is a signature in each request."""

OVERLAP: Final = timedelta(hours=24)
OVERLAP_MAX: Final = timedelta(days=30)
"""For how long a secret goes on signing beside the one that replaced it: as usual, and at most."""

EVERY_TYPE: Final = "*"
"""Stands for all event types, those of later releases included."""


class Algorithm(StrEnum):
    """How requests are signed."""

    HMAC_SHA256 = "HMAC_SHA256"
    ED25519 = "ED25519"


class EndpointState(StrEnum):
    """Whether events are sent."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


class DisabledReason(StrEnum):
    """Why nothing is sent to an endpoint."""

    REQUESTED = "REQUESTED"
    GONE = "GONE"
    FAILING = "FAILING"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFacts:
    """What may be told of a secret: how it signs, the fingerprint, and the public key where there is one (`whpk_…`)."""

    algorithm: Algorithm
    fingerprint: str
    public_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    """A new secret on its way to the database: what may be told of it, and its ciphertext."""

    facts: SecretFacts
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret that signs, or that did. `expires_at` is real time; `None` as long as nothing replaced it."""

    facts: SecretFacts
    created_at: datetime
    expires_at: datetime | None = None

    def signs(self, real_now: datetime) -> bool:
        return self.expires_at is None or self.expires_at > real_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint, without its secrets' words. `version` grows by one with each of its events."""

    id: str
    url: str
    description: str
    event_types: tuple[str, ...]
    contract_ids: tuple[str, ...] | None
    api_version: str
    version: int
    created_at: datetime
    secrets: tuple[Secret, ...]
    disabled_at: datetime | None = None
    disabled_reason: DisabledReason | None = None
    deleted_at: datetime | None = None

    @property
    def state(self) -> EndpointState:
        return EndpointState.ENABLED if self.disabled_at is None else EndpointState.DISABLED

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """How it signs from now on, in the order of the enumeration."""
        used = {secret.facts.algorithm for secret in self.secrets if secret.expires_at is None}
        return tuple(algorithm for algorithm in Algorithm if algorithm in used)
