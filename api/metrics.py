"""Serves `/metrics`: what this process does and how the deployment stands, in Prometheus' format.

A scraper shows the token of `EARNEST_METRICS_TOKEN`; where none is set, only a sandbox has the page. All scrapes of a quarter of
a second get the same. A wrong token is paid for by the address that shows it.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from api import figures
from api.live.door import Door
from api.tolls import refused
from escrow import exposition

TIMEOUT_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


def metrics(*, token: str | None, is_open: bool) -> Callable[[Request], Awaitable[Response]]:
    """The page for those who show the token; for everybody if `is_open` and there is none; else for nobody (404)."""

    async def answer(request: Request) -> Response:
        if token is None and not is_open:
            return await refused(request, PlainTextResponse("Not Found", status_code=404))
        if token is not None and not _shows(request, token):
            said = "This needs the token of EARNEST_METRICS_TOKEN.\n"
            return await refused(request, PlainTextResponse(said, 401, headers={"www-authenticate": "Bearer"}))
        door: Door = request.app.state.door
        page: Response = await door.figures.known(lambda: _figures(door))
        return page

    return answer


def _shows(request: Request, token: str) -> bool:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    # Compared in a time that tells nothing of how much was right.
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())


async def _figures(door: Door) -> Response:
    """The figures in Prometheus' text format; 503 if the database doesn't give them."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            gathered = await figures.gather(door)
    except Exception as error:  # noqa: BLE001 - whatever keeps the database from answering
        _log.warning("no metrics, the database does not answer", extra={"error": error})
        return PlainTextResponse("The database does not answer.\n", status_code=503)
    return Response(exposition.text(gathered), media_type=exposition.CONTENT_TYPE)
