"""Lists the public ed25519 keys of endpoints, with which a receiver checks `v1a` without holding a secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow import database

PAGE_ENDPOINTS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that signs now. `expires_at` is set while it only overlaps with the one that replaced it."""

    endpoint_id: str
    public_key: str
    expires_at: datetime | None


async def public_keys(
    *, endpoint_id: str | None = None, after: str | None = None
) -> tuple[list[PublicKey], str | None]:
    """The keys of one endpoint, or of the first `PAGE_ENDPOINTS` after one, the newest of each first.

    Beside them the endpoint after which the next page begins, if there is one.
    """
    if endpoint_id is not None:
        rows = await database.fetch(_KEYS.format(which="="), endpoint_id, 1)
    else:
        rows = await database.fetch(_KEYS.format(which=">"), after or "", PAGE_ENDPOINTS)
    keys = [PublicKey(**row) for row in rows]
    found = len({key.endpoint_id for key in keys})
    return keys, keys[-1].endpoint_id if endpoint_id is None and found == PAGE_ENDPOINTS else None


# The page is chosen from the partial index first, so that each request reads no more than it answers with.
_KEYS: Final = """
WITH wanted AS (
    SELECT DISTINCT endpoint_id FROM endpoint_secrets
    WHERE public_key IS NOT NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
    AND endpoint_id {which} $1 ORDER BY endpoint_id LIMIT $2
)
SELECT endpoint_id, public_key, expires_at FROM wanted JOIN endpoint_secrets USING (endpoint_id)
WHERE public_key IS NOT NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
ORDER BY endpoint_id, created_at DESC, expires_at DESC
"""
