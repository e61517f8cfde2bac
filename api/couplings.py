"""Takes what project tools say by themselves, at `POST /couplings/{name}`: signed webhooks that ring, and tell nothing.

Who can't sign is told 401. One that is refused is paid for like a wrong key by where it came from.
"""

from __future__ import annotations

import logging
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.providers import read_body, said, waited
from api.tolls import refused
from connectors import couplings, knocks
from connectors.knocks import NotSigned
from escrow import bell
from escrow.bell import Topic

_log: Final = logging.getLogger(__name__)


async def take_knock(request: Request) -> Response:
    """One webhook of a tool."""
    name = request.path_params["name"]
    await waited(request)
    try:
        body = await read_body(request)
    except ClientDisconnect:
        return said(400, "cut off")
    if body is None:
        return await refused(request, said(413, "too large"))
    found = await couplings.webhook_secret(name) if couplings.may_be(name) else None
    if found is None:
        return await refused(request, said(404, "no such coupling, or it takes no webhooks"), length=len(body))
    try:
        is_of_use = knocks.is_of_use(found[1], body, {key.lower(): value for key, value in request.headers.items()})
    except NotSigned:
        _log.warning("a tool's webhook was refused: it isn't signed with the secret of the coupling")
        return await refused(request, said(401, "not signed with the coupling's secret"), length=len(body))
    if is_of_use:
        await couplings.ring(name)
        await bell.ring(Topic.COUPLINGS)
    return said(200, "taken" if is_of_use else "nothing to do")
