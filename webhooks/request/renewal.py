"""Encrypts secrets anew under the deployment's first key, so that an older one can be taken out of `EARNEST_SECRET_KEYS`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from escrow import database
from escrow.vault import Undecipherable, vault
from webhooks.request.secrets import purpose_of

PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the secrets at rest stand, by what they are encrypted with."""

    current: int = 0
    """Under the first key."""
    older: int = 0
    """Under another one that the process has."""
    unreadable: tuple[str, ...] = ()
    """The endpoints with a secret that no key of the process opens."""


async def survey(*, renew: bool = False) -> Standing:
    """Look at every secret; with `renew` those under older keys are encrypted under the first, and `older` counts them.

    It may run while everything does, and again after it was cut off. A secret that was forgotten meanwhile stays so.
    """
    current, older, unreadable = 0, 0, []
    place = ("", "")
    while rows := await database.fetch(_PAGE, *place, PAGE):
        renewed = []
        for row in rows:
            try:
                secret = vault().decrypt(row["ciphertext"], purpose=purpose_of(row["endpoint_id"]))
            except Undecipherable:
                unreadable.append(row["endpoint_id"])
                continue
            if not vault().needs_renewal(row["ciphertext"]):
                current += 1
                continue
            older += 1
            renewed.append((*row, vault().encrypt(secret, purpose=purpose_of(row["endpoint_id"]))))
        if renew and renewed:
            await database.execute(_RENEW, *([one[column] for one in renewed] for column in range(4)))
        place = (rows[-1]["endpoint_id"], rows[-1]["fingerprint"])
    return Standing(current=current, older=older, unreadable=tuple(dict.fromkeys(unreadable)))


_PAGE: Final = """
SELECT endpoint_id, fingerprint, ciphertext FROM endpoint_secrets
WHERE (endpoint_id, fingerprint) > ($1::text, $2::text) ORDER BY endpoint_id, fingerprint LIMIT $3
"""

_RENEW: Final = """
UPDATE endpoint_secrets AS secret SET ciphertext = anew.ciphertext
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[]) AS anew (endpoint_id, fingerprint, former, ciphertext)
WHERE secret.endpoint_id = anew.endpoint_id AND secret.fingerprint = anew.fingerprint
    AND secret.ciphertext = anew.former
"""
