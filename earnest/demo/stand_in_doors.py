"""Uses the stand-in for Stripe as people and banks use Stripe: its pages as a browser would, doors for what happens elsewhere."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from earnest.api_client import Unreachable

SECONDS: Final = 10.0
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the stand-in is. Each method raises `Unreachable` if the stand-in doesn't answer, or doesn't do it."""

    host: str
    port: int

    @classmethod
    def of(cls, page: str) -> Doors:
        """By the address of one of its pages."""
        parts = urlsplit(page)
        return cls(parts.hostname or "", parts.port or 80)

    async def press(self, page: str, answer: str) -> None:
        """A button of a page: `complete` or `fail` at the payer's bank, the bank account (`good`, `closed`) of a payee."""
        path = page.split("/", 3)[3]
        await self._ask("POST", f"/{path}", urlencode({"answer": answer}), "application/x-www-form-urlencoded")

    async def dispute(self, order_id: str, status: str | None = None) -> None:
        """A payer's bank takes a payment back; with a status (`won`, `lost`) it has decided."""
        asked = {"order": order_id} | ({"status": status} if status is not None else {})
        await self._post("disputes", asked)

    async def pass_time(self, seconds: float) -> None:
        """Its clock goes on by so much, and what was due happens."""
        await self._post("advance", {"seconds": seconds})

    async def payouts_of(self, order_id: str) -> list[str]:
        """How the payouts stand that were made for an order; none if none was."""
        answer: list[str] = json.loads(await self._ask("GET", f"/stand-in/payouts/{order_id}"))
        return answer

    async def _post(self, door: str, asked: dict[str, Any]) -> None:
        await self._ask("POST", f"/stand-in/{door}", json.dumps(asked), "application/json")

    async def _ask(self, method: str, path: str, body: str = "", kind: str = "text/plain") -> bytes:
        def ask() -> tuple[int, bytes]:
            connection = HTTPConnection(self.host, self.port, timeout=SECONDS)
            try:
                connection.request(method, path, body, {"content-type": kind})
                answer = connection.getresponse()
                return answer.status, answer.read()
            finally:
                connection.close()

        try:
            status, answer = await asyncio.to_thread(ask)
        except (OSError, HTTPException) as error:
            raise Unreachable(f"no answer from the stand-in: {error}") from None
        if status >= 400:
            raise Unreachable(f"the stand-in answered {status}")
        return answer
