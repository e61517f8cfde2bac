"""Webhook endpoints over HTTP: managed by owners with the scope for it, seen by nobody else, secrets shown once."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from escrow import database, pipeline
from escrow.access import Role, Scope
from escrow.accounts import commands
from escrow.ids import Kind, new
from tests.api.client import PARTY_SCOPES, Caller, People, with_key

URL = "https://hooks.example.com/earnest"
MANAGES = (Scope.WEBHOOKS_MANAGE, Scope.CONTRACTS_READ)
FIELDS = "webhookEndpoint { id accountId url description eventTypes contractIds apiVersion algorithms state version }"
SECRETS = "webhookEndpoint { id version algorithms secrets { algorithm publicKey expiresAt } } secret"


@pytest_asyncio.fixture(loop_scope="session")
async def owner(people: People) -> Caller:
    """A program of the client's that manages webhooks and reads what they are sent, and may do nothing else."""
    return await with_key(people.client.http, people.deployment.client, people.deployment.operator, MANAGES)


async def create(by: Caller, **given: Any) -> dict[str, Any]:
    payload = await by.done("createWebhookEndpoint", {"url": URL, **given}, f"{FIELDS} secret")
    endpoint: dict[str, Any] = payload["webhookEndpoint"]
    return endpoint


async def refusals(by: Caller, mutation: str, given: dict[str, Any]) -> list[tuple[str, str | None]]:
    payload = await by.do(mutation, given, "webhookEndpoint { id }")
    return [(error["code"], error["field"]) for error in payload["userErrors"]]


async def test_an_endpoint_is_made_for_the_keys_own_account_with_a_secret_that_is_shown_once(owner: Caller) -> None:
    payload = await owner.done("createWebhookEndpoint", {"url": URL}, f"{FIELDS} secret")
    endpoint = payload["webhookEndpoint"]
    assert payload["secret"].startswith("whsec_")
    assert endpoint == {
        "id": endpoint["id"],
        "accountId": owner.account_id,
        "url": URL,
        "description": "",
        "eventTypes": ["*"],
        "contractIds": None,
        "apiVersion": "2026-11-22",
        "algorithms": ["HMAC_SHA256"],
        "state": "ENABLED",
        "version": 1,
    }
    listed = await owner.ask("{ webhookEndpoints { id url secrets { publicKey expiresAt } } }")
    assert listed["webhookEndpoints"] == [
        {"id": endpoint["id"], "url": URL, "secrets": [{"publicKey": None, "expiresAt": None}]}
    ]


async def test_a_repeated_creation_answers_with_the_first_endpoint_and_no_secret(owner: Caller) -> None:
    first = await owner.done("createWebhookEndpoint", {"url": URL}, f"{FIELDS} secret", key="once")
    again = await owner.done("createWebhookEndpoint", {"url": URL}, f"{FIELDS} secret", key="once")
    assert first["secret"] is not None
    assert again == {**first, "secret": None}
    rotation = {"endpointId": first["webhookEndpoint"]["id"]}
    rotated = [await owner.done("rotateWebhookSecret", rotation, SECRETS, key="twice") for _ in range(2)]
    assert rotated[1] == {**rotated[0], "secret": None}
    assert await database.fetch_value("SELECT count(*) FROM endpoint_secrets") == 2


async def test_leaving_out_the_contracts_and_saying_null_are_two_inputs(owner: Caller, people: People) -> None:
    deal = await people.deployment.propose()
    endpoint = await create(owner, contractIds=[deal.id])
    silent = {"endpointId": endpoint["id"], "description": "x"}
    kept = await owner.done("updateWebhookEndpoint", silent, FIELDS, key="k")
    assert kept["webhookEndpoint"]["contractIds"] == [deal.id]
    said = await owner.do("updateWebhookEndpoint", {**silent, "contractIds": None}, FIELDS, key="k")
    assert [error["code"] for error in said["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]
    widened = await owner.done("updateWebhookEndpoint", {**silent, "contractIds": None}, FIELDS)
    assert widened["webhookEndpoint"]["contractIds"] is None


async def test_an_edit_on_an_older_version_answers_with_the_endpoint_as_it_is(owner: Caller) -> None:
    endpoint = await create(owner)
    edit = {"endpointId": endpoint["id"], "expectedVersion": 1}
    await owner.done("updateWebhookEndpoint", {**edit, "eventTypes": ["milestone.*"]}, FIELDS)
    late = await owner.do("updateWebhookEndpoint", {**edit, "eventTypes": ["contract.*"]}, FIELDS)
    assert late["userErrors"][0]["code"] == "VERSION_CONFLICT"
    assert (late["webhookEndpoint"]["version"], late["webhookEndpoint"]["eventTypes"]) == (2, ["milestone.*"])


async def test_an_endpoint_is_disabled_enabled_and_deleted(owner: Caller) -> None:
    endpoint = {"endpointId": (await create(owner))["id"]}
    state = "webhookEndpoint { state disabledReason disabledAt deletedAt }"
    disabled = (await owner.done("disableWebhookEndpoint", endpoint, state))["webhookEndpoint"]
    assert (disabled["state"], disabled["disabledReason"]) == ("DISABLED", "REQUESTED")
    assert disabled["disabledAt"] is not None
    enabled = (await owner.done("enableWebhookEndpoint", endpoint, state))["webhookEndpoint"]
    assert enabled == {"state": "ENABLED", "disabledReason": None, "disabledAt": None, "deletedAt": None}
    deleted = (await owner.done("deleteWebhookEndpoint", endpoint, state))["webhookEndpoint"]
    assert deleted["deletedAt"] is not None
    assert (await owner.ask("{ webhookEndpoints { id } }"))["webhookEndpoints"] == []
    node = await owner.ask("query ($id: ID!) { node(id: $id) { id } }", {"id": endpoint["endpointId"]})
    assert node["node"] is None


async def test_a_rotation_shows_the_new_secret_and_until_when_the_old_one_signs(owner: Caller) -> None:
    endpoint = await create(owner, algorithms=["HMAC_SHA256", "ED25519"])
    rotation = {"endpointId": endpoint["id"], "overlap": "PT1H"}
    rotated = await owner.done("rotateWebhookSecret", rotation, SECRETS)
    assert rotated["secret"].startswith("whsec_")
    signing = rotated["webhookEndpoint"]["secrets"]
    assert [one["algorithm"] for one in signing] == ["HMAC_SHA256", "ED25519"] * 2
    assert [one["expiresAt"] is None for one in signing] == [True, True, False, False]
    assert len({one["publicKey"] for one in signing}) == 3
    only = await owner.done("rotateWebhookSecret", {**rotation, "algorithms": ["ED25519"]}, SECRETS)
    assert (only["secret"], only["webhookEndpoint"]["algorithms"]) == (None, ["ED25519"])


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"url": "http://hooks.example.com"}, "INVALID_INPUT", "url"),
        ({"url": "https://127.0.0.1/x"}, "INVALID_INPUT", "url"),
        ({"url": "https://user:password@hooks.example.com"}, "INVALID_INPUT", "url"),
        ({"url": "ftp://hooks.example.com"}, "INVALID_INPUT", "url"),
        ({"url": "hooks.example.com"}, "INVALID_INPUT", "url"),
        ({"url": ""}, "INVALID_INPUT", "url"),
        ({"eventTypes": ["milestone.relased"]}, "INVALID_INPUT", "eventTypes.0"),
        ({"eventTypes": []}, "INVALID_INPUT", "eventTypes"),
        ({"algorithms": []}, "INVALID_INPUT", "algorithms"),
        ({"apiVersion": "v1"}, "INVALID_INPUT", "apiVersion"),
        ({"description": "x" * 1_001}, "INVALID_INPUT", "description"),
        ({"contractIds": ["ctr_1"]}, "NOT_FOUND", "contractIds.0"),
        ({"accountId": "acc_1"}, "NOT_FOUND", "accountId"),
    ],
    ids=str,
)
async def test_nonsense_is_refused_in_one_line_and_nothing_is_made(
    owner: Caller, given: dict[str, Any], code: str, field: str
) -> None:
    assert await refusals(owner, "createWebhookEndpoint", {"url": URL, **given}) == [(code, field)]
    assert await database.fetch_value("SELECT count(*) FROM endpoints") == 0


async def test_a_url_is_kept_as_it_will_be_requested(owner: Caller) -> None:
    endpoint = await create(owner, url="https://Hooks.EXAMPLE.com./a?b=c")
    assert endpoint["url"] == "https://hooks.example.com/a?b=c"


async def test_a_bad_url_of_somebody_elses_endpoint_is_not_found_first(owner: Caller, people: People) -> None:
    endpoint = await create(owner)
    other = await with_key(
        people.client.http, people.deployment.freelancer, people.deployment.operator, (Scope.WEBHOOKS_MANAGE,)
    )
    edit = {"endpointId": endpoint["id"], "url": "nonsense"}
    assert await refusals(other, "updateWebhookEndpoint", edit) == [("NOT_FOUND", "endpointId")]


async def test_only_owners_with_the_scope_and_the_operator_manage_endpoints(owner: Caller, people: People) -> None:
    endpoint = await create(owner)
    manager_id = new(Kind.MEMBER)
    member = commands.AddMember(
        account_id=owner.account_id, member_id=manager_id, person="mo@shop.example", name="Mo", role=Role.MANAGER
    )
    await pipeline.run(member, by=people.deployment.operator)
    manager = await with_key(
        people.client.http,
        people.deployment.client,
        people.deployment.operator,
        (Scope.WEBHOOKS_MANAGE, *PARTY_SCOPES),
        member_id=manager_id,
    )
    for mutation in (
        "updateWebhookEndpoint",
        "disableWebhookEndpoint",
        "deleteWebhookEndpoint",
        "rotateWebhookSecret",
    ):
        for by in (manager, people.client):
            assert await refusals(by, mutation, {"endpointId": endpoint["id"]}) == [("FORBIDDEN", None)]
        assert await refusals(people.freelancer, mutation, {"endpointId": endpoint["id"]}) == [
            ("NOT_FOUND", "endpointId")
        ]
    assert await refusals(people.client, "createWebhookEndpoint", {"url": URL}) == [("FORBIDDEN", None)]
    await people.operator.done("disableWebhookEndpoint", {"endpointId": endpoint["id"]}, FIELDS)
    await create(people.operator, accountId=owner.account_id)
    assert len((await owner.ask("{ webhookEndpoints { id } }"))["webhookEndpoints"]) == 2


async def test_endpoints_are_seen_by_their_account_with_the_scope_and_by_the_operator(
    owner: Caller, people: People
) -> None:
    endpoint = await create(owner)
    node = "query ($id: ID!) { node(id: $id) { id ... on WebhookEndpoint { url } } }"
    account = "query ($id: ID!) { node(id: $id) { ... on Account { webhookEndpoints { id } } } }"
    for by in (owner, people.operator):
        found = await by.ask(node, {"id": endpoint["id"]})
        assert found["node"] == {"id": endpoint["id"], "url": URL}
        assert await by.ask(account, {"id": owner.account_id}) == {
            "node": {"webhookEndpoints": [{"id": endpoint["id"]}]}
        }
    for query, named in ((node, endpoint["id"]), (account, owner.account_id)):
        (error,) = await people.client.errors(query, {"id": named})
        assert (error["extensions"]["code"], error["extensions"]["scope"]) == ("FORBIDDEN", "webhooks:manage")
    stranger = await people.stranger(scopes=(Scope.WEBHOOKS_MANAGE,))
    assert (await stranger.ask(node, {"id": endpoint["id"]}))["node"] is None
    await people.deployment.propose()
    counterparty = await with_key(
        people.client.http, people.deployment.freelancer, people.deployment.operator, (Scope.WEBHOOKS_MANAGE,)
    )
    assert await counterparty.ask(account, {"id": owner.account_id}) == {"node": {"webhookEndpoints": None}}


async def test_a_key_that_may_not_read_contracts_has_no_events_sent_anywhere(owner: Caller, people: People) -> None:
    """Nor does it make one wider, send it elsewhere or have events sent again; whoever reads may do each."""
    blind = await with_key(
        people.client.http, people.deployment.client, people.deployment.operator, (Scope.WEBHOOKS_MANAGE,)
    )
    deal = await people.deployment.propose()
    there = await create(owner, contractIds=[deal.id], eventTypes=["contract.*"])
    elsewhere = {"endpointId": there["id"], "url": "https://evil.example/"}
    attempts: dict[str, list[dict[str, Any]]] = {
        "createWebhookEndpoint": [{"url": URL}, {"url": URL, "contractIds": [deal.id]}],
        "updateWebhookEndpoint": [
            elsewhere,
            {"endpointId": there["id"], "eventTypes": ["*"]},
            {"endpointId": there["id"], "contractIds": None},
        ],
    }
    before = await owner.ask(f"{{ webhookEndpoints {{ {FIELDS.removeprefix('webhookEndpoint ').strip('{} ')} }} }}")
    for mutation, inputs in attempts.items():
        for given in inputs:
            payload = await blind.do(mutation, given, "webhookEndpoint { id }")
            (error,) = payload["userErrors"]
            assert (error["code"], error["details"]["scope"]) == ("FORBIDDEN", "contracts:read"), (mutation, given)
    again = await blind.do(
        "replayEvents", {"endpointId": there["id"], "since": "2020-01-01T00:00:00Z"}, "replay { id }"
    )
    assert [(one["code"], one["details"]["scope"]) for one in again["userErrors"]] == [("FORBIDDEN", "contracts:read")]
    assert (
        await owner.ask(f"{{ webhookEndpoints {{ {FIELDS.removeprefix('webhookEndpoint ').strip('{} ')} }} }}")
        == before
    )
    listed = await blind.ask("{ webhookEndpoints { id state } }")
    assert listed == {"webhookEndpoints": [{"id": there["id"], "state": "ENABLED"}]}
    assert await refusals(blind, "disableWebhookEndpoint", {"endpointId": there["id"]}) == []
    assert await refusals(owner, "updateWebhookEndpoint", elsewhere) == []


async def test_a_key_for_some_contracts_manages_and_sees_only_endpoints_for_those(
    owner: Caller, people: People
) -> None:
    deal, other = await people.deployment.propose(), await people.deployment.propose()
    await create(owner)
    limited = await with_key(
        people.client.http,
        people.deployment.client,
        people.deployment.operator,
        MANAGES,
        contract_ids=(deal.id,),
    )
    assert await refusals(limited, "createWebhookEndpoint", {"url": URL}) == [("FORBIDDEN", "contractIds")]
    beyond = {"url": URL, "contractIds": [other.id]}
    assert await refusals(limited, "createWebhookEndpoint", beyond) == [("NOT_FOUND", "contractIds.0")]
    own = await create(limited, contractIds=[deal.id])
    assert await limited.ask("{ webhookEndpoints { id } }") == {"webhookEndpoints": [{"id": own["id"]}]}
    assert len((await owner.ask("{ webhookEndpoints { id } }"))["webhookEndpoints"]) == 2


async def test_endpoints_of_many_accounts_come_in_one_statement(people: People) -> None:
    for account_id in (people.client.account_id, people.freelancer.account_id):
        for _ in range(2):
            await create(people.operator, accountId=account_id)
    with database.counting() as statements:
        found = await people.operator.ask("{ accounts { nodes { webhookEndpoints { id secrets { algorithm } } } } }")
    assert sum(len(one["webhookEndpoints"]) for one in found["accounts"]["nodes"]) == 4
    assert len(statements) == 3


async def test_what_happened_to_an_endpoint_is_in_the_accounts_timeline_without_its_secret(
    owner: Caller, people: People
) -> None:
    payload = await owner.done("createWebhookEndpoint", {"url": URL}, "webhookEndpoint { id } secret")
    endpoint = {"endpointId": payload["webhookEndpoint"]["id"]}
    await owner.done("disableWebhookEndpoint", endpoint, FIELDS)
    timeline = await people.client.ask(
        "{ viewer { account { timeline { nodes { type body texts { field value } } } } } }"
    )
    nodes = timeline["viewer"]["account"]["timeline"]["nodes"]
    assert [node["type"] for node in nodes][-2:] == ["endpoint.created", "endpoint.disabled"]
    assert {"field": "url", "value": URL} in nodes[-2]["texts"]
    assert payload["secret"] not in str(nodes)
