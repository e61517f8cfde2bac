"""The type of API keys, which the account itself and the operator see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.access import Scope
from escrow.accounts import queries
from escrow.accounts import state as accounts
from escrow.accounts.queries import accounts_of_parts
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader
from schema.types.common import Node, as_id


@strawberry.type(
    description="A key with which a program acts for an account. Its secret was shown once and is not stored."
)
class ApiKey(Node):
    name: str = strawberry.field(description="What it is for, as its maker wrote it.")
    hint: str = strawberry.field(description="The last characters of the secret, to tell keys apart.")
    scopes: list[Scope] = strawberry.field(description="What it may be used for.")
    contract_ids: list[strawberry.ID] | None = strawberry.field(
        description="The only contracts that it reaches; null if it reaches all of the account's."
    )
    member_id: strawberry.ID | None = strawberry.field(
        description="The member that it acts as; null if it acts as an owner, within its scopes."
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    created_by: strawberry.ID | None = strawberry.field(
        description="The key that made it; null if it was made without one: by the command line, or with an identity "
        "provider's token."
    )
    expires_at: datetime | None = strawberry.field(description="When it stops working by itself.")
    revoked_at: datetime | None = strawberry.field(description="When it was revoked.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used, to about a minute.")

    @classmethod
    def of(cls, key: accounts.Key | queries.KeyView) -> ApiKey:
        return cls(
            id=strawberry.ID(key.id),
            name=key.name,
            hint=key.hint,
            scopes=list(key.scopes),
            contract_ids=[strawberry.ID(one) for one in key.contract_ids] if key.contract_ids is not None else None,
            member_id=as_id(key.member_id),
            created_at=key.created_at,
            created_by=as_id(key.created_by),
            expires_at=key.expires_at,
            revoked_at=getattr(key, "revoked_at", None),
            last_used_at=getattr(key, "last_used_at", None),
        )


@data_loader
async def keys_of(account_ids: Sequence[str], context: Context) -> list[list[ApiKey] | None]:
    found = await queries.keys_of(context.known(), list(dict.fromkeys(account_ids)))
    return [
        [ApiKey.of(key) for key in found[account_id]] if account_id in found else None for account_id in account_ids
    ]


@data_loader
async def key_of(key_ids: Sequence[str], context: Context) -> list[ApiKey | None]:
    """Keys that were not revoked by identifier, as far as the viewer may see them."""
    owners = await accounts_of_parts("api_keys", key_ids)
    found = await queries.keys_of(context.known(), owners)
    shown = {key.id: ApiKey.of(key) for keys in found.values() for key in keys}
    return [shown.get(key_id) for key_id in key_ids]
