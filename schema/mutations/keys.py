"""Mutations on API keys: creating and revoking them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from escrow import ids, lineage
from escrow.access import Scope
from escrow.accounts import commands, tokens
from escrow.ids import Kind
from escrow.pipeline import AccountOutcome
from schema.engine.fields import after, optional
from schema.mutations.running import Call, Payload, mutation
from schema.types.accounts import Account
from schema.types.keys import ApiKey


@strawberry.type(description="The account and the key after the mutation.")
class ApiKeyPayload(Payload):
    account: Account | None = after("The account")
    api_key: ApiKey | None = after("The key")


@strawberry.type(description="The account, the key and its secret after the mutation.")
class CreateApiKeyPayload(Payload):
    account: Account | None = after("The account")
    api_key: ApiKey | None = after("The key")
    secret: str | None = optional(
        "What the program sends as `Authorization: Bearer …`. Shown this once: null if an earlier call made the key."
    )


@strawberry.input(description="A key for a program that will act for an account.")
class CreateApiKeyInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")
    name: str = strawberry.field(description="What it is for, 1 to 200 characters.")
    scopes: list[Scope] = strawberry.field(description="What it may be used for; no more than the key that makes it.")
    member_id: strawberry.ID | None = optional(
        "The member that it acts as; null to act as an owner, within its scopes."
    )
    contract_ids: list[strawberry.ID] | None = optional(
        "The only contracts that it reaches, at most 100; null for all of the account's."
    )
    expires_at: datetime | None = optional("When it stops working by itself.")


@mutation("Makes a key for a program. Its secret is in this answer and nowhere else. For owners and the operator.")
async def create_api_key(call: Call, given: CreateApiKeyInput) -> CreateApiKeyPayload:
    token = tokens.new()
    outcome = await call.run(
        commands.CreateApiKey(
            account_id=given.account_id,
            key_id=ids.new(Kind.KEY),
            name=given.name,
            scopes=tuple(given.scopes),
            token=token,
            member_id=given.member_id,
            contract_ids=tuple(given.contract_ids) if given.contract_ids is not None else None,
            expires_at=given.expires_at,
        )
    )
    return CreateApiKeyPayload(
        account=Account.of_state(outcome.account),
        api_key=_key(outcome),
        secret=token.text if not outcome.replayed else None,
    )


@strawberry.input(description="Which key ends.")
class RevokeApiKeyInput:
    key_id: strawberry.ID = strawberry.field(description="The key.")
    with_descendants: bool = strawberry.field(
        default=False, description="Also the keys that it has made, those that they have made, and so on: after a leak."
    )


@mutation(
    "Ends a key at once, with the calendar feeds and sessions that were made with it; and if asked for with the keys that came "
    "of it. For owners and the operator."
)
async def revoke_api_key(call: Call, given: RevokeApiKeyInput) -> ApiKeyPayload:
    outcome = await call.run(commands.RevokeApiKey(key_id=given.key_id, with_descendants=given.with_descendants))
    if given.with_descendants:
        await lineage.revoke_elsewhere(given.key_id, by=call.actor)
    else:
        await lineage.end_sessions_elsewhere(outcome, by=call.actor)
    return ApiKeyPayload(account=Account.of_state(outcome.account), api_key=_key(outcome))


def _key(outcome: AccountOutcome) -> ApiKey:
    return ApiKey.of(outcome.account.keys[outcome.result["key_id"]])
