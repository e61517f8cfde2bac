"""Takes what the payment provider says by itself, at `POST /providers/{name}`: hints that wake a look-up, and never an answer.

The body is read as it came, since its signature is over its bytes. Who can't sign is told 401, what can't be read 400; what is
taken is answered at once, before anybody looks anything up. Notices are free; one that is refused is paid for like a wrong key by
where it came from, and whoever can't pay waits before the body is read.
"""

from __future__ import annotations

import logging
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from api.arrivals import address_of
from api.rates.budgets import client_of
from api.tolls import refused
from escrow import bell
from escrow.bell import Topic
from escrow.payments import orders, payees
from escrow.payments.provider import Provider
from escrow.payments.results import NoticeMalformed, NoticeRefused

BYTES_MAX: Final = 250_000
"""No provider sends as much, and to read as much takes 5 ms."""

_log = logging.getLogger(__name__)


class ProviderNotices:
    """The door for notices of the provider that the deployment has; any other name is nobody's."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def take(self, request: Request) -> Response:
        """One notice."""
        if request.path_params["name"] != self._provider.terms.door:
            return await refused(request, said(404, "no such provider"))
        await waited(request)
        try:
            body = await read_body(request)
        except ClientDisconnect:
            return said(400, "cut off")
        if body is None:
            return await refused(request, said(413, "too large"), length=BYTES_MAX)
        try:
            hints = self._provider.notice(body, {name.lower(): value for name, value in request.headers.items()})
        except NoticeRefused:
            _log.warning("a notice was refused: it isn't signed by the provider, or is too old")
            return await refused(request, said(401, "not signed by the provider, or too old"), length=len(body))
        except NoticeMalformed:
            return await refused(request, said(400, "can't be read"), length=len(body))
        await orders.nudge(hints)
        await payees.nudge(hints)
        await bell.ring(Topic.ORDERS)
        return said(200, "taken")


async def waited(request: Request) -> None:
    """Let whoever was refused too often wait: it may be the provider all the same."""
    rates, address = request.app.state.door.rates, address_of(request.scope)
    if rates.is_barred(address):
        await rates.pause(client_of(address))


async def read_body(request: Request) -> bytes | None:
    """All of it, untouched; `None` if there is more than anybody needs."""
    parts, length = [], 0
    async for part in request.stream():
        parts.append(part)
        length += len(part)
        if length > BYTES_MAX:
            return None
    return b"".join(parts)


def said(status: int, words: str) -> Response:
    return PlainTextResponse(words, status_code=status, headers={"x-content-type-options": "nosniff"})
