"""Webhook endpoints on a real database: what is written, what a repetition answers, what the audit finds."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from escrow import database, ids
from escrow.access import SYSTEM, Actor, Scope
from escrow.accounts.commands import endpoints as commands
from escrow.accounts.state.endpoints import Algorithm, DisabledReason, EndpointState, SealedSecret
from escrow.audit import audit
from escrow.errors import DomainError, NotFound, VersionConflict
from escrow.idempotency import idempotency
from escrow.pipeline import AccountOutcome, run
from escrow.vault import vault
from tests.factories import Deployment, make_endpoint
from webhooks.request import secrets

pytestmark = pytest.mark.usefixtures("database")


def sealed(endpoint_id: str, *algorithms: Algorithm) -> tuple[SealedSecret, ...]:
    return tuple(one.sealed for one in secrets.make(algorithms or tuple(Algorithm), endpoint_id=endpoint_id))


async def rows(sql: str, *args: object) -> list[dict[str, Any]]:
    return [dict(row) for row in await database.fetch(sql, *args)]


async def rotate(endpoint_id: str, by: Actor, *, overlap: timedelta = timedelta(hours=24)) -> AccountOutcome:
    command = commands.RotateSecret(endpoint_id=endpoint_id, secrets=sealed(endpoint_id), overlap=overlap)
    return await run(command, by=by)


async def differences() -> list[str]:
    return [str(difference) async for difference in audit()]


async def test_a_command_on_an_endpoint_is_one_read_and_one_write() -> None:
    there = await Deployment.make()
    endpoint = await make_endpoint(there.client)
    with database.counting() as statements:
        await run(commands.DisableEndpoint(endpoint_id=endpoint.id), by=there.client)
    assert len(statements) == 2
    with database.counting() as statements:
        await run(commands.DisableEndpoint(endpoint_id=endpoint.id), by=there.client)
    assert len(statements) == 1


async def test_an_endpoint_stands_in_the_tables_as_it_was_asked_for() -> None:
    there = await Deployment.make()
    deal = await there.propose()
    made = await make_endpoint(
        there.freelancer,
        "https://hooks.example.com/a",
        event_types=("milestone.released", "contract.*"),
        contract_ids=(deal.id,),
        algorithms=tuple(Algorithm),
    )
    (row,) = await rows("SELECT * FROM endpoints")
    assert (row["id"], row["account_id"], row["url"]) == (
        made.id,
        there.freelancer.account_id,
        "https://hooks.example.com/a",
    )
    assert row["event_types"] == ["contract.*", "milestone.released"]
    assert (row["contract_ids"], row["version"], row["disabled_at"]) == ([deal.id], 1, None)
    stored = await rows("SELECT algorithm, public_key FROM endpoint_secrets ORDER BY algorithm DESC")
    assert [one["algorithm"] for one in stored] == ["HMAC_SHA256", "ED25519"]
    assert stored[0]["public_key"] is None
    assert stored[1]["public_key"].startswith("whpk_")
    assert await differences() == []


async def test_neither_secret_nor_url_is_in_an_event() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client, "https://hooks.example.com/in/T0KEN")
    await rotate(made.id, there.client)
    bodies = "\n".join(row["body"] for row in await rows("SELECT body FROM events"))
    assert made.id in bodies
    assert "T0KEN" not in bodies
    tables = ("events", "texts", "endpoints", "endpoint_secrets", "idempotency_keys")
    found = [await rows(f"SELECT one.*::text AS whole FROM {table} AS one") for table in tables]
    everything = "\n".join(row["whole"] for table in found for row in table)
    assert made.secret.removeprefix("whsec_") not in everything
    opened = [
        vault().decrypt(row["ciphertext"], purpose=secrets.purpose_of(made.id))
        for row in await rows("SELECT ciphertext FROM endpoint_secrets ORDER BY created_at")
    ]
    assert secrets.secret_text(opened[0]) == made.secret
    assert all(secret.hex() not in everything for secret in opened)


async def test_what_is_changed_is_changed_and_the_rest_stays() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client, event_types=("milestone.*",))
    change = commands.UpdateEndpoint(endpoint_id=made.id, description="For the ledger", expected_version=1)
    outcome = await run(change, by=there.client)
    after = outcome.account.endpoints[made.id]
    assert (after.description, after.event_types, after.version) == ("For the ledger", ("milestone.*",), 2)
    (event,) = await rows("SELECT * FROM events WHERE type = 'endpoint.changed'")
    assert set(json.loads(event["body"])["data"]["texts"]) == {"description"}
    assert await differences() == []


async def test_an_edit_of_an_older_version_changes_nothing() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    await run(commands.UpdateEndpoint(endpoint_id=made.id, description="First"), by=there.client)
    late = commands.UpdateEndpoint(endpoint_id=made.id, description="Second", expected_version=1)
    with pytest.raises(VersionConflict) as refusal:
        await run(late, by=there.client)
    assert refusal.value.details == {"version": 2}
    assert [row["description"] for row in await rows("SELECT description FROM endpoints")] == ["First"]


async def test_a_rotation_keeps_the_secret_before_for_the_overlap() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    outcome = await rotate(made.id, there.client, overlap=timedelta(hours=1))
    first, second = outcome.account.endpoints[made.id].secrets
    assert (first.expires_at is None, second.expires_at) == (False, None)
    (ends,) = await rows("SELECT expires_at - clock_timestamp() AS left FROM endpoint_secrets WHERE expires_at > now()")
    assert timedelta(minutes=59) < ends["left"] <= timedelta(hours=1)
    assert await differences() == []


async def test_a_secret_whose_time_is_over_is_forgotten_by_the_next_rotation() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    await rotate(made.id, there.client, overlap=timedelta(0))
    assert len(await rows("SELECT FROM endpoint_secrets")) == 2
    await rotate(made.id, there.client)
    assert len(await rows("SELECT FROM endpoint_secrets")) == 2
    assert await differences() == []


async def test_a_deleted_endpoint_keeps_its_row_and_loses_its_secrets() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    outcome = await run(commands.DeleteEndpoint(endpoint_id=made.id), by=there.client)
    assert outcome.account.endpoints[made.id].deleted_at is not None
    assert await rows("SELECT * FROM endpoint_secrets") == []
    (row,) = await rows("SELECT * FROM endpoints")
    assert row["deleted_at"] is not None
    assert await differences() == []
    again = await run(commands.DeleteEndpoint(endpoint_id=made.id), by=there.client)
    assert not again.recorded


async def test_the_service_disables_what_it_found_wanting_and_only_as_it_found_it() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    await run(commands.UpdateEndpoint(endpoint_id=made.id, description="Repaired"), by=there.client)
    stale = commands.DisableEndpoint(endpoint_id=made.id, reason=DisabledReason.GONE, expected_version=1)
    with pytest.raises(VersionConflict):
        await run(stale, by=SYSTEM)
    assert await rows("SELECT FROM endpoints WHERE disabled_at IS NOT NULL") == []
    outcome = await run(replace(stale, expected_version=2), by=SYSTEM)
    after = outcome.account.endpoints[made.id]
    assert (after.state, after.disabled_reason) == (EndpointState.DISABLED, DisabledReason.GONE)
    (event,) = await rows("SELECT body FROM events WHERE type = 'endpoint.disabled'")
    body = json.loads(event["body"])
    assert (body["actor"], body["data"]["reason"]) == ({"kind": "SYSTEM"}, "GONE")
    enabled = await run(commands.EnableEndpoint(endpoint_id=made.id), by=there.client)
    assert enabled.account.endpoints[made.id].state is EndpointState.ENABLED
    assert await differences() == []


async def test_a_repeated_creation_makes_one_endpoint() -> None:
    there = await Deployment.make()
    key = idempotency("once", operation="createWebhookEndpoint", given={"url": "https://a.example"})

    def creation() -> commands.CreateEndpoint:
        endpoint_id = ids.new(ids.Kind.ENDPOINT)
        return commands.CreateEndpoint(
            account_id=there.client.account_id or "",
            endpoint_id=endpoint_id,
            address=commands.Address("https://a.example"),
            secrets=sealed(endpoint_id),
        )

    outcomes = [await run(creation(), by=there.client, idempotency=key) for _ in range(2)]
    assert [outcome.replayed for outcome in outcomes] == [False, True]
    assert outcomes[0].result == outcomes[1].result
    assert outcomes[1].account.endpoints[outcomes[0].result["endpoint_id"]].url == "https://a.example"
    assert len(await rows("SELECT FROM endpoints")) == 1
    reader = replace(there.client, scopes=frozenset({Scope.CONTRACTS_READ}))
    with pytest.raises(DomainError):
        await run(creation(), by=reader, idempotency=key)


async def test_two_edits_at_once_are_both_done_one_after_the_other() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    await asyncio.gather(
        *(
            run(commands.UpdateEndpoint(endpoint_id=made.id, description=f"Edit {number}"), by=there.client)
            for number in range(8)
        )
    )
    (row,) = await rows("SELECT version FROM endpoints")
    assert row["version"] == 9
    assert await differences() == []


async def test_an_endpoint_of_somebody_else_is_not_found() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    for command in (
        commands.UpdateEndpoint(endpoint_id=made.id, description="Mine"),
        commands.DeleteEndpoint(endpoint_id=made.id),
        commands.DeleteEndpoint(endpoint_id="whe_1"),
    ):
        with pytest.raises(NotFound):
            await run(command, by=there.freelancer)
    assert len(await rows("SELECT FROM endpoints WHERE deleted_at IS NULL")) == 1


async def test_a_contract_of_others_is_not_found() -> None:
    there = await Deployment.make()
    await there.propose()
    with pytest.raises(NotFound) as refusal:
        await make_endpoint(there.client, contract_ids=(ids.new(ids.Kind.CONTRACT),))
    assert refusal.value.field == "contractIds.0"
    other = await there.propose()
    with pytest.raises(NotFound):
        await make_endpoint(there.mediator, contract_ids=(other.id,))
    assert await rows("SELECT FROM endpoints") == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("UPDATE endpoints SET url = 'https://evil.example'", "endpoints.url"),
        ("UPDATE endpoints SET disabled_at = NULL, disabled_reason = NULL", "endpoints.disabled_at"),
        ("UPDATE endpoints SET event_types = '{contract.*}'", "endpoints.event_types"),
        ("UPDATE endpoint_secrets SET fingerprint = repeat('0', 64)", "endpoint_secrets"),
        ("DELETE FROM endpoint_secrets", "endpoint_secrets"),
        ("UPDATE endpoint_secrets SET expires_at = now()", "endpoint_secrets.expires_at"),
    ],
)
async def test_the_audit_finds_what_no_command_changed(fault: str, told: str) -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    await run(commands.DisableEndpoint(endpoint_id=made.id), by=there.client)
    assert await differences() == []
    await database.execute(fault)
    assert any(told in difference for difference in await differences())


async def test_words_of_an_endpoint_read_as_empty_once_erased() -> None:
    there = await Deployment.make()
    await make_endpoint(there.client)
    await database.execute("UPDATE texts SET body = NULL, salt = NULL, erased_at = now() WHERE field = 'url'")
    assert [difference.split(": ")[1] for difference in await differences()] == ["endpoints.url"]
    await database.execute("UPDATE endpoints SET url = ''")
    assert await differences() == []
