"""What can be asked of webhook endpoints. Values only, not yet checked; secrets come made and encrypted.

Whether a URL may be sent to is judged by whoever sends (`webhooks.request.ssrf`); the judgement comes with the command, so that
it takes its place among the refusals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from escrow.accounts.commands.base import AccountCommand
from escrow.accounts.rules import AccountAction
from escrow.accounts.state.endpoints import OVERLAP, Algorithm, DisabledReason, SealedSecret
from escrow.causes import Cause


@dataclass(frozen=True, slots=True)
class Address:
    """A URL as it will be requested, and what is wrong with it, if anything."""

    url: str
    fault: str | None = None
    cause: Cause | None = None
    """Which sentence the fault is."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The only contracts whose events are sent; `None` for all, and for the account's own events too."""

    contract_ids: tuple[str, ...] | None


class EndpointCommand(AccountCommand):
    """Something that may change one webhook endpoint of an account."""

    about: ClassVar = "endpoint_id"
    endpoint_id: str


class CreateEndpoint(EndpointCommand):
    """Has an account's events sent to an address, signed with the secrets.

    No `event_types` means all; no `api_version` the latest.
    """

    action: ClassVar = AccountAction.CREATE_ENDPOINT
    account_id: str
    address: Address
    secrets: tuple[SealedSecret, ...]
    description: str = ""
    event_types: tuple[str, ...] | None = None
    limit: Limit = Limit(None)
    api_version: str | None = None


class UpdateEndpoint(EndpointCommand):
    """Changes what is not `None`. `expected_version` is the endpoint's."""

    action: ClassVar = AccountAction.UPDATE_ENDPOINT
    address: Address | None = None
    description: str | None = None
    event_types: tuple[str, ...] | None = None
    limit: Limit | None = None
    api_version: str | None = None
    expected_version: int | None = None


class EnableEndpoint(EndpointCommand):
    """Has events sent again, from where the endpoint stopped; one that is enabled already stays so."""

    action: ClassVar = AccountAction.ENABLE_ENDPOINT


class DisableEndpoint(EndpointCommand):
    """Has nothing sent any more; one that is disabled already keeps its reason.

    People and their programs ask for it as `REQUESTED`; the other reasons are the service's own, which names the version
    of the endpoint that it found wanting.
    """

    action: ClassVar = AccountAction.DISABLE_ENDPOINT
    reason: DisabledReason = DisabledReason.REQUESTED
    expected_version: int | None = None


class DeleteEndpoint(EndpointCommand):
    """Ends an endpoint for good; one that is gone already stays so."""

    action: ClassVar = AccountAction.DELETE_ENDPOINT


class RotateSecret(EndpointCommand):
    """Signs with new secrets; the ones before go on signing beside them for `overlap`, in real time.

    `secrets` offers one for each algorithm; those of `algorithms` are taken, by default those in use.
    """

    action: ClassVar = AccountAction.ROTATE_SECRET
    secrets: tuple[SealedSecret, ...]
    algorithms: tuple[Algorithm, ...] | None = None
    overlap: timedelta = OVERLAP
