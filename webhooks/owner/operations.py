"""Checks and carries out what an owner asks of deliveries: one again, a stretch of the log again, or a test.

With an idempotency key a repetition answers with what the first one made. How it is done is `webhooks.owner.replays`'s business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime

from escrow import acts, bell, ids
from escrow.access import Actor, ActorKind, Role, Scope
from escrow.accounts.queries import endpoints
from escrow.accounts.queries.endpoints import EndpointView
from escrow.accounts.rules import is_operator
from escrow.agreement.authorisation import missing_role, missing_scope
from escrow.bell import Topic
from escrow.causes import Cause
from escrow.errors import InvalidInput, NotFound, quoted
from escrow.idempotency import Idempotency, once
from webhooks.events import examples
from webhooks.owner import queries
from webhooks.owner import replays as mechanics
from webhooks.owner.queries import DeliveryView, ReplayView

Result = Mapping[str, str]


async def redeliver(delivery_id: str, *, by: Actor, idempotency: Idempotency | None) -> tuple[DeliveryView, bool]:
    """Have a delivery made once more: the one that will be attempted, and whether this is a repetition.

    Refuses with `NotFound`, `Forbidden`, and `InvalidState` if the endpoint was deleted.
    """
    async with _noted("Redeliver", by, delivery_id):
        seen = await queries.deliveries_by_id(by, [delivery_id])
        if delivery_id not in seen:
            raise NotFound(f"There is no delivery {quoted(delivery_id)}.", field="deliveryId")
        _permit(by, Scope.CONTRACTS_READ)

        async def make() -> Result:
            return {"delivery_id": await mechanics.redeliver(delivery_id)}

        return await _delivery(make, by=by, idempotency=idempotency)


async def replay_events(
    endpoint_id: str, *, after: int | None, since: datetime | None, by: Actor, idempotency: Idempotency | None
) -> tuple[ReplayView, bool]:
    """Have an endpoint get a stretch of the log once more: the replay, and whether this is a repetition.

    Refuses with `NotFound`, `Forbidden`, and `InvalidInput` unless exactly one of the two says from where on.
    """
    async with _noted("ReplayEvents", by, endpoint_id):
        await _endpoint(endpoint_id, by)
        _permit(by, Scope.CONTRACTS_READ)
        if (after is None) == (since is None):
            raise InvalidInput(
                "A replay begins after a cursor or at a time: give one of `after` and `since`.", field="after"
            )

        async def make() -> Result:
            return {"replay_id": await mechanics.replay(endpoint_id, after=after, at=since)}

        result, is_repetition = await _once(make, by=by, idempotency=idempotency)
        found = await queries.replays_by_id(by, [result["replay_id"]])
        return found[result["replay_id"]], is_repetition


async def send_test_event(
    endpoint_id: str, *, event_type: str, by: Actor, idempotency: Idempotency | None
) -> tuple[DeliveryView, bool]:
    """Have an event sent that never happened: its delivery, and whether this is a repetition.

    Refuses with `NotFound`, `Forbidden`, and `InvalidInput` for a type that isn't in the catalogue.
    """
    async with _noted("SendTestEvent", by, endpoint_id):
        endpoint = await _endpoint(endpoint_id, by)
        _permit(by)
        event_id = ids.new(ids.Kind.EVENT)
        # Of a contract that the endpoint is limited to, so that a key with the same limit sees its test.
        stream_id = (endpoint.endpoint.contract_ids or (endpoint.account_id,))[0]
        body = examples.event_for_a_test(event_type, event_id=event_id, stream_id=stream_id, actor=by)
        if body is None:
            raise InvalidInput(
                f"There is no event type {quoted(event_type)}; the query `eventTypes` lists them.",
                field="eventType",
                cause=Cause.NO_EVENT_TYPE,
            )

        async def make() -> Result:
            made = await mechanics.enqueue_test(
                endpoint_id, event_id=event_id, event_type=event_type, event_body=body, stream_id=stream_id
            )
            return {"delivery_id": made}

        return await _delivery(make, by=by, idempotency=idempotency)


def _noted(act: str, by: Actor, subject: str) -> AbstractAsyncContextManager[None]:
    """What an operator asks is among their acts, as every command of theirs is."""
    return acts.noted(act, by=by, subject=subject) if by.kind is ActorKind.OPERATOR else nullcontext()


async def _endpoint(endpoint_id: str, by: Actor) -> EndpointView:
    found = (await endpoints.endpoints_by_id(by, [endpoint_id])).get(endpoint_id)
    if found is None:
        raise NotFound(f"There is no webhook endpoint {quoted(endpoint_id)}.", field="endpointId")
    return found


def _permit(by: Actor, *also: Scope) -> None:
    """Whoever sees it may ask, from the role of a manager upwards and with the scopes; the operator always.

    What really happened is sent again only for keys that may read it, a test for every one that manages webhooks.
    """
    if is_operator(by):
        return
    if missing := missing_role(by, Role.MANAGER):
        raise missing
    for scope in (Scope.WEBHOOKS_MANAGE, *also):
        if missing := missing_scope(by, scope):
            raise missing


async def _delivery(
    make: Callable[[], Awaitable[Result]], *, by: Actor, idempotency: Idempotency | None
) -> tuple[DeliveryView, bool]:
    result, is_repetition = await _once(make, by=by, idempotency=idempotency)
    found = await queries.deliveries_by_id(by, [result["delivery_id"]])
    return found[result["delivery_id"]], is_repetition


async def _once(
    make: Callable[[], Awaitable[Result]], *, by: Actor, idempotency: Idempotency | None
) -> tuple[Result, bool]:
    result, is_repetition = await once(make, by=by, idempotency=idempotency)
    if idempotency is not None and not is_repetition:
        # The ring within the transaction came before anybody could see what it is about.
        await bell.ring(Topic.DELIVERIES)
    return result, is_repetition
