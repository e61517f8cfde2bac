"""Takes Stripe's notices: who sent them, when, and what they hint at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import stripe

from escrow.payments.results import Hint, NoticeMalformed, NoticeRefused

TOLERANCE_SECONDS: Final = 300
"""How old a notice may be: who recorded one can't send it again later."""

Json = dict[str, Any]


def hints(body: bytes, signature: str, secrets: Sequence[str]) -> Sequence[Hint]:
    """What a notice hints at. It is taken if one of the secrets signed it: each of Stripe's endpoints has its own."""
    if not any(_is_signed(body, signature, secret) for secret in secrets):
        raise NoticeRefused("the notice isn't signed by Stripe, or is too old")
    try:
        event: Json = json.loads(body)
        thing: Json = event["data"]["object"]
        return _of(thing)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoticeMalformed(f"the notice can't be read: {type(error).__name__}") from None


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    if not signature.isascii():
        return False  # the library can't compare it
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_SECONDS)
    except (stripe.SignatureVerificationError, ValueError):
        return False
    return True


def _of(thing: Json) -> Sequence[Hint]:
    asked: Json = thing.get("metadata") or {}
    match thing["object"]:
        case "account":
            return (Hint(payee_id=thing["id"]),)
        case "payment_intent" | "refund" | "transfer" | "payout" | "transfer_reversal":
            return (Hint(order_id=asked.get("order"), provider_id=thing["id"]),)
        case "charge" | "dispute" if isinstance(thing.get("payment_intent"), str):
            return (Hint(order_id=asked.get("order"), provider_id=thing["payment_intent"]),)
        case _:
            return ()
