"""What receivers read: the catalogue, the schemas, and the public keys that check `v1a` signatures."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jsonschema import Draft202012Validator

from escrow import database, ids, log, pipeline
from escrow.access import Scope
from escrow.accounts.commands import endpoints as commands
from escrow.accounts.state.endpoints import Algorithm
from tests.api.client import People, with_key
from tests.factories import make_endpoint
from webhooks.request import public_keys
from webhooks.request.endpoints import endpoints
from webhooks.request.signing import sign

KEYS = "/.well-known/webhook-keys"


async def test_every_type_comes_with_its_schema_and_a_valid_example(people: People) -> None:
    fields = "name family description schemaVersion schema example isTest"
    with database.counting() as statements:
        found = (await people.client.ask(f"{{ eventTypes {{ {fields} }} }}"))["eventTypes"]
    assert len(statements) == 1  # the key
    assert {one["name"] for one in found if not one["isTest"]} == {kind for kind, _ in log.CATALOGUE}
    for one in found:
        Draft202012Validator(one["schema"]).validate(one["example"])
        assert one["family"] == one["name"].split(".")[0] + ".*"
        assert one["example"]["data"]["event"]["version"] == one["schemaVersion"]


async def test_every_pattern_of_the_catalogue_is_one_that_an_endpoint_takes(people: People) -> None:
    owner = await with_key(
        people.client.http,
        people.deployment.client,
        people.deployment.operator,
        (Scope.WEBHOOKS_MANAGE, Scope.CONTRACTS_READ),
    )
    found = (await owner.ask("{ eventTypes { name family isTest } }"))["eventTypes"]
    patterns = sorted({one[key] for one in found for key in ("name", "family") if not one["isTest"]})
    await owner.done(
        "createWebhookEndpoint",
        {"url": "https://hooks.example.com", "eventTypes": patterns},
        "webhookEndpoint { id }",
    )


async def test_the_catalogue_needs_credentials(people: People) -> None:
    (error,) = await people.nobody.errors("{ eventTypes { name } }")
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_the_schemas_are_public_and_one_document(people: People) -> None:
    answer = await people.nobody.http.get("/events.schema.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json")
    document = answer.json()
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(document)
    (example,) = [
        one["example"]
        for one in (await people.client.ask("{ eventTypes { name example } }"))["eventTypes"]
        if one["name"] == "contract.proposed"
    ]
    Draft202012Validator(document).validate(example)


async def test_the_requests_are_public_as_asyncapi_with_a_message_for_each_type(people: People) -> None:
    answer = await people.nobody.http.get("/asyncapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    document = answer.json()
    assert document["asyncapi"] == "3.0.0"
    messages = document["components"]["messages"]
    assert {one["title"] for one in messages.values()} == {kind for kind, _ in log.CATALOGUE} | {
        "endpoint.test",
        "log.cut",
    }
    assert [one["$ref"] for one in document["operations"]["sendEvent"]["messages"]] == [
        f"#/channels/endpoint/messages/{name}" for name in messages
    ]
    for one in messages.values():
        validator = Draft202012Validator({"$ref": one["payload"]["$ref"], "components": document["components"]})
        validator.validate(one["examples"][0]["payload"])


async def keys(people: People, path: str = KEYS) -> dict[str, Any]:
    answer = await people.nobody.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=300"
    found: dict[str, Any] = answer.json()
    return found


def verify(public_key: str, headers: dict[str, str], body: bytes) -> None:
    """As a receiver does it that knows nothing but the published key. Raises `InvalidSignature`."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    (signature,) = [one for one in headers["webhook-signature"].split(" ") if one.startswith("v1a,")]
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key.verify(base64.b64decode(signature.removeprefix("v1a,")), content)


async def test_a_request_is_verified_with_the_published_key_of_its_endpoint(people: People) -> None:
    await make_endpoint(people.deployment.client)
    made = await make_endpoint(people.deployment.client, algorithms=tuple(Algorithm))
    other = await make_endpoint(people.deployment.freelancer, algorithms=(Algorithm.ED25519,))
    published = {one["endpoint"]: one for one in (await keys(people))["keys"]}
    assert set(published) == {made.id, other.id}
    assert {one["algorithm"] for one in published.values()} == {"ed25519"}
    for endpoint in (await endpoints([made.id, other.id])).values():
        headers = sign(endpoint.keys, message_id="evt_1", timestamp=int(time.time()), body=b"{}")
        verify(published[endpoint.id]["publicKey"], headers, b"{}")
    assert await keys(people, f"{KEYS}?endpoint={made.id}") == {"keys": [published[made.id]]}
    assert await keys(people, f"{KEYS}?endpoint={ids.new(ids.Kind.ENDPOINT)}") == {"keys": []}


async def test_after_a_rotation_both_keys_are_published_until_the_overlap_is_over(people: People) -> None:
    from webhooks.request import secrets

    made = await make_endpoint(people.deployment.client, algorithms=(Algorithm.ED25519,))
    (before,) = (await keys(people))["keys"]
    sealed = tuple(one.sealed for one in secrets.make(tuple(Algorithm), endpoint_id=made.id))
    await pipeline.run(commands.RotateSecret(endpoint_id=made.id, secrets=sealed), by=people.deployment.client)
    now, former = (await keys(people))["keys"]
    assert (now["expiresAt"], former["publicKey"]) == (None, before["publicKey"])
    assert former["expiresAt"].endswith("Z")
    await database.execute("UPDATE endpoint_secrets SET expires_at = now() WHERE expires_at IS NOT NULL")
    assert (await keys(people))["keys"] == [now]
    await pipeline.run(commands.DeleteEndpoint(endpoint_id=made.id), by=people.deployment.client)
    assert (await keys(people))["keys"] == []


async def test_many_keys_come_page_by_page(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_keys, "PAGE_ENDPOINTS", 2)
    made = [await make_endpoint(people.deployment.client, algorithms=(Algorithm.ED25519,)) for _ in range(5)]
    path, seen = KEYS, []
    while path:
        page = await keys(people, path)
        seen.append([one["endpoint"] for one in page["keys"]])
        path = page.get("next", "")
    assert seen == [[one.id for one in made[:2]], [one.id for one in made[2:4]], [made[4].id]]


@pytest.mark.parametrize("query", ["endpoint=x", "after=%00", "endpoint=", "endpoint=acc_00000000000000000000000001"])
async def test_what_is_no_endpoint_is_refused_in_one_line(people: People, query: str) -> None:
    answer = await people.nobody.http.get(f"{KEYS}?{query}")
    assert answer.status_code == 400
    assert "is the identifier of an endpoint" in answer.json()["error"]
