"""Receives the webhooks of the demo's partner, on an endpoint that exists as long as the story is played.

Each event that the story shows came here first, signed, and is the same text that the API has.
"""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from aiohttp import web

from earnest.api_client import Api, ApiError, Refused
from earnest.demo.timeline import PATIENCE_SECONDS, Event, Tampered
from earnest.listening import PATH, served
from webhooks.request.signing import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, HmacKey, sign

DESCRIPTION: Final = "earnest demo"


class Mailbox:
    """The webhooks that came."""

    def __init__(self) -> None:
        self._key: HmacKey | None = None
        self._bodies: dict[str, bytes] = {}
        self._came: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def trust(self, secret: str) -> None:
        """Take what is signed with this secret, and nothing else."""
        self._key = HmacKey(base64.b64decode(secret.removeprefix("whsec_")))

    async def receive(self, request: web.Request) -> web.Response:
        """Keep a request that is signed as it should be."""
        body = await request.read()
        message_id = request.headers.get(ID_HEADER, "")
        timestamp = request.headers.get(TIMESTAMP_HEADER, "")
        if self._key is None or not timestamp.isdecimal():
            return web.Response(status=401)
        right = sign([self._key], message_id=message_id, timestamp=int(timestamp), body=body)
        if right[SIGNATURE_HEADER] not in request.headers.get(SIGNATURE_HEADER, "").split():
            return web.Response(status=401)
        self._bodies[message_id] = body
        self._came[message_id].set()
        return web.Response(status=204)

    async def arrived(self, event: Event) -> None:
        """Wait until the event came here, too. Raises `Tampered` if it says something else, `ApiError` if it never comes."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._came[event["id"]].wait()
        except TimeoutError:
            raise ApiError(f"no webhook with {event['type']} came within {PATIENCE_SECONDS:.0f} seconds") from None
        if event["body"].encode() not in self._bodies[event["id"]]:
            raise Tampered(f"the webhook of event {event['sequence']} ({event['type']}) says something else")


@asynccontextmanager
async def open_mailbox(api: Api) -> AsyncIterator[Mailbox | None]:
    """A mailbox for an account's events; `None` where the deployment sends nothing to this machine."""
    mailbox = Mailbox()
    async with served(mailbox.receive, 0) as port:
        try:
            made = await api.do(
                "createWebhookEndpoint", "webhookEndpoint { id } secret",
                url=f"http://127.0.0.1:{port}{PATH}", description=DESCRIPTION,
            )  # fmt: skip
        except Refused:
            yield None
            return
        mailbox.trust(made["secret"])
        try:
            yield mailbox
        finally:
            with suppress(ApiError):
                await api.do(
                    "deleteWebhookEndpoint", "webhookEndpoint { id }", endpointId=made["webhookEndpoint"]["id"]
                )
