"""An event of each kind that is about webhook endpoints."""

from __future__ import annotations

from escrow.accounts import events
from escrow.accounts.state.endpoints import API_VERSIONS, DisabledReason
from escrow.agreement.events import Event
from tests.escrow.accounts.people import CONTRACT_ID, ENDPOINT, NEW_SECRETS, in_days


def endpoint_examples() -> tuple[Event, ...]:
    facts = tuple(secret.facts for secret in NEW_SECRETS)
    return (
        events.EndpointCreated(
            endpoint_id=ENDPOINT.id,
            event_types=("milestone.*",),
            contract_ids=(CONTRACT_ID,),
            api_version=API_VERSIONS[-1],
            secrets=facts,
            url=ENDPOINT.url,
            description="",
        ),
        events.EndpointChanged(
            endpoint_id=ENDPOINT.id,
            event_types=("*",),
            contract_ids=None,
            api_version=API_VERSIONS[-1],
            description="For the ledger",
        ),
        events.EndpointSecretRotated(
            endpoint_id=ENDPOINT.id, secrets=facts, overlap_until=in_days(1), forgotten=("0" * 64,)
        ),
        events.EndpointDisabled(endpoint_id=ENDPOINT.id, reason=DisabledReason.FAILING),
        events.EndpointEnabled(endpoint_id=ENDPOINT.id),
        events.EndpointDeleted(endpoint_id=ENDPOINT.id),
    )
