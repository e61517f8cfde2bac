"""Mutations on webhook endpoints: creating, updating, enabling, disabling and deleting them, and rotating their secrets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import strawberry

from escrow import ids
from escrow.accounts.commands import endpoints as commands
from escrow.accounts.state.endpoints import OVERLAP, Algorithm
from escrow.ids import Kind
from escrow.pipeline import AccountOutcome
from schema.engine.fields import after, optional
from schema.mutations.running import Call, Payload, mutation
from schema.types.endpoints import WebhookEndpoint
from webhooks.request import secrets
from webhooks.request.ssrf import UrlRefused, check_url


@strawberry.type(description="The endpoint after the mutation.")
class WebhookEndpointPayload(Payload):
    webhook_endpoint: WebhookEndpoint | None = optional(
        "The endpoint; null if the mutation was refused, unless for a version: then as it is now."
    )


@strawberry.type(description="The endpoint and its new secret after the mutation.")
class WebhookSecretPayload(Payload):
    webhook_endpoint: WebhookEndpoint | None = after("The endpoint")
    secret: str | None = strawberry.field(
        default=None,
        description=(
            "What the receiver checks `v1` signatures with: `whsec_` and base64. Shown this once: null if an earlier call "
            "made it, and if the endpoint signs with ED25519 only, whose public key is always there to be read."
        ),
    )


@strawberry.input(description="A new place for an account's events.")
class CreateWebhookEndpointInput:
    url: str = strawberry.field(description="Where to send them: an https address on the internet.")
    account_id: strawberry.ID | None = optional("The account whose events they are; null for the key's own.")
    description: str = strawberry.field(default="", description="What it is for, at most 1,000 characters.")
    event_types: list[str] | None = strawberry.field(
        default=None,
        description=(
            "Which events: types such as `milestone.released`, families such as `milestone.*`, or `*`; at most 100. "
            "Null for all, those of later releases included. The query `eventTypes` lists them."
        ),
    )
    contract_ids: list[strawberry.ID] | None = optional(
        "The only contracts whose events are sent, at most 100; null for all, and for those of the account itself."
    )
    api_version: str | None = optional("The shape of what stands beside an event in a request; null for the latest.")
    algorithms: list[Algorithm] = strawberry.field(
        default_factory=lambda: [Algorithm.HMAC_SHA256],
        description="How requests are signed; with both, each request has both signatures.",
    )


@mutation(
    "Has an account's events sent to an address from now on. The secret is in this answer and nowhere else. For owners with "
    "the scope `webhooks:manage` and the operator."
)
async def create_webhook_endpoint(call: Call, given: CreateWebhookEndpointInput) -> WebhookSecretPayload:
    endpoint_id = ids.new(Kind.ENDPOINT)
    made = secrets.make(_each_once(given.algorithms), endpoint_id=endpoint_id)
    outcome = await call.run(
        commands.CreateEndpoint(
            account_id=(call.actor.account_id or "") if given.account_id is None else given.account_id,
            endpoint_id=endpoint_id,
            address=_address(call, given.url),
            secrets=tuple(secret.sealed for secret in made),
            description=given.description,
            event_types=tuple(given.event_types) if given.event_types is not None else None,
            limit=_limit(given.contract_ids),
            api_version=given.api_version,
        )
    )
    return WebhookSecretPayload(webhook_endpoint=_endpoint(outcome), secret=_shown_once(outcome, made))


@strawberry.input(description="What is different about an endpoint. What is left out stays as it is.")
class UpdateWebhookEndpointInput:
    endpoint_id: strawberry.ID = strawberry.field(description="The endpoint.")
    url: str | None = optional("Where to send events: an https address.")
    description: str | None = optional("What it is for, at most 1,000 characters.")
    event_types: list[str] | None = optional("Which events, the whole list anew; `*` for all.")
    contract_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET,
        description="The only contracts whose events are sent, the whole list anew; null, if it is said, for all.",
    )
    api_version: str | None = optional("The shape of what stands beside an event in a request.")
    expected_version: int | None = optional("The version that the edit is based on; another one is refused.")


@mutation(
    "Changes where an account's events are sent, or which of them. What was recorded before goes by the filter of then. For "
    "owners with the scope `webhooks:manage` and the operator."
)
async def update_webhook_endpoint(call: Call, given: UpdateWebhookEndpointInput) -> WebhookEndpointPayload:
    outcome = await call.run(
        commands.UpdateEndpoint(
            endpoint_id=given.endpoint_id,
            address=_address(call, given.url) if given.url is not None else None,
            description=given.description,
            event_types=tuple(given.event_types) if given.event_types is not None else None,
            limit=None if given.contract_ids is strawberry.UNSET else _limit(given.contract_ids),
            api_version=given.api_version,
            expected_version=given.expected_version,
        )
    )
    return WebhookEndpointPayload(webhook_endpoint=_endpoint(outcome))


@strawberry.input(description="Which endpoint sends again.")
class EnableWebhookEndpointInput:
    endpoint_id: strawberry.ID = strawberry.field(description="The endpoint.")


@mutation(
    "Has events sent to an endpoint again, from where it stopped and in order. For owners with the scope `webhooks:manage` "
    "and the operator."
)
async def enable_webhook_endpoint(call: Call, given: EnableWebhookEndpointInput) -> WebhookEndpointPayload:
    outcome = await call.run(commands.EnableEndpoint(endpoint_id=given.endpoint_id))
    return WebhookEndpointPayload(webhook_endpoint=_endpoint(outcome))


@strawberry.input(description="Which endpoint pauses.")
class DisableWebhookEndpointInput:
    endpoint_id: strawberry.ID = strawberry.field(description="The endpoint.")


@mutation(
    "Has nothing sent to an endpoint until it is enabled; what happens meanwhile is kept for it. For owners with the scope "
    "`webhooks:manage` and the operator."
)
async def disable_webhook_endpoint(call: Call, given: DisableWebhookEndpointInput) -> WebhookEndpointPayload:
    outcome = await call.run(commands.DisableEndpoint(endpoint_id=given.endpoint_id))
    return WebhookEndpointPayload(webhook_endpoint=_endpoint(outcome))


@strawberry.input(description="Which endpoint goes.")
class DeleteWebhookEndpointInput:
    endpoint_id: strawberry.ID = strawberry.field(description="The endpoint.")


@mutation(
    "Ends an endpoint for good, and its secrets with it. For owners with the scope `webhooks:manage` and the operator."
)
async def delete_webhook_endpoint(call: Call, given: DeleteWebhookEndpointInput) -> WebhookEndpointPayload:
    outcome = await call.run(commands.DeleteEndpoint(endpoint_id=given.endpoint_id))
    return WebhookEndpointPayload(webhook_endpoint=_endpoint(outcome))


@strawberry.input(description="Which endpoint gets new secrets.")
class RotateWebhookSecretInput:
    endpoint_id: strawberry.ID = strawberry.field(description="The endpoint.")
    overlap: timedelta = strawberry.field(
        default=OVERLAP,
        description="For how long the secrets before go on signing, too: nothing to 30 days. A day gives time to change over.",
    )
    algorithms: list[Algorithm] | None = optional("How requests are signed from now on; null for as before.")


@mutation(
    "Signs with new secrets from now on, and with those before until the overlap is over. The secret is in this answer and "
    "nowhere else. For owners with the scope `webhooks:manage` and the operator."
)
async def rotate_webhook_secret(call: Call, given: RotateWebhookSecretInput) -> WebhookSecretPayload:
    # Which of them are needed only the endpoint tells; making one costs next to nothing.
    made = secrets.make(tuple(Algorithm), endpoint_id=given.endpoint_id)
    outcome = await call.run(
        commands.RotateSecret(
            endpoint_id=given.endpoint_id,
            secrets=tuple(secret.sealed for secret in made),
            algorithms=_each_once(given.algorithms) if given.algorithms is not None else None,
            overlap=given.overlap,
        )
    )
    return WebhookSecretPayload(webhook_endpoint=_endpoint(outcome), secret=_shown_once(outcome, made))


def _address(call: Call, url: str) -> commands.Address:
    """The URL as it will be requested, or with what is wrong with it."""
    try:
        return commands.Address(check_url(url, reach=call.context.reach))
    except UrlRefused as refusal:
        return commands.Address(url, fault=str(refusal), cause=refusal.cause)


def _limit(contract_ids: Sequence[str] | None) -> commands.Limit:
    return commands.Limit(tuple(contract_ids) if contract_ids is not None else None)


def _each_once(algorithms: Sequence[Algorithm]) -> tuple[Algorithm, ...]:
    return tuple(dict.fromkeys(algorithms))


def _endpoint(outcome: AccountOutcome) -> WebhookEndpoint:
    endpoint = outcome.account.endpoints[outcome.result["endpoint_id"]]
    return WebhookEndpoint.of(endpoint, account_id=outcome.account.id)


def _shown_once(outcome: AccountOutcome, made: Sequence[secrets.NewSecret]) -> str | None:
    """The words of the HMAC secret among those that the endpoint took, unless this is a repetition."""
    if outcome.replayed:
        return None
    endpoint = outcome.account.endpoints[outcome.result["endpoint_id"]]
    taken = {secret.facts.fingerprint for secret in endpoint.secrets}
    return next((one.text for one in made if one.text and one.sealed.facts.fingerprint in taken), None)


FIELDS = [
    create_webhook_endpoint, update_webhook_endpoint, enable_webhook_endpoint, disable_webhook_endpoint,
    delete_webhook_endpoint, rotate_webhook_secret,
]  # fmt: skip
