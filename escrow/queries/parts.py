"""Which accounts members and keys belong to, so that they can be found by their own identifiers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

from escrow import database

_OWNERS: Final = {
    "members": "SELECT DISTINCT account_id FROM members WHERE id = ANY($1::text[])",
    "api_keys": "SELECT DISTINCT account_id FROM api_keys WHERE id = ANY($1::text[])",
}


async def accounts_of_parts(table: Literal["members", "api_keys"], identifiers: Collection[str]) -> list[str]:
    """The accounts that these members or keys belong to. Whether they may be seen is the caller's question."""
    return [row["account_id"] for row in await database.fetch(_OWNERS[table], sorted(set(identifiers)))]
