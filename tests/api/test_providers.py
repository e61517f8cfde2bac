"""What a payment provider says by itself at the door: taken if it is the provider's, and never more than a hint."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping, Sequence

import httpx
import pytest
import pytest_asyncio

from api.providers import BYTES_MAX
from escrow.database import fetch_value
from escrow.payments.results import Hint, NoticeMalformed, NoticeRefused
from escrow.payments.sandbox import Sandbox
from tests.api.client import door
from tests.escrow.payments.stage import order, strike

SECRET = b"whsec_of_the_provider"


class Signing(Sandbox):
    """A provider that signs its notices, and takes none that are older than the newest."""

    def __init__(self) -> None:
        super().__init__()
        self.newest = 0

    def notice(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Hint]:
        sent_at, _, signature = headers.get("x-signature", "").partition(".")
        if not hmac.compare_digest(signature, signed(body, sent_at)) or int(sent_at) < self.newest:
            raise NoticeRefused("a stranger, or an old one")
        self.newest = int(sent_at)
        if not body.startswith(b"pay_"):
            raise NoticeMalformed("not an order")
        return [Hint(order_id=body.decode())]


def signed(body: bytes, sent_at: str) -> str:
    return hmac.new(SECRET, sent_at.encode() + body, hashlib.sha256).hexdigest()


@pytest_asyncio.fixture(loop_scope="session")
async def http(database: str) -> AsyncIterator[httpx.AsyncClient]:
    async with door(provider=Signing()) as client:
        yield client


async def send(http: httpx.AsyncClient, body: bytes, *, at: int = 1, signature: str | None = None) -> int:
    header = f"{at}.{signed(body, str(at)) if signature is None else signature}"
    answer = await http.post("/providers/sandbox", content=body, headers={"X-Signature": header})
    return answer.status_code


async def put_off() -> tuple[str, str]:
    """An order whose next look lies hours ahead, and when that is."""
    order_id = await (await strike("100.00")).fund()
    await fetch_value("UPDATE payment_orders SET due_at = now() + interval '6 hours' RETURNING due_at")
    return order_id, str((await order(order_id))["due_at"])


async def test_a_notice_has_its_order_looked_at_now_also_when_it_comes_twice(http: httpx.AsyncClient) -> None:
    order_id, _ = await put_off()
    for _ in range(2):
        assert await send(http, order_id.encode()) == 200
        assert await fetch_value("SELECT due_at <= now() FROM payment_orders")
    assert await fetch_value("SELECT state FROM payment_orders") == "STARTED", "it says nothing of how it went"


@pytest.mark.parametrize("signature", ["", "0" * 64, None])
async def test_a_stranger_and_an_old_notice_are_refused_and_wake_nobody(
    http: httpx.AsyncClient, signature: str | None
) -> None:
    order_id, due_at = await put_off()
    if signature is None:
        assert await send(http, b"pay_0", at=2) == 200
    assert await send(http, order_id.encode(), signature=signature) == 401
    assert str((await order(order_id))["due_at"]) == due_at


async def test_what_cannot_be_read_or_is_too_large_or_for_another_provider_is_refused(http: httpx.AsyncClient) -> None:
    assert await send(http, b"nonsense") == 400
    assert await send(http, b"x" * (BYTES_MAX + 1)) == 413
    assert (await http.post("/providers/another", content=b"")).status_code == 404
    assert (await http.get("/providers/sandbox")).status_code == 405


async def test_a_notice_about_an_order_that_is_not_ours_is_taken_and_does_nothing(http: httpx.AsyncClient) -> None:
    assert await send(http, b"pay_nobodys") == 200


async def test_the_sandbox_takes_an_order_id_from_anybody(database: str) -> None:
    order_id, _ = await put_off()
    async with door() as http:
        assert (await http.post("/providers/sandbox", json={"orderId": order_id})).status_code == 200
        assert (await http.post("/providers/sandbox", json=[])).status_code == 400
    assert await fetch_value("SELECT due_at <= now() FROM payment_orders")
