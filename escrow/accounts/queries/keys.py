"""The keys of accounts, as an actor may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow import database
from escrow.access import Actor, Scope
from escrow.accounts.queries.accounts import _whole


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key that was not revoked; it may have expired."""

    id: str
    account_id: str
    member_id: str | None
    name: str
    hint: str
    scopes: tuple[Scope, ...]
    contract_ids: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    created_by: str | None


async def keys_of(actor: Actor, account_ids: Sequence[str]) -> dict[str, list[KeyView]]:
    """The keys that were not revoked of each account whose keys the actor may see, oldest first."""
    found: dict[str, list[KeyView]] = {one: [] for one in _whole(actor, account_ids)}
    for row in await database.fetch(_KEYS, list(found)):
        values = dict(row)
        values["scopes"] = tuple(Scope(scope) for scope in row["scopes"])
        values["contract_ids"] = tuple(row["contract_ids"]) if row["contract_ids"] is not None else None
        found[row["account_id"]].append(KeyView(**values))
    return found


_KEYS: Final = """
SELECT account_id, id, member_id, name, hint, scopes, contract_ids, created_at, expires_at, last_used_at, created_by
FROM api_keys WHERE account_id = ANY ($1::text[]) AND revoked_at IS NULL ORDER BY account_id, id
"""
