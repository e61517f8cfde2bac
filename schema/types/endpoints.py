"""The types of webhook endpoints, which their account (with the scope for it) and the operator see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.accounts.queries import endpoints as endpoint_queries
from escrow.accounts.state import endpoints
from escrow.accounts.state.endpoints import Algorithm, DisabledReason, EndpointState
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader
from schema.types.common import Node


@strawberry.type(description="A secret that signs what is sent to an endpoint. Its words are not here.")
class WebhookSecret:
    algorithm: Algorithm = strawberry.field(description="How it signs.")
    public_key: str | None = strawberry.field(
        description="With which `v1a` signatures are checked: `whpk_` and base64. Null for HMAC, which has only the secret."
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(
        description="Until when it goes on signing beside the one that replaced it; null for the one that is in use."
    )

    @classmethod
    def of(cls, secret: endpoints.Secret) -> WebhookSecret:
        return cls(
            algorithm=secret.facts.algorithm,
            public_key=secret.facts.public_key,
            created_at=secret.created_at,
            expires_at=secret.expires_at,
        )


@strawberry.type(description="An address that an account's events are sent to, as Standard Webhooks.")
class WebhookEndpoint(Node):
    account_id: strawberry.ID = strawberry.field(description="The account whose events are sent.")
    url: str = strawberry.field(description="Where to.")
    description: str = strawberry.field(description="What it is for, as its owner wrote it.")
    event_types: list[str] = strawberry.field(
        description="Which events: types such as `milestone.released`, families such as `milestone.*`, or `*` for all."
    )
    contract_ids: list[strawberry.ID] | None = strawberry.field(
        description="The only contracts whose events are sent; null for all, and for those of the account itself."
    )
    api_version: str = strawberry.field(description="The shape of what stands beside an event in a request.")
    algorithms: list[Algorithm] = strawberry.field(description="How requests are signed from now on.")
    secrets: list[WebhookSecret] = strawberry.field(
        description="What signs requests now, the newest first; during a rotation also what did before."
    )
    state: EndpointState = strawberry.field(description="Whether events are sent.")
    disabled_reason: DisabledReason | None = strawberry.field(description="Why nothing is sent, if nothing is.")
    disabled_at: datetime | None = strawberry.field(description="Since when nothing is sent.")
    created_at: datetime = strawberry.field(description="When it was made.")
    deleted_at: datetime | None = strawberry.field(
        description="When it was deleted; only the payload of that shows it."
    )
    version: int = strawberry.field(description="Grows with every change; an edit may name the one it was based on.")

    @classmethod
    def of(cls, endpoint: endpoints.Endpoint, *, account_id: str) -> WebhookEndpoint:
        limit = endpoint.contract_ids
        newest_first = sorted(endpoint.secrets, key=_age)
        return cls(
            id=strawberry.ID(endpoint.id),
            account_id=strawberry.ID(account_id),
            url=endpoint.url,
            description=endpoint.description,
            event_types=list(endpoint.event_types),
            contract_ids=[strawberry.ID(one) for one in limit] if limit is not None else None,
            api_version=endpoint.api_version,
            algorithms=list(endpoint.algorithms),
            secrets=[WebhookSecret.of(secret) for secret in newest_first],
            state=endpoint.state,
            disabled_reason=endpoint.disabled_reason,
            disabled_at=endpoint.disabled_at,
            created_at=endpoint.created_at,
            deleted_at=endpoint.deleted_at,
            version=endpoint.version,
        )

    @classmethod
    def of_view(cls, view: endpoint_queries.EndpointView) -> WebhookEndpoint:
        return cls.of(view.endpoint, account_id=view.account_id)


def _age(secret: endpoints.Secret) -> tuple[float, bool]:
    return -secret.created_at.timestamp(), secret.facts.algorithm is not Algorithm.HMAC_SHA256


@data_loader
async def endpoints_of(account_ids: Sequence[str], context: Context) -> list[list[WebhookEndpoint] | None]:
    """The endpoints of each account, as far as the viewer may see them: one statement for all that are asked for."""
    found = await endpoint_queries.endpoints_of(context.known(), list(dict.fromkeys(account_ids)))
    return [
        [WebhookEndpoint.of_view(view) for view in found[account_id]] if account_id in found else None
        for account_id in account_ids
    ]


@data_loader
async def endpoint_of(endpoint_ids: Sequence[str], context: Context) -> list[WebhookEndpoint | None]:
    """Endpoints by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await endpoint_queries.endpoints_by_id(context.known(), endpoint_ids)
    return [WebhookEndpoint.of_view(found[one]) if one in found else None for one in endpoint_ids]
