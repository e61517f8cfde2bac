"""`earnest secrets` as an operator starts it when a key of the deployment is to go."""

from __future__ import annotations

import base64

from escrow.database import fetch
from escrow.payments import orders
from escrow.payments.sandbox import Sandbox
from tests.earnest.test_operators_commands import settings, started
from tests.factories import SECRET_KEY, Deployment, make_endpoint


def keys(*found: bytes) -> dict[str, str]:
    return {"EARNEST_SECRET_KEYS": ",".join(base64.urlsafe_b64encode(key).decode() for key in found)}


def secrets_said(current: int, rest: str, tokens: str | None = None, actions: str | None = None) -> str:
    none = f"are under the first key, 0 {rest.partition(' ')[2]}."
    lines = (
        tokens or f"0 payment tokens {none}",
        actions or f"0 payers' actions {none}",
        f"0 couplings' secrets {none}",
    )
    return f"{current} secrets are under the first key, {rest}.\n" + "".join(f"{line}\n" for line in lines)


async def test_secrets_are_encrypted_anew_and_those_that_no_key_opens_are_named(database: str, redis_url: str) -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    servers, new = settings(database, redis_url), bytes(range(32, 64))
    code, said, remarked = await started("secrets", **servers | keys(new))
    assert (code, said) == (1, secrets_said(0, "0 are under older keys"))
    assert remarked == f"earnest: no key of EARNEST_SECRET_KEYS opens a secret of {made.id}\n"
    code, said, remarked = await started("secrets --renew", **servers | keys(new, SECRET_KEY))
    assert (code, said, remarked) == (0, secrets_said(0, "1 were encrypted anew"), "")
    code, said, remarked = await started("secrets", **servers | keys(new))
    assert (code, said, remarked) == (0, secrets_said(1, "0 are under older keys"), "")


async def test_payment_tokens_are_encrypted_anew_and_one_that_no_key_opens_is_named(
    database: str, redis_url: str
) -> None:
    there = await Deployment.make()
    deal = await there.activate("10.00")
    await deal.fund(token="tok_of_a_card")
    (order,) = await fetch("SELECT id FROM payment_orders WHERE payment_token IS NOT NULL")
    servers, new = settings(database, redis_url), bytes(range(32, 64))
    code, said, remarked = await started("secrets", **servers | keys(new))
    assert (code, remarked) == (1, f"earnest: no key of EARNEST_SECRET_KEYS opens the payment token of {order['id']}\n")
    code, said, _ = await started("secrets --renew", **servers | keys(new, SECRET_KEY))
    renewed = "0 payment tokens are under the first key, 1 were encrypted anew."
    assert (code, said) == (0, secrets_said(0, "0 were encrypted anew", renewed))
    code, said, _ = await started("secrets", **servers | keys(new))
    current = "1 payment tokens are under the first key, 0 are under older keys."
    assert (code, said) == (0, secrets_said(0, "0 are under older keys", current))


async def test_what_payers_have_to_do_is_encrypted_anew_and_one_that_no_key_opens_is_named(
    database: str, redis_url: str
) -> None:
    deal = await (await Deployment.make()).activate("10.00")
    await deal.fund(token="tok_action_confirm")
    (claimed,) = await orders.claim(10)
    assert await orders.attend(claimed, Sandbox(act_seconds=3600.0))
    await fetch("UPDATE payment_orders SET payment_token = NULL")
    servers, new = settings(database, redis_url), bytes(range(32, 64))
    code, _, remarked = await started("secrets", **servers | keys(new))
    named = f"earnest: no key of EARNEST_SECRET_KEYS opens what the payer has to do for {claimed.id}\n"
    assert (code, remarked) == (1, named)
    code, said, _ = await started("secrets --renew", **servers | keys(new, SECRET_KEY))
    renewed = "0 payers' actions are under the first key, 1 were encrypted anew."
    assert (code, said) == (0, secrets_said(0, "0 were encrypted anew", actions=renewed))
    code, said, _ = await started("secrets", **servers | keys(new))
    current = "1 payers' actions are under the first key, 0 are under older keys."
    assert (code, said) == (0, secrets_said(0, "0 are under older keys", actions=current))
