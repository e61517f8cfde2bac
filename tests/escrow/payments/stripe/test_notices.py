"""Stripe's notices: signed, not too old, and hints at most."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from escrow.payments.results import Hint, NoticeMalformed, NoticeRefused
from escrow.payments.stripe.adapter import Stripe
from escrow.stripe_access import StripeAccess
from tests.stand_ins.stripe.notifications import signature

PLATFORM, PAYEES, STRANGER = "whsec_platform", "whsec_payees", "whsec_stranger"

ACCESS = StripeAccess(key="rk_test_x", webhook_secrets=(PLATFORM, PAYEES), return_url="https://app.example.com")


def body_of(thing: dict[str, Any]) -> bytes:
    return json.dumps({"id": "evt_1", "object": "event", "type": "x", "data": {"object": thing}}).encode()


PAYMENT = {"object": "payment_intent", "id": "pi_1", "metadata": {"order": "pay_1"}}


def hints(body: bytes, *, secret: str = PLATFORM, at: float | None = None) -> object:
    signed = signature(body, secret, at=int(time.time() if at is None else at))
    return Stripe(ACCESS).notice(body, {"stripe-signature": signed})


@pytest.mark.parametrize("secret", [PLATFORM, PAYEES])
def test_what_one_of_the_secrets_signed_is_taken(secret: str) -> None:
    assert hints(body_of(PAYMENT), secret=secret) == (Hint(order_id="pay_1", provider_id="pi_1"),)


@pytest.mark.parametrize(
    ("thing", "hint"),
    [
        (
            {"object": "refund", "id": "re_1", "metadata": {"order": "pay_2"}},
            Hint(order_id="pay_2", provider_id="re_1"),
        ),
        (
            {"object": "payout", "id": "po_1", "metadata": {"order": "pay_3"}},
            Hint(order_id="pay_3", provider_id="po_1"),
        ),
        ({"object": "dispute", "id": "du_1", "metadata": {}, "payment_intent": "pi_1"}, Hint(provider_id="pi_1")),
        ({"object": "charge", "id": "ch_1", "metadata": {}, "payment_intent": "pi_1"}, Hint(provider_id="pi_1")),
        ({"object": "account", "id": "acct_1", "metadata": {}}, Hint(payee_id="acct_1")),
    ],
)
def test_a_notice_hints_at_what_it_is_about(thing: dict[str, Any], hint: Hint) -> None:
    assert hints(body_of(thing)) == (hint,)


def test_what_is_about_nothing_of_ours_hints_at_nothing() -> None:
    assert hints(body_of({"object": "customer", "id": "cus_1", "metadata": {}})) == ()


def test_a_stranger_is_refused() -> None:
    with pytest.raises(NoticeRefused):
        hints(body_of(PAYMENT), secret=STRANGER)


@pytest.mark.parametrize("header", ["", "t=1", "v1=abc", "nonsense", "t=abc,v1=abc", "t=1,v1=\xe9"])
def test_a_signature_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(NoticeRefused):
        Stripe(ACCESS).notice(body_of(PAYMENT), {"stripe-signature": header})


def test_a_notice_without_a_signature_is_refused() -> None:
    with pytest.raises(NoticeRefused):
        Stripe(ACCESS).notice(body_of(PAYMENT), {})


def test_what_was_recorded_is_refused_when_it_is_sent_again_later() -> None:
    with pytest.raises(NoticeRefused):
        hints(body_of(PAYMENT), at=time.time() - 301)


def test_one_changed_byte_is_refused() -> None:
    body = body_of(PAYMENT)
    signed = signature(body, PLATFORM, at=int(time.time()))
    with pytest.raises(NoticeRefused):
        Stripe(ACCESS).notice(body.replace(b"pi_1", b"pi_2"), {"stripe-signature": signed})


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"data": {"object": {"object": "refund"}}}', b"\xff\xfe"])
def test_what_is_signed_and_cannot_be_read_is_said_to_be_malformed_or_refused(body: bytes) -> None:
    with pytest.raises((NoticeMalformed, NoticeRefused)):
        hints(body)
