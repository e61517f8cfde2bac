"""Deliveries as their owner sees them change."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from escrow.access import Scope
from tests.api.client import PARTY_SCOPES, Caller, with_key
from tests.api.live.serving import Served, until
from tests.api.live.socket import connected
from tests.api.live.sse import opened
from tests.factories import MadeEndpoint, make_endpoint
from tests.webhooks.partner import Partners, attempts_made, delivery_worker, fan_out_only, make_due, partners, settled

QUERY = (
    "subscription ($id: ID!) { deliveryUpdated(endpointId: $id) { id state eventType attempts { nodes { status } } } }"
)


@pytest_asyncio.fixture(loop_scope="session")
async def receivers() -> AsyncIterator[Partners]:
    """Whoever listens."""
    async with partners() as seen:
        yield seen


@pytest_asyncio.fixture(loop_scope="session")
async def endpoint(served: Served, receivers: Partners) -> MadeEndpoint:
    """One of the client's, at `/hook`."""
    return await make_endpoint(served.people.deployment.client, receivers.url(), event_types=("contract.*",))


async def _manager(served: Served) -> Caller:
    deployment = served.people.deployment
    scopes = (*PARTY_SCOPES, Scope.WEBHOOKS_MANAGE)
    return await with_key(served.people.client.http, deployment.client, deployment.operator, scopes)


async def test_a_delivery_is_told_when_it_is_made_attempted_and_delivered(
    served_unsequenced: Served, receivers: Partners
) -> None:
    served = served_unsequenced
    endpoint = await make_endpoint(served.people.deployment.client, receivers.url(), event_types=("contract.*",))
    manager = await _manager(served)
    await fan_out_only()
    async with (
        connected(served, token=manager.token) as socket,
        opened(served, QUERY, {"id": endpoint.id}, token=manager.token) as stream,
    ):
        await socket.subscribe(QUERY, {"id": endpoint.id})
        await until(lambda: sum(map(len, served.door.deliveries._watchers.values())) == 2)
        await served.people.deployment.propose("10.00")
        await fan_out_only()
        told = (await socket.data())["deliveryUpdated"]
        assert (told["state"], told["eventType"], told["attempts"]["nodes"]) == ("PENDING", "contract.proposed", [])
        receivers.replies["/hook"] = 503
        await make_due()
        async with delivery_worker():
            await attempts_made(1)
        # No worker runs until then: it would try again after some seconds.
        failed = (await socket.data())["deliveryUpdated"]
        assert (failed["id"], failed["state"]) == (told["id"], "PENDING")
        assert failed["attempts"]["nodes"] == [{"status": 503}]
        receivers.replies["/hook"] = 200
        await make_due()
        async with delivery_worker():
            await settled()
        delivered = (await socket.data())["deliveryUpdated"]
        assert (delivered["id"], delivered["state"]) == (told["id"], "DELIVERED")
        assert delivered["attempts"]["nodes"] == [{"status": 503}, {"status": 200}]
        await socket.silent(1.5)
        said = [(await stream.hear()).data["data"]["deliveryUpdated"] for _ in range(3)]
        assert said == [told, failed, delivered]
    await until(lambda: not served.door.deliveries._watchers)
    assert served.door.deliveries._task is None


async def test_endpoints_of_others_and_keys_without_the_scope_get_nothing(
    served: Served, endpoint: MadeEndpoint
) -> None:
    people = served.people
    other = await with_key(
        people.client.http, people.deployment.freelancer, people.deployment.operator, (Scope.WEBHOOKS_MANAGE,)
    )
    for caller, code in ((people.client, "FORBIDDEN"), (other, "NOT_FOUND")):
        async with connected(served, token=caller.token) as socket:
            await socket.subscribe(QUERY, {"id": endpoint.id})
            assert (await socket.hear())["payload"][0]["extensions"]["code"] == code
    assert not served.door.deliveries._watchers
