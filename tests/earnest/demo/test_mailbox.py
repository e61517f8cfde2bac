"""The demo's mailbox: it takes what is signed with its secret, and notices what is not what the API says."""

from __future__ import annotations

import base64

import httpx
import pytest

from earnest.demo.mailbox import Mailbox
from earnest.demo.timeline import Tampered
from earnest.listening import PATH, served
from webhooks.request.signing import HmacKey, sign

SECRET = b"s" * 32
BODY = b'{"data":{"event":{"id":"evt_1"}}}'
EVENT = {"id": "evt_1", "type": "milestone.released", "sequence": 7, "body": '{"id":"evt_1"}'}


async def answers(*requests: tuple[bytes, dict[str, str]], mailbox: Mailbox) -> list[int]:
    """What the mailbox says to these."""
    async with served(mailbox.receive, 0) as port, httpx.AsyncClient(timeout=60) as http:
        url = f"http://127.0.0.1:{port}{PATH}"
        return [(await http.post(url, content=body, headers=headers)).status_code for body, headers in requests]


def signed(secret: bytes = SECRET, *, body: bytes = BODY) -> dict[str, str]:
    return sign([HmacKey(b"another" * 4), HmacKey(secret)], message_id="evt_1", timestamp=1_700_000_000, body=body)


async def test_only_what_is_signed_with_its_secret_is_taken() -> None:
    mailbox = Mailbox()
    assert await answers((BODY, signed()), mailbox=mailbox) == [401]  # nobody is trusted yet
    mailbox.trust("whsec_" + base64.b64encode(SECRET).decode())
    refused = [
        (BODY, {}),
        (BODY, signed(b"x" * 32)),
        (b"{}", signed()),
        (BODY, signed() | {"webhook-timestamp": "now"}),
    ]
    assert await answers(*refused, (BODY, signed()), mailbox=mailbox) == [401, 401, 401, 401, 204]
    await mailbox.arrived(EVENT)


async def test_a_webhook_that_says_something_else_than_the_api_is_noticed() -> None:
    mailbox = Mailbox()
    mailbox.trust("whsec_" + base64.b64encode(SECRET).decode())
    await answers((BODY, signed()), mailbox=mailbox)
    with pytest.raises(Tampered, match="something else"):
        await mailbox.arrived(EVENT | {"body": '{"id":"evt_1","type":"other"}'})
