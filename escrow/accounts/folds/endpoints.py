"""Folds events about webhook endpoints."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from escrow.accounts import events
from escrow.accounts.folds.base import Folds
from escrow.accounts.state import Account
from escrow.accounts.state.endpoints import Endpoint, Secret


def _created(state: Account, event: events.EndpointCreated, at: datetime) -> Account:
    endpoint = Endpoint(
        id=event.endpoint_id,
        url=event.url,
        description=event.description,
        event_types=event.event_types,
        contract_ids=event.contract_ids,
        api_version=event.api_version,
        version=1,
        created_at=at,
        secrets=tuple(Secret(facts=facts, created_at=at) for facts in event.secrets),
    )
    return replace(state, endpoints={**state.endpoints, endpoint.id: endpoint})


def _changed(state: Account, event: events.EndpointChanged, _: datetime) -> Account:
    before = state.endpoints[event.endpoint_id]
    return _with(
        state,
        event.endpoint_id,
        url=before.url if event.url is None else event.url,
        description=before.description if event.description is None else event.description,
        event_types=event.event_types,
        contract_ids=event.contract_ids,
        api_version=event.api_version,
    )


def _rotated(state: Account, event: events.EndpointSecretRotated, at: datetime) -> Account:
    kept = tuple(
        replace(secret, expires_at=secret.expires_at or event.overlap_until)
        for secret in state.endpoints[event.endpoint_id].secrets
        if secret.facts.fingerprint not in event.forgotten
    )
    new = tuple(Secret(facts=facts, created_at=at) for facts in event.secrets)
    return _with(state, event.endpoint_id, secrets=(*kept, *new))


def _disabled(state: Account, event: events.EndpointDisabled, at: datetime) -> Account:
    return _with(state, event.endpoint_id, disabled_at=at, disabled_reason=event.reason)


def _enabled(state: Account, event: events.EndpointEnabled, _: datetime) -> Account:
    return _with(state, event.endpoint_id, disabled_at=None, disabled_reason=None)


def _deleted(state: Account, event: events.EndpointDeleted, at: datetime) -> Account:
    return _with(state, event.endpoint_id, deleted_at=at, secrets=())


def _with(state: Account, endpoint_id: str, **changes: Any) -> Account:
    before = state.endpoints[endpoint_id]
    after = replace(before, version=before.version + 1, **changes)
    return replace(state, endpoints={**state.endpoints, endpoint_id: after})


FOLDS: Final[Folds] = {
    events.EndpointCreated: _created,
    events.EndpointChanged: _changed,
    events.EndpointSecretRotated: _rotated,
    events.EndpointDisabled: _disabled,
    events.EndpointEnabled: _enabled,
    events.EndpointDeleted: _deleted,
}
