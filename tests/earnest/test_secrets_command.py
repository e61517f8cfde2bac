"""`earnest secrets` as an operator starts it when a key of the deployment is to go."""

from __future__ import annotations

import base64

from tests.earnest.test_operators_commands import settings, started
from tests.factories import SECRET_KEY, Deployment, make_endpoint


def keys(*found: bytes) -> dict[str, str]:
    return {"EARNEST_SECRET_KEYS": ",".join(base64.urlsafe_b64encode(key).decode() for key in found)}


async def test_secrets_are_encrypted_anew_and_those_that_no_key_opens_are_named(database: str, redis_url: str) -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    servers, new = settings(database, redis_url), b"n" * 32
    code, said, remarked = await started("secrets", **servers | keys(new))
    assert (code, said) == (1, "0 secrets are under the first key, 0 are under older keys.\n")
    assert remarked == f"earnest: no key of EARNEST_SECRET_KEYS opens a secret of {made.id}\n"
    code, said, remarked = await started("secrets --renew", **servers | keys(new, SECRET_KEY))
    assert (code, said, remarked) == (0, "0 secrets are under the first key, 1 were encrypted anew.\n", "")
    code, said, remarked = await started("secrets", **servers | keys(new))
    assert (code, said, remarked) == (0, "1 secrets are under the first key, 0 are under older keys.\n", "")
