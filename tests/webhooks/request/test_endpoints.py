"""What delivering knows of endpoints: one statement for many, keys decrypted, both during a rotation."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from escrow import database, ids, vault
from escrow.accounts.commands import endpoints as commands
from escrow.accounts.state.endpoints import Algorithm
from escrow.pipeline import run
from tests.factories import SECRET_KEY, Deployment, make_endpoint
from webhooks.request import secrets
from webhooks.request.endpoints import Endpoint, endpoints
from webhooks.request.signing import sign

pytestmark = pytest.mark.usefixtures("database")


def request(endpoint: Endpoint) -> dict[str, str]:
    return sign(endpoint.keys, message_id="evt_1", timestamp=int(time.time()), body=b"{}")


async def rotate(there: Deployment, endpoint_id: str, overlap: timedelta) -> str:
    made = secrets.make(tuple(Algorithm), endpoint_id=endpoint_id)
    rotation = commands.RotateSecret(
        endpoint_id=endpoint_id, secrets=tuple(one.sealed for one in made), overlap=overlap
    )
    await run(rotation, by=there.client)
    return made[0].text or ""


async def test_many_endpoints_are_one_statement_and_their_secrets_verify() -> None:
    there = await Deployment.make()
    made = [
        await make_endpoint(by, f"https://hooks.example.com/{number}")
        for number, by in enumerate((there.client, there.client, there.freelancer))
    ]
    with database.counting() as statements:
        found = await endpoints([one.id for one in made] + [ids.new(ids.Kind.ENDPOINT)])
    assert len(statements) == 1
    assert [found[one.id].url[-1] for one in made] == ["0", "1", "2"]
    for one in made:
        Webhook(one.secret).verify("{}", request(found[one.id]))


async def test_during_a_rotation_requests_carry_both_signatures_and_after_it_one() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    new = await rotate(there, made.id, timedelta(hours=24))
    found = (await endpoints([made.id]))[made.id]
    assert len(found.keys) == 2
    for secret in (made.secret, new):
        Webhook(secret).verify("{}", request(found))
    await database.execute("UPDATE endpoint_secrets SET expires_at = now() - interval '1 s' WHERE expires_at > now()")
    after = (await endpoints([made.id]))[made.id]
    assert len(after.keys) == 1
    Webhook(new).verify("{}", request(after))


async def test_a_rotation_without_overlap_ends_the_secret_before_at_once() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    new = await rotate(there, made.id, timedelta(0))
    found = (await endpoints([made.id]))[made.id]
    assert len(found.keys) == 1
    Webhook(new).verify("{}", request(found))


async def test_a_disabled_endpoint_is_known_and_a_deleted_one_is_gone() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    await run(commands.DisableEndpoint(endpoint_id=made.id), by=there.client)
    found = (await endpoints([made.id]))[made.id]
    assert found.version == 2
    await run(commands.DeleteEndpoint(endpoint_id=made.id), by=there.client)
    assert await endpoints([made.id]) == {}


async def test_after_a_rotation_of_the_deployments_keys_old_secrets_still_sign() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    vault.use([b"n" * 32, SECRET_KEY])
    found = (await endpoints([made.id]))[made.id]
    Webhook(made.secret).verify("{}", request(found))


async def test_a_secret_that_no_key_opens_leaves_other_endpoints_alone(caplog: pytest.LogCaptureFixture) -> None:
    there = await Deployment.make()
    lost = await make_endpoint(there.client)
    vault.use([b"n" * 32])
    new_id = ids.new(ids.Kind.ENDPOINT)
    made = secrets.make([Algorithm.HMAC_SHA256], endpoint_id=new_id)
    creation = commands.CreateEndpoint(
        account_id=there.client.account_id or "",
        endpoint_id=new_id,
        address=commands.Address("https://hooks.example.com"),
        secrets=(made[0].sealed,),
    )
    await run(creation, by=there.client)
    with caplog.at_level(logging.ERROR):
        found = await endpoints([lost.id, new_id])
    assert (len(found[lost.id].keys), len(found[new_id].keys)) == (0, 1)
    assert "EARNEST_SECRET_KEYS" in caplog.text
    assert lost.secret not in caplog.text
