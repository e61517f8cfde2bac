"""Reads what a delivery needs to know of its endpoint: where to send, in which shape, and with which keys to sign.

The facts are the accounts' (`escrow.accounts`); nothing here changes them.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from escrow import database
from escrow.accounts.state.endpoints import Algorithm
from escrow.vault import Undecipherable
from webhooks.request import secrets
from webhooks.request.signing import SigningKey

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint that exists, ready to sign for. Its keys are never printed."""

    id: str
    account_id: str
    url: str
    api_version: str
    keys: tuple[SigningKey, ...]
    """The newest first; during a rotation those of before, too. Empty only if this process can't decrypt them."""
    version: int
    """Grows with every change: who acts on what it knew of an endpoint names it (`DisableEndpoint.expected_version`)."""


async def endpoints(ids: Sequence[str]) -> dict[str, Endpoint]:
    """Those of the endpoints that were not deleted, disabled ones included, by id."""
    rows = await database.fetch(_ENDPOINTS, list(ids))
    keys: dict[str, list[SigningKey]] = defaultdict(list)
    for row in rows:
        keys[row["id"]] += _key(row)
    return {row["id"]: database.filled(Endpoint, row, keys=tuple(keys[row["id"]])) for row in rows}


def _key(row: database.Record) -> list[SigningKey]:
    """None if it can't be decrypted: one damaged secret must not stop the deliveries of everybody else."""
    try:
        return [secrets.signing_key(Algorithm(row["algorithm"]), row["ciphertext"], endpoint_id=row["id"])]
    except Undecipherable as error:
        _log.error("a secret can't be read: are all of EARNEST_SECRET_KEYS there?", extra={"error": error})
        return []


_ENDPOINTS: Final = """
SELECT endpoint.id, endpoint.account_id, endpoint.url, endpoint.api_version, endpoint.version, secret.algorithm, secret.ciphertext
FROM unnest($1::text[]) AS wanted (id)
CROSS JOIN LATERAL (SELECT * FROM endpoints WHERE id = wanted.id AND deleted_at IS NULL OFFSET 0) AS endpoint
LEFT JOIN LATERAL (
    SELECT algorithm, ciphertext, created_at FROM endpoint_secrets
    WHERE endpoint_id = endpoint.id AND (expires_at IS NULL OR expires_at > clock_timestamp()) OFFSET 0
) AS secret ON true
ORDER BY endpoint.id, secret.created_at DESC, secret.algorithm
"""
