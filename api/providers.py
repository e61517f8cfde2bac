"""Takes what the payment provider says by itself, at `POST /providers/{name}`: a hint about what to look up, never an answer.

The adapter sees the body as it came, byte for byte, since the signature is over it. A stranger, an old notice played once
more and what can't be read are refused, and nothing of them is remembered. Whoever is let in may wake a look-up, and no more.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from escrow import bell
from escrow.bell import Topic
from escrow.payments import orders
from escrow.payments.provider import Provider
from escrow.payments.results import NoticeMalformed, NoticeRefused

NOTICE_BYTES_MAX: Final = 1_000_000
"""Several times the largest notice of a real provider."""

_log = logging.getLogger(__name__)


def notices_of(provider: Provider) -> Callable[[Request], Awaitable[Response]]:
    """The handler of `POST /providers/{name}`: 204 for what was taken, also when it says nothing new."""

    async def take(request: Request) -> Response:
        """A notice of the deployment's own provider; another one's path is not found."""
        if request.path_params["name"] != provider.terms.provider:
            return PlainTextResponse("There is no such provider.\n", status_code=404)
        body = await _body(request)
        if body is None:
            return PlainTextResponse(f"A notice has at most {NOTICE_BYTES_MAX} bytes.\n", status_code=413)
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            hints = provider.notice(body, headers)
        except NoticeRefused as refused:
            _log.warning("notice of the provider refused", extra={"reason": str(refused)})
            return PlainTextResponse("This is not signed as the provider signs, or it is too old.\n", status_code=401)
        except NoticeMalformed as malformed:
            _log.warning("notice of the provider not understood", extra={"reason": str(malformed)})
            return PlainTextResponse("This can't be read as a notice.\n", status_code=400)
        await orders.nudge(hints)
        await bell.ring(Topic.ORDERS)
        return Response(status_code=204)

    return take


async def _body(request: Request) -> bytes | None:
    """The whole body; nothing if it is larger than a notice, or if the sender hung up."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > NOTICE_BYTES_MAX:
                return None
            parts.append(part)
    except ClientDisconnect:
        return None
    return b"".join(parts)
