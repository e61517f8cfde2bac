"""Signs the stand-in's notices as Stripe does, and sends them to the platform's address."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Final

import aiohttp

from tests.stand_ins.stripe.books import Books, Json

SECONDS: Final = 20


def signature(body: bytes, secret: str, *, at: int) -> str:
    """The `Stripe-Signature` of a body that is sent at a time (seconds since 1970)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Notifier:
    """Sends what is due. What nobody takes is lost: the stand-in doesn't try again, which is worse than Stripe is."""

    def __init__(self, books: Books, *, url: str, secret: str, now: Callable[[], float]) -> None:
        self._books = books
        self._url = url
        self._secret = secret
        self._now = now
        self.taken = 0
        self.refused = 0
        self.is_sending = False

    async def send(self) -> int:
        """Send all that is due; gives how many were taken."""
        events = self._books.due_notices()
        if not events:
            return 0
        before = self.taken
        self.is_sending = True
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session:
                for event in events:
                    await self._send(session, event)
        finally:
            self.is_sending = False
        return self.taken - before

    async def _send(self, session: aiohttp.ClientSession, event: Json) -> None:
        body = json.dumps(event, indent=2).encode()
        headers = {
            "content-type": "application/json; charset=utf-8",
            "stripe-signature": signature(body, self._secret, at=int(self._now())),
        }
        try:
            async with session.post(self._url, data=body, headers=headers) as answer:
                good = answer.status // 100 == 2
        except (aiohttp.ClientError, TimeoutError):
            good = False
        self.taken += good
        self.refused += not good
