"""Looks at the identity provider, where one is named: whether its keys can be fetched, and whether there are any that we take."""

from __future__ import annotations

import asyncio
from typing import Final

from api import identity_keys
from earnest.doctor.findings import Finding, fine, in_a_line, wrong
from escrow.settings import Settings

SUBJECT: Final = "identity"
REMEDY: Final = (
    "set EARNEST_JWKS_URL to where the provider publishes its keys (jwks_uri); see whether this machine gets there"
)


async def look(settings: Settings) -> list[Finding]:
    """What is to be said of its keys; nothing where only our own are taken."""
    if settings.identity is None:
        return []
    try:
        async with asyncio.timeout(identity_keys.FETCH_SECONDS):
            names = identity_keys.usable(await identity_keys.fetch_keys(settings.identity.jwks_url))
    except Exception as error:  # noqa: BLE001 - whatever keeps the provider from answering well
        said = f"the keys at EARNEST_JWKS_URL can't be read, so no token is taken ({in_a_line(error)})"
        return [wrong(SUBJECT, said, REMEDY)]
    if not names:
        return [wrong(SUBJECT, "there is no key at EARNEST_JWKS_URL by which a token could be checked", REMEDY)]
    return [fine(SUBJECT, f"its keys can be read; {len(names)} can check tokens")]
